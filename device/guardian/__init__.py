"""Room 6: a separate, tiny process that owns the relay's pin, so that the daemon is not the only one to close the door.

1. ``protocol``   requests and answers, a line each
2. ``guard``      the rules, pure: how long, how often, until when; what is off stays off; ``budget``: how much an hour
3. ``chips``, ``pin``   the chip with the header's pins, by its label; the one file that moves a pin
4. ``entrance``   the socket, and who is at its other end
5. ``server``     the loop; ``watchdog``: a second process that ends a pulse where the loop is frozen
6. ``settings``   what it reads of the daemon's configuration, and the pin it remembers

``python -m device.guardian run | off | test``. Standard library and lgpio only; nothing else of ``device``.
"""
