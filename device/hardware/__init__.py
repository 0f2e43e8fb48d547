"""Room 3: the real things, one third-party library a file, imported inside the constructor."""
