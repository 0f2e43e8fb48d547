"""The page, for a browser in the house: what the door hears, what happened, kept clips, recording, health.

A request passes, in this order: ``fence`` (whose host, whose form), ``entrance`` (``password``, ``throttle``,
``sessions``), then one of the pages. ``broadcast`` is what the door says at this moment (``stream``: to a
browser), ``recorder`` records somebody
at the door's microphone, ``visits`` and ``clips`` read what happened, ``words`` says it; ``server`` is the thread that
serves it all, ``outlet`` its place in the gateway. Nothing here opens the door.
"""
