"""Room 2: from a clip to a decision. Reading order: ``values``, ``bundle``, ``interpreter``, ``scorer``, ``policy``."""
