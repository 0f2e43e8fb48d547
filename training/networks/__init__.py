"""Networks by name, each a function of the front-end's shape and the embedding's size; and published weights.

All but ``campplus`` convert to full int8 as they are.
"""
