"""Networks by name, each a function of the front-end's shape and the embedding's size. All convert to full int8."""
