"""Room 5: the door as a service. ``pipeline`` is the whole door on one screen; ``daemon`` wires and supervises it."""
