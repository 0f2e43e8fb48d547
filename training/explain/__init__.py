"""Why it opened, or did not: one clip, and the network itself, each as a page.

``visit``        a recording as the door hears and judges it, and which of its clips is explained
``int8_judge``   the score that is explained: features -> the bundle's int8 network and head -> one resident's evidence
``grid``         the features cut into patches that can be taken away; ``scales`` where they lie in seconds and Hz
``occlusion``    how far the score falls without each; ``lime`` a linear model of it; ``gradients`` by the Keras
                 network's own
``deletion``     whether a map is true: what it calls important is taken away first, against random orders
``listen``       only the parts that mattered, as sound
``neighbours``   whose recordings sound near
``explanation``  all of this for one clip; ``told`` in words and numbers, ``pictures`` and ``page`` to look at
``clips_run``    recording after recording, with a ``summary``
``layers``       a network's layers from Keras (``keras_layers``) or from TFLite (``tflite_layers``); ``network_page``
``command``      the command
"""
