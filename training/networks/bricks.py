"""What the networks are built of: convolutions with a norm, attention, pooling over time; all survive full int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import layers

from device.settings import one_of, within

# A symbolic Keras tensor; Keras has no types to say so.
Tensor = Any

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "silu", "hard_silu")
INITIALISATIONS = ("glorot_uniform", "he_normal", "lecun_normal", "orthogonal", "truncated_normal")
FEWEST_SQUEEZED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a network's layers have in common. ``dropout``: share of values left out while learning, before the last
    layer (0..0.9)."""

    activation: str = "relu"
    initialisation: str = "glorot_uniform"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        one_of("style.activation", self.activation, ACTIVATIONS)
        one_of("style.initialisation", self.initialisation, INITIALISATIONS)
        within("style.dropout", self.dropout, 0.0, 0.9)

    def active(self, x: Tensor) -> Tensor:
        return layers.ReLU()(x) if self.activation == "relu" else layers.Activation(self.activation)(x)

    def conv(self, x: Tensor, filters: int, size: int | tuple[int, int], stride: int | tuple[int, int] = 1) -> Tensor:
        """A convolution without a bias, padded to the same size, ``(batch, frames, bands, filters)``."""
        made = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False,
                             kernel_initializer=self.initialisation)  # fmt: skip
        return made(x)

    def conv_norm(
        self, x: Tensor, filters: int, size: int | tuple[int, int], stride: int | tuple[int, int] = 1, *,
        active: bool = True,
    ) -> Tensor:  # fmt: skip
        return self.norm(self.conv(x, filters, size, stride), active=active)

    def depthwise_norm(
        self, x: Tensor, size: int | tuple[int, int], stride: int | tuple[int, int] = 1, *, active: bool = True
    ) -> Tensor:
        """Each channel convolved by itself."""
        made = layers.DepthwiseConv2D(size, strides=stride, padding="same", use_bias=False,
                                      depthwise_initializer=self.initialisation)  # fmt: skip
        return self.norm(made(x), active=active)

    def norm(self, x: Tensor, *, active: bool) -> Tensor:
        x = layers.BatchNormalization(momentum=0.95)(x)
        return self.active(x) if active else x

    def dense(self, x: Tensor, size: int) -> Tensor:
        return self.active(layers.Dense(size, kernel_initializer=self.initialisation)(x))

    def end(self, x: Tensor, size: int) -> Tensor:
        """The last layer: the embedding of ``(batch, channels)``, before the norm."""
        if self.dropout:
            x = layers.Dropout(self.dropout)(x)
        return layers.Dense(size, name="embedding", kernel_initializer=self.initialisation)(x)


def attend(x: Tensor, attention: str) -> Tensor:
    """``x`` weighed: by channel for ``se`` (squeeze and excitation: Hu et al., CVPR 2018), by channel and then by place
    for ``cbam`` (Woo et al., ECCV 2018)."""
    if attention == "se":
        return layers.Multiply()([x, layers.Activation("sigmoid")(_excite(x, (layers.AveragePooling2D,)))])
    if attention == "cbam":
        heard = _excite(x, (layers.AveragePooling2D, layers.MaxPooling2D))
        x = layers.Multiply()([x, layers.Activation("sigmoid")(heard)])
        across = [_across_channels(x, pool) for pool in (layers.AveragePooling2D, layers.MaxPooling2D)]
        place = layers.Conv2D(1, 7, padding="same", activation="sigmoid")(layers.Concatenate()(across))
        return layers.Multiply()([x, place])
    return x


def _across_channels(x: Tensor, pool: type) -> Tensor:
    # As a pooling of the picture places x channels: the runtime's fast path has no int8 mean or maximum over channels.
    frames, bands, channels = x.shape[1:]
    pooled = pool((1, channels))(layers.Reshape((frames * bands, channels, 1))(x))
    return layers.Reshape((frames, bands, 1))(pooled)


def _excite(x: Tensor, pools: tuple[type, ...]) -> Tensor:
    """What all channels are, over the whole clip, to a number a channel: one small network for each way to pool."""
    frames, bands, channels = x.shape[1:]
    # Leaky, since few plain ReLUs may all be silent, and what is always 0 has no scale in int8.
    squeeze = layers.Dense(max(channels // 4, FEWEST_SQUEEZED), activation="leaky_relu")
    excite = layers.Dense(channels)
    found = [excite(squeeze(layers.Reshape((channels,))(pool((frames, bands))(x)))) for pool in pools]
    heard = found[0] if len(found) == 1 else layers.Add()(found)
    return layers.Reshape((1, 1, channels))(heard)


def pool_time(x: Tensor) -> Tensor:
    """Mean, and mean of the excess over the mean, across the time axis of ``(batch, frames, 1, channels)``."""
    frames = x.shape[1]
    mean = layers.AveragePooling2D((frames, 1))(x)
    excess = layers.AveragePooling2D((frames, 1))(layers.ReLU()(layers.Subtract()([x, mean])))
    return layers.Flatten()(layers.Concatenate()([mean, excess]))
