"""A network's layers as figures: shape, parameters, work, filters; whatever form the network comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
# A filter this small beside the median of its layer hands on next to nothing.
DEAD_SHARE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """``shape``: of its output, without the batch; ``kernel`` float32 ``(height, width, inputs, filters)``, a dense
    layer's ``(1, 1, inputs, filters)``, a depthwise one's ``(height, width, 1, filters)``, the norm after it folded in
    where ``folded``; None for a layer without one. ``maps``: its output for one clip, float32 ``shape``, or None."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    kernel: Weights | None = None
    folded: bool = False
    maps: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """All layers, in the order in which a clip passes them; ``source``: what they were read from, in words."""

    source: str
    form: Literal["float", "int8"]
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        return sum(each.parameters for each in self.layers)

    @property
    def multiply_adds(self) -> int:
        return sum(each.multiply_adds for each in self.layers)


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """``norms`` ``(filters,)``: the Euclidean length of each; ``dead`` ``(filters,)``: below :data:`DEAD_SHARE` of the
    median; ``silent``: how many channels are 0 throughout the clip, None without one, or where they are
    not behind a ReLU."""

    norms: NDArray[np.float64]
    dead: NDArray[np.bool_]
    silent: int | None


def filters_of(layer: Layer) -> Filters | None:
    """A layer's filters in figures; None for one without."""
    if layer.kernel is None:
        return None
    norms = np.sqrt(np.square(layer.kernel.astype(np.float64)).sum(axis=(0, 1, 2)))
    silent = None
    # Only behind a ReLU is 0 a silence, and not a value among others.
    if layer.maps is not None and layer.maps.min() >= 0.0:
        flat = layer.maps.reshape(-1, layer.maps.shape[-1])
        silent = int(np.sum(np.abs(flat).max(axis=0) == 0.0))
    return Filters(norms, norms < DEAD_SHARE * np.median(norms), silent)


def pictures_of(kernel: Weights) -> NDArray[np.float32]:
    """Each filter as a picture ``(filters, time, bands)``. Over time alone (width 1) the inputs are the bands; else the
    inputs are averaged."""
    height, width, inputs, filters = kernel.shape
    if width == 1 and inputs > 1:
        return kernel.reshape(height, inputs, filters).transpose(2, 0, 1)
    averaged: Weights = kernel.mean(axis=2).transpose(2, 0, 1)
    return averaged
