"""Recording people at the door, without files or hardware: ``prompts`` is what they are asked to say and how, ``takes``
cuts what the microphone hears into takes and refuses bad ones, ``progress`` says how much is enough."""
