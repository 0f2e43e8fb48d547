"""What a network costs: multiply-adds of one pass, counted from its layers."""

from __future__ import annotations

import math
from typing import Any

from keras import layers


def multiply_adds(network: Any) -> int:
    """Multiply-adds of the convolutions and dense layers for one clip; additions, norms and pooling are not counted."""
    return sum(work_of(layer) for layer in network.layers)


def work_of(layer: Any) -> int:
    """The same of one layer: each weight once at every place of the output; a dense layer has one place."""
    if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
        frames, bands = layer.output.shape[1:3]
        return int(frames * bands * math.prod(layer.kernel.shape))
    return math.prod(layer.kernel.shape) if isinstance(layer, layers.Dense) else 0
