"""The workshop, in the order in which recordings become a bundle.

0. ``corpus.fetch``   named public corpora, for those with a network
1. ``corpus.index``   every recording opened once: who, which session, how loud and noisy, or why it was rejected
   ``corpus.survey``  what went in, as a page with advice
2. ``corpus.split``   by speaker, session and recording; a guard raises if anything crosses
3. ``clips``          cut by the door's own segmenter
4. ``augment``        noise, rooms, lines, few words: on the waveform, train side only; made of ``effects``
5. ``examples``       features of the training clips, streamed to disk
6. ``networks``       the speaker-embedding networks by name
7. ``fit``            the backbone, learnt from many speakers, on ``batches``, going on where ``begin`` says;
                      ``layer_log`` tells how each layer moves
   ``whitening``      its embeddings spread over all directions, within its last layer
8. ``quantize``       Keras -> TFLite: full int8, int8 weights, or float16
9. ``backbone``       the converted network with its cohort and validation strangers, reusable by every refresh
   ``imported``       or a backbone learnt by others: ``networks.weights_command`` fetches published weights
10. ``enrol``         residents -> prototypes; ``populations`` on whose strangers thresholds are chosen
11. ``calibrate``     similarities -> log-likelihood ratios -> thresholds for a target false accept rate
12. ``evaluate``      the int8 bundle through the door's own scorer, on strangers and on another day, in ``conditions``
    ``at_the_door``   visits and long recordings through the policy and the pipeline; ``door_tries`` what somebody
                      who tries all day comes to
13. ``compare``       old against new on the same test
14. ``publish``       one verified bundle, or none; ``versions`` keeps the last ones
15. ``deploy``        to the doors, and back

``classifier`` is what course projects build instead; ``benchmark`` judges a network on people it has never met,
``study`` asks what each idea is worth, ``replay_study`` judges the replay guard; ``explain`` tells why a clip opened
the door or did not, and what a network is made of; ``scan`` is the door's own over any form of file. ``compute`` is
what a network is learnt on. ``metrics`` are the error rates; ``report``, ``report_page`` and ``charts`` the page that
tells them. ``recipe`` is the typed TOML behind a run (``learning_settings`` its ``[backbone]``), ``stages`` keeps and
times what it does, ``tracking`` tells who follows, ``atomic`` writes files whole, ``run`` is the path above on one
screen, ``cli`` the commands. Arrows: training imports the hardware-free rooms of ``device``; ``device`` never imports
training.
"""
