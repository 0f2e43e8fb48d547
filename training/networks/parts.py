"""What of a network is learnt, by name: kernels (what a layer multiplies by), and the scales of its norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers
from numpy.typing import NDArray

from device.errors import DataError

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """One kernel. ``name`` tells its place, kind and size, and is the same in every network of one architecture and
    width, whatever its number of frames; ``channel_axis``: the axis of ``variable`` along which its outputs lie."""

    name: str
    layer: Any
    variable: Any
    channel_axis: int

    def values(self) -> Values:
        """A copy of its weights, float32, in the layer's own shape."""
        return np.array(self.variable, dtype=np.float32)

    def drawn_anew(self, seed: int) -> Values:
        """What the layer's own initialiser draws for ``seed``. Raises :class:`DataError` for a layer without one."""
        names = (f"{self.variable.name}_initializer", "depthwise_initializer")
        known = [getattr(self.layer, name) for name in names if hasattr(self.layer, name)]
        if not known:
            raise DataError(
                "this layer does not say how it is drawn", where=self.name, received=type(self.layer).__name__
            )
        again = type(known[0]).from_config({**known[0].get_config(), "seed": seed})
        return np.array(again(self.variable.shape), dtype=np.float32)


def kernels_of(network: Any) -> list[Kernel]:
    """All kernels, from the input to the output: every learnt weight with two axes or more."""
    found: list[Kernel] = []
    for layer in network.layers:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        for variable in layer.trainable_variables:
            shape = tuple(variable.shape)
            if len(shape) >= 2:
                name = f"{len(found) + 1:02d} {_described(shape, depthwise=depthwise)}"
                found.append(Kernel(name, layer, variable, len(shape) - (2 if depthwise else 1)))
    return found


def norms_of(network: Any) -> list[Any]:
    """The batch norms, from the input to the output: Keras layers with ``moving_mean`` and ``moving_variance``."""
    return [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]


def kernel_values(network: Any) -> dict[str, Values]:
    """A copy of every kernel, by its name."""
    return {each.name: each.values() for each in kernels_of(network)}


def norm_values(network: Any) -> dict[str, Values]:
    """The learnt scale and offset of each batch norm, one after the other, float32 ``(2 * channels,)``, by its name."""
    found = {}
    for place, layer in enumerate(norms_of(network), start=1):
        learnt = np.concatenate([np.array(each, dtype=np.float32) for each in layer.trainable_variables])
        found[f"{place:02d} norm, {layer.moving_mean.shape[0]}"] = learnt
    return found


def _described(shape: tuple[int, ...], *, depthwise: bool) -> str:
    if len(shape) == 2:
        return f"dense, {shape[0]} to {shape[1]}"
    size = "x".join(map(str, shape[:-2]))
    return f"depthwise {size}, {shape[-2]}" if depthwise else f"conv {size}, {shape[-2]} to {shape[-1]}"
