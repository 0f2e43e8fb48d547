"""The speaker-embedding network: log-mel ``(frames, bands)`` to an embedding, before the norm.

All are made only of operations that survive full int8 and run on the oldest supported runtime: ``resnet``, a thin
residual 2-D network (He et al., CVPR 2016) that keeps frequency as an axis; ``lean``, the same with fewer blocks and a
narrower end, for a third of the work; ``lean_se``, that with channel attention (squeeze and excitation: Hu et al., CVPR
2018); and ``tdnn``, a residual 1-D network over time (x-vectors: Snyder et al., ICASSP 2018). Pooling over time is the
mean beside the mean of what rises above the mean, a stand-in for the deviation that needs no square root.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

from device.errors import ConfigError

# A symbolic Keras tensor; Keras has no types to say so.
Tensor = Any


def _conv_norm(x: Tensor, filters: int, size: int, stride: int = 1, *, relu: bool = True) -> Tensor:
    x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if relu else x


def _residual(x: Tensor, filters: int, stride: int, *, attention: bool) -> Tensor:
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = _conv_norm(x, filters, 1, stride, relu=False)
    y = _conv_norm(x, filters, 3, stride)
    y = _conv_norm(y, filters, 3, relu=False)
    if attention:
        y = _attend(y)
    return layers.ReLU()(layers.Add()([y, shortcut]))


def _attend(x: Tensor) -> Tensor:
    """Each channel scaled by what all channels are, on average over the clip."""
    frames, bands, channels = x.shape[1:]
    heard = layers.Reshape((channels,))(layers.AveragePooling2D((frames, bands))(x))
    heard = layers.Dense(channels // 4, activation="relu")(heard)
    scale = layers.Dense(channels, activation="sigmoid")(heard)
    return layers.Multiply()([x, layers.Reshape((1, 1, channels))(scale)])


def _pool_time(x: Tensor) -> Tensor:
    """Mean, and mean of the excess over the mean, across the time axis of ``(batch, frames, 1, channels)``."""
    frames = x.shape[1]
    mean = layers.AveragePooling2D((frames, 1))(x)
    excess = layers.AveragePooling2D((frames, 1))(layers.ReLU()(layers.Subtract()([x, mean])))
    return layers.Flatten()(layers.Concatenate()([mean, excess]))


def _residual_network(
    shape: tuple[int, int],
    embedding_size: int,
    width: int,
    *,
    name: str,
    blocks: tuple[int, ...],
    end_channels: int,
    attention: bool = False,
) -> keras.Model:
    """Four stages of residual blocks, ``width`` to ``8 * width`` channels."""
    entry = keras.Input(shape, name="log_mel")
    x = layers.Reshape((*shape, 1))(entry)
    x = _conv_norm(x, width, 5, 2)
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _residual(x, width * 2**stage, stride, attention=attention)
    frames, bands, channels = x.shape[1:]
    x = layers.Reshape((frames, 1, bands * channels))(x)
    x = _conv_norm(x, end_channels, 1)
    x = layers.Dense(embedding_size, name="embedding")(_pool_time(x))
    return keras.Model(entry, x, name=name)


def resnet(shape: tuple[int, int], embedding_size: int, width: int) -> keras.Model:
    """Nine residual blocks."""
    return _residual_network(
        shape, embedding_size, width, name="resnet", blocks=(2, 2, 3, 2), end_channels=4 * embedding_size
    )


def lean(shape: tuple[int, int], embedding_size: int, width: int, *, attention: bool = False) -> keras.Model:
    """Five residual blocks."""
    return _residual_network(
        shape,
        embedding_size,
        width,
        name="lean",
        blocks=(1, 1, 2, 1),
        end_channels=2 * embedding_size,
        attention=attention,
    )


def tdnn(shape: tuple[int, int], embedding_size: int, width: int) -> keras.Model:
    """Residual depthwise-separable convolutions over time, ``8 * width`` channels."""
    entry = keras.Input(shape, name="log_mel")
    frames, bands = shape
    channels = 8 * width
    x = layers.Reshape((frames, 1, bands))(entry)
    x = layers.Conv2D(channels, (5, 1), strides=(2, 1), padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    for stride in (2, 1, 1, 1, 1, 1):
        y = layers.DepthwiseConv2D((7, 1), strides=(stride, stride), padding="same", use_bias=False)(x)
        y = layers.BatchNormalization(momentum=0.95)(y)
        y = _conv_norm(y, channels, 1)
        y = _conv_norm(y, channels, 1, relu=False)
        x = layers.ReLU()(layers.Add()([x, y])) if stride == 1 else layers.ReLU()(y)
    x = _conv_norm(x, 4 * embedding_size, 1)
    x = layers.Dense(embedding_size, name="embedding")(_pool_time(x))
    return keras.Model(entry, x, name="tdnn")


NETWORKS: dict[str, Callable[[tuple[int, int], int, int], keras.Model]] = {
    "resnet": resnet,
    "lean": lean,
    "lean_se": partial(lean, attention=True),
    "tdnn": tdnn,
}


def build(name: str, shape: tuple[int, int], *, embedding_size: int, width: int) -> keras.Model:
    """The network ``name`` for features of ``shape``. Raises :class:`ConfigError` for an unknown name."""
    if name not in NETWORKS:
        raise ConfigError(
            "no such network", where="backbone.network", received=name, allowed=", ".join(sorted(NETWORKS))
        )
    return NETWORKS[name](shape, embedding_size, width)
