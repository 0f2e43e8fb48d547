"""A household's own numbers, from embeddings alone: numpy, no TensorFlow, the same on a Pi and on a workstation."""
