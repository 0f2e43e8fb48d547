"""The networks by name: log-mel ``(frames, bands)`` to an embedding, before the norm.

All are made only of operations that survive full int8 and run on the oldest supported runtime. The project's own:
``lean``, a thin residual 2-D network (He et al., CVPR 2016) that keeps frequency as an axis; ``resnet``, the same with
more blocks and a broader end, for three times the work; ``lean_se``, ``resnet_se`` and ``resnet_cbam``, those with
attention; and ``tdnn``, a residual 1-D network over time (x-vectors: Snyder et al., ICASSP 2018). Pooling over time is
the mean beside the mean of what rises above the mean, a stand-in for the deviation that needs no square root. Beside
them stand those of :mod:`training.networks.classic`, and ``campplus``, for which there are published weights; that one
wants its weights alone in int8 (:mod:`training.quantize`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
from keras import layers

from device.errors import ConfigError
from training.networks.bricks import Style, Tensor, attend, pool_time
from training.networks.campplus import campplus
from training.networks.classic import depthwise, simple, tutorial, vggish

PLAIN = Style()


def _residual(x: Tensor, filters: int, stride: int, *, attention: str, style: Style) -> Tensor:
    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = style.conv_norm(x, filters, 1, stride, active=False)
    y = style.conv_norm(x, filters, 3, stride)
    y = style.conv_norm(y, filters, 3, active=False)
    return style.active(layers.Add()([attend(y, attention), shortcut]))


def _residual_network(
    shape: tuple[int, int],
    embedding_size: int,
    width: int,
    style: Style,
    *,
    name: str,
    blocks: tuple[int, ...],
    end_channels: int,
    attention: str = "",
) -> keras.Model:
    """Four stages of residual blocks, ``width`` to ``8 * width`` channels."""
    entry = keras.Input(shape, name="log_mel")
    x = layers.Reshape((*shape, 1))(entry)
    x = style.conv_norm(x, width, 5, 2)
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _residual(x, width * 2**stage, stride, attention=attention, style=style)
    frames, bands, channels = x.shape[1:]
    x = layers.Reshape((frames, 1, bands * channels))(x)
    x = style.conv_norm(x, end_channels, 1)
    return keras.Model(entry, style.end(pool_time(x), embedding_size), name=name)


def resnet(
    shape: tuple[int, int], embedding_size: int, width: int, style: Style, *, attention: str = ""
) -> keras.Model:
    """Nine residual blocks."""
    blocks, end_channels = (2, 2, 3, 2), 4 * embedding_size
    return _residual_network(shape, embedding_size, width, style, name="resnet", blocks=blocks,
                             end_channels=end_channels, attention=attention)  # fmt: skip


def lean(shape: tuple[int, int], embedding_size: int, width: int, style: Style, *, attention: str = "") -> keras.Model:
    """Five residual blocks."""
    blocks, end_channels = (1, 1, 2, 1), 2 * embedding_size
    return _residual_network(shape, embedding_size, width, style, name="lean", blocks=blocks,
                             end_channels=end_channels, attention=attention)  # fmt: skip


def tdnn(shape: tuple[int, int], embedding_size: int, width: int, style: Style) -> keras.Model:
    """Residual depthwise-separable convolutions over time, ``8 * width`` channels."""
    entry = keras.Input(shape, name="log_mel")
    frames, bands = shape
    channels = 8 * width
    x = layers.Reshape((frames, 1, bands))(entry)
    x = style.conv_norm(x, channels, (5, 1), (2, 1))
    for stride in (2, 1, 1, 1, 1, 1):
        y = style.depthwise_norm(x, (7, 1), (stride, stride), active=False)
        y = style.conv_norm(y, channels, 1)
        y = style.conv_norm(y, channels, 1, active=False)
        x = style.active(layers.Add()([x, y])) if stride == 1 else style.active(y)
    x = style.conv_norm(x, 4 * embedding_size, 1)
    return keras.Model(entry, style.end(pool_time(x), embedding_size), name="tdnn")


NETWORKS: dict[str, Callable[[tuple[int, int], int, int, Style], keras.Model]] = {
    "lean": lean,
    "lean_se": partial(lean, attention="se"),
    "resnet": resnet,
    "resnet_se": partial(resnet, attention="se"),
    "resnet_cbam": partial(resnet, attention="cbam"),
    "tdnn": tdnn,
    "campplus": campplus,
    "simple": simple,
    "tutorial": tutorial,
    "vggish": vggish,
    "depthwise": depthwise,
}


def build(name: str, shape: tuple[int, int], *, embedding_size: int, width: int, style: Style = PLAIN) -> keras.Model:
    """The network ``name`` for features of ``shape``. Raises :class:`ConfigError` for an unknown name."""
    if name not in NETWORKS:
        raise ConfigError(
            "no such network", where="backbone.network", received=name, allowed=", ".join(sorted(NETWORKS))
        )
    return NETWORKS[name](shape, embedding_size, width, style)
