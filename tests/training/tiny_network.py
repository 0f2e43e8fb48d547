"""A network of three layers, for tests of what is told about layers rather than of the networks themselves."""

from typing import Any


def tiny(shape: tuple[int, int], embedding_size: int, width: int, *_: Any) -> Any:
    """Two convolutions with batch norm, and the embedding, on features of ``shape``."""
    import keras
    from keras import layers

    entry = keras.Input(shape)
    x = layers.Reshape((*shape, 1))(entry)
    for stride in (2, 1):
        x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    frames, bands, channels = x.shape[1:]
    x = layers.AveragePooling2D((frames, 1))(x)
    x = layers.Dense(embedding_size)(layers.Reshape((bands * channels,))(x))
    return keras.Model(entry, x, name="tiny")
