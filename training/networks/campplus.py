"""CAM++ (Wang et al., Interspeech 2023, arXiv 2303.00332): log-mel to a speaker embedding, with convolutions alone.

A small residual 2-D network (FCM, the front-end convolution module) looks at frequency, a densely connected TDNN
(D-TDNN) at time; each of its layers is gated by what the clip is like on the whole and in each second (CAM,
context-aware masking). Mean and deviation over time lead to the embedding. Layers are named after the paper's parts:
``head``, ``fcm...``, ``tdnn``, ``block1_layer01...`` with its ``cam``, ``transition1``, ``statistics``, ``embedding``.
Published weights for it: :mod:`training.networks.published`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from training.networks.bricks import Style, Tensor

# Layers of each dense block, and how far apart in time its convolutions look.
BLOCKS = ((12, 1), (24, 2), (16, 2))
# The gate's local context: 100 frames after the stride of two, two seconds.
SEGMENT_FRAMES = 100
PUBLISHED_WIDTH = 32
PUBLISHED_EMBEDDING = 192
EPSILON = 1e-5


@keras.saving.register_keras_serializable("voicelatch")
class Statistics(layers.Layer):  # type: ignore[misc]
    """Mean and unbiased standard deviation over time: ``(batch, frames, channels)`` to ``(batch, 1, 2 * channels)``."""

    def call(self, x: Any) -> Any:
        frames = x.shape[1]
        mean = ops.mean(x, axis=1, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=1, keepdims=True)
        # The floor is for float32 alone: a channel that never moves has a variance of 0, whose root has no gradient.
        deviation = ops.sqrt(ops.maximum(variance * (frames / max(frames - 1, 1)), 1e-12))
        return ops.concatenate([mean, deviation], axis=-1)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The layers of one network: ``width`` channels in the FCM and as the growth of the dense blocks."""

    style: Style
    width: int

    def norm(self, x: Tensor, name: str, *, active: bool = True, scaled: bool = True) -> Tensor:
        norm = layers.BatchNormalization(momentum=0.95, epsilon=EPSILON, center=scaled, scale=scaled, name=name)
        return self.style.active(norm(x)) if active else norm(x)

    def conv_2d(self, x: Tensor, name: str, size: int, stride: int) -> Tensor:
        """Over frames and bands, with a stride in frequency; padded evenly, as PyTorch pads."""
        if size > 1:
            x = layers.ZeroPadding2D(size // 2, name=f"{name}_padding")(x)
        conv = layers.Conv2D(self.width, size, strides=(1, stride), use_bias=False, name=name,
                             kernel_initializer=self.style.initialisation)  # fmt: skip
        return conv(x)

    def conv_1d(self, name: str, channels: int, size: int = 1, **options: Any) -> Any:
        settings = {"use_bias": False, "kernel_initializer": self.style.initialisation, **options}
        return layers.Conv1D(channels, size, name=name, **settings)

    def residual(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = self.norm(self.conv_2d(x, f"{name}_conv1", 3, stride), f"{name}_norm1")
        y = self.norm(self.conv_2d(y, f"{name}_conv2", 3, 1), f"{name}_norm2", active=False)
        if stride > 1:
            x = self.conv_2d(x, f"{name}_shortcut", 1, stride)
            x = self.norm(x, f"{name}_shortcut_norm", active=False)
        return self.style.active(layers.Add(name=f"{name}_sum")([x, y]))

    def fcm(self, features: Tensor) -> Tensor:
        """``(batch, frames, bands)`` to ``(batch, frames, width * bands / 8)``."""
        x = layers.Reshape((*features.shape[1:], 1), name="picture")(features)
        x = self.norm(self.conv_2d(x, "head", 3, 1), "head_norm")
        for group in (1, 2):
            for index, stride in ((1, 2), (2, 1)):
                x = self.residual(x, f"fcm{group}_{index}", stride)
        x = self.norm(self.conv_2d(x, "fcm_end", 3, 2), "fcm_end_norm")
        frames, bands, channels = x.shape[1:]
        # Channels first, as the published weights count them.
        x = layers.Permute((1, 3, 2), name="channels_first")(x)
        return layers.Reshape((frames, channels * bands), name="bands_as_channels")(x)

    def dense_layer(self, x: Tensor, name: str, dilation: int) -> Tensor:
        """``x`` with ``width`` channels more."""
        y = self.conv_1d(f"{name}_squeeze", 4 * self.width)(self.norm(x, f"{name}_norm1"))
        y = self.norm(y, f"{name}_norm2")
        return layers.Concatenate(name=f"{name}_joined")([x, self.cam(y, f"{name}_cam", dilation)])

    def cam(self, y: Tensor, name: str, dilation: int) -> Tensor:
        """A local convolution times a gate, which the mean over the clip and over each segment open and close."""
        padded = layers.ZeroPadding1D(dilation, name=f"{name}_padding")(y)
        local = self.conv_1d(f"{name}_local", self.width, 3, dilation_rate=dilation)(padded)
        squeeze = self.conv_1d(f"{name}_context", 2 * self.width, use_bias=True)
        gate = self.conv_1d(f"{name}_gate", self.width, use_bias=True)
        clip_mean = layers.GlobalAveragePooling1D(keepdims=True, name=f"{name}_clip")(y)
        frames, gated = y.shape[1], []
        for number, start in enumerate(range(0, frames, SEGMENT_FRAMES), start=1):
            cut = layers.Cropping1D((start, max(0, frames - start - SEGMENT_FRAMES)), name=f"{name}_cut{number}")
            mean = layers.GlobalAveragePooling1D(keepdims=True, name=f"{name}_segment{number}")(cut(y))
            context = self.style.active(squeeze(layers.Add(name=f"{name}_mean{number}")([clip_mean, mean])))
            opened = layers.Activation("sigmoid", name=f"{name}_opened{number}")(gate(context))
            gated.append(layers.Multiply(name=f"{name}_gated{number}")([cut(local), opened]))
        return gated[0] if len(gated) == 1 else layers.Concatenate(axis=1, name=f"{name}_masked")(gated)

    def frames(self, features: Tensor) -> Tensor:
        """Everything before the pooling: ``(batch, frames / 2, 16 * width)``."""
        x = layers.ZeroPadding1D(2, name="tdnn_padding")(self.fcm(features))
        x = self.norm(self.conv_1d("tdnn", 4 * self.width, 5, strides=2)(x), "tdnn_norm")
        for block, (count, dilation) in enumerate(BLOCKS, start=1):
            for layer in range(1, count + 1):
                x = self.dense_layer(x, f"block{block}_layer{layer:02d}", dilation)
            channels = x.shape[-1] // 2
            x = self.conv_1d(f"transition{block}", channels)(self.norm(x, f"transition{block}_norm"))
        return self.norm(x, "frames_norm")


def campplus(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """The network for features of ``shape`` ``(frames, bands)``; the published one has a ``width`` of 32, 80 bands and
    192 numbers. Its last norm has no ReLU after it, and no scale or offset."""
    entry = keras.Input(shape, name="log_mel")
    parts = _Parts(style, width)
    x = Statistics(name="statistics")(parts.frames(entry))
    if style.dropout:
        x = layers.Dropout(style.dropout, name="dropout")(x)
    x = parts.norm(parts.conv_1d("embedding", embedding_size)(x), "embedding_norm", active=False, scaled=False)
    return keras.Model(entry, layers.Reshape((embedding_size,), name="embedding_out")(x), name="campplus")
