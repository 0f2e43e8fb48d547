"""The page, for a browser in the house: what the door hears, what happened, kept clips, recording, health.

A process and a user of its own: it has no file of the daemon's, and asks for everything over the live socket
(``door`` is that port, ``door_line`` asks). A request passes, in this order: ``fence`` (whose host, whose form),
``entrance`` (``password``, ``throttle``, ``sessions``), then one of the pages. ``broadcast`` is what the door says at
this moment (``stream``: to a browser), ``recorder`` records somebody at the door's microphone, ``visits`` is what
happened, ``words`` says it; ``server`` is the thread that serves it all, ``outlet`` its place in the gateway. Nothing
here opens the door, and the daemon would not let it.
"""
