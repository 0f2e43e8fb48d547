"""The workshop, in the order in which recordings become a bundle.

1. ``corpus.index``   every recording opened once: who, which session, how long, or why it was rejected
2. ``corpus.split``   by speaker, session and recording; a guard raises if anything crosses
3. ``clips``          cut by the door's own segmenter
4. ``augment``        noise, rooms, telephone band, short speech: on the waveform, train side only
5. ``examples``       features of the training clips, streamed to disk
6. ``networks``       the speaker-embedding networks by name
7. ``fit``            the backbone, learnt from many speakers
8. ``quantize``       Keras -> full int8 TFLite
9. ``backbone``       the int8 network with its cohort and validation strangers, reusable by every refresh
10. ``enrol``         residents -> prototypes
11. ``calibrate``     similarities -> log-likelihood ratios -> thresholds for a target false accept rate
12. ``evaluate``      the int8 bundle through the door's own scorer, on strangers and on another day
13. ``publish``       one verified bundle, or none

``metrics`` are the error rates, ``report`` and ``charts`` the page that tells them.
``recipe`` is the typed TOML behind a run, ``run`` the path above on one screen, ``cli`` the commands.
Arrows: training imports the hardware-free rooms of ``device``; ``device`` never imports training.
"""
