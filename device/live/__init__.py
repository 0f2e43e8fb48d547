"""The live feed: what the door hears and decides, as JSON lines on a Unix socket, for whoever shows or passes it on.

``requests`` is what a reader may ask, ``feed`` the door's side, ``server`` the sockets on a thread of their own,
``reader`` a reader. A feed that is slow, full or broken costs the door nothing.
"""
