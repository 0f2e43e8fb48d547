"""The gateway, a process of its own with a network: it reads the door's live feed and passes it on.

``hub`` reads and hands out; each outlet (``mqtt``, ``metrics``) is one way out, on threads of its own; ``outlets``
makes those that the configuration asks for. The door does not notice whether any of this runs.
"""
