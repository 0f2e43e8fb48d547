"""What a network costs: multiply-adds of one pass, counted from its layers."""

from __future__ import annotations

import math
from typing import Any

from keras import layers


def multiply_adds(network: Any) -> int:
    """Multiply-adds of the convolutions and dense layers for one clip; additions, norms and pooling are not counted."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
            frames, bands = layer.output.shape[1:3]
            total += frames * bands * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Dense):
            total += math.prod(layer.kernel.shape)
    return total
