"""The door, in the order in which sound passes through it.

1. ``device.sound``      microphone samples -> 20 ms frames -> speech or not -> 3 s clips -> log-mel
2. ``device.verdict``    clip -> int8 embedding -> log-likelihood ratio per resident -> policy decision
3. ``device.hardware``   the real microphone, relay, clock and supervisor
4. ``device.simulated``  the same ports without hardware: WAV files, a timed relay, a manual clock
5. ``device.service``    the pipeline (the whole door on one screen), the daemon, the commands
6. ``device.guardian``   a process of its own that owns the relay's pin, and shuts the door whatever becomes of the rest
7. ``device.replay``     prints of what was heard lately: a recording that is played again opens nothing
8. ``device.enrolment``  recording people at the door: what to say, what a good take is, how much is enough
9. ``device.terminal``   lines and bars for the tools that somebody looks at while standing at the door
10. ``device.live``      what the door hears and decides, as JSON lines on a Unix socket, for whoever shows it
11. ``device.gateway``   a process of its own, with a network, that reads that feed and passes it on
12. ``device.web``       another, with the page for browsers in the house: live, events, clips, recording, health
13. ``device.household`` cohort and thresholds for the household's own door, from embeddings alone (so far only the
    benchmark uses it: ``training/study/one_door.md``)

``device.ports`` names what the pipeline needs from the world; ``device.errors`` is every way it can fail;
``device.names`` is the one form in which people's names enter, ``device.ownership`` is whose a file is, for root in a
folder that another user can write.
This file imports nothing, so that each room can be used alone.
"""
