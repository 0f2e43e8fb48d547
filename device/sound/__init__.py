"""Room 1: from samples to log-mel, pure. Reading order: ``pcm``, ``resample``, ``wavfile``, ``vad``, ``segmenter``,
``logmel``. Nothing here knows the time of day, a file other than a WAV it is given, or any other room."""
