"""The networks that course and contest projects on spectrograms use, as embedding networks like any other.

With ``embedding_size`` 1 each is the end-to-end classifier those projects train. All pool over time or resize the
picture, so that weights learnt on crops serve whole clips.
"""

from __future__ import annotations

import keras
from keras import layers

from training.networks.bricks import Style, Tensor


def simple(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """Three convolutions, each halving the picture; ``width`` to ``4 * width`` channels, averaged."""
    entry, x = _picture(shape)
    for factor in (1, 2, 4):
        x = style.active(style.conv(x, factor * width, 3, 2))
    return keras.Model(entry, style.end(_average(x), embedding_size), name="simple")


def tutorial(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """The keyword tutorials' network, after LeNet (LeCun et al., Proc. IEEE 1998): a picture of 32 x 32, two
    convolutions, one pooling, two dense layers. Its time axis is the clip's length: learn it on whole clips."""
    entry, x = _picture(shape)
    x = layers.Resizing(32, 32)(x)
    for factor in (2, 4):
        x = layers.Conv2D(factor * width, 3, kernel_initializer=style.initialisation)(x)
        x = style.active(x)
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    return keras.Model(entry, style.end(style.dense(x, 8 * width), embedding_size), name="tutorial")


def vggish(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """After VGGish (Hershey et al., ICASSP 2017): four stages of convolutions and pooling, ``width`` to ``8 * width``
    channels, and a dense layer."""
    entry, x = _picture(shape)
    for stage, count in enumerate((1, 1, 2, 2)):
        for _ in range(count):
            x = style.active(style.conv(x, width * 2**stage, 3))
        x = layers.MaxPooling2D(padding="same")(x)
    return keras.Model(entry, style.end(style.dense(_average(x), 16 * width), embedding_size), name="vggish")


def depthwise(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """After MobileNet (Howard et al., arXiv 1704.04861): convolutions of each channel alone, then across channels."""
    entry, x = _picture(shape)
    x = style.conv_norm(x, width, 3, 2)
    for factor, stride in ((2, 2), (4, 2), (4, 1), (8, 2), (8, 1)):
        x = style.depthwise_norm(x, 3, stride)
        x = style.conv_norm(x, factor * width, 1)
    return keras.Model(entry, style.end(_average(x), embedding_size), name="depthwise")


def _picture(shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    entry = keras.Input(shape, name="log_mel")
    return entry, layers.Reshape((*shape, 1))(entry)


def _average(x: Tensor) -> Tensor:
    frames, bands = x.shape[1:3]
    return layers.Flatten()(layers.AveragePooling2D((frames, bands))(x))
