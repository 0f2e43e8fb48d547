"""What is done to a kernel: pruned by magnitude, or held in a few bits. Pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.errors import ConfigError

Values = NDArray[np.float32]

FEWEST_BITS, MOST_BITS = 2, 8
# Where a channel's largest weights are cut off, as shares of its largest: with few bits less range serves more weights.
CLIPS = np.linspace(0.3, 1.0, 15)


def pruned(kernel: Values, share: float) -> Values:
    """``kernel`` with that ``share`` of its weights, 0..1, set to zero: those of the smallest magnitude."""
    if not 0.0 <= share <= 1.0:
        raise ConfigError("no such share of a kernel", received=share, allowed="0 to 1")
    count = round(share * kernel.size)
    made = kernel.copy()
    made.ravel()[np.argsort(np.abs(kernel), axis=None, kind="stable")[:count]] = 0.0
    return made


def quantised(kernel: Values, bits: int, *, channel_axis: int) -> Values:
    """``kernel`` on a grid of ``2 ** bits - 1`` steps about zero, each output channel with a scale of its own.

    The scale is that of :data:`CLIPS` with the least squared error: with 2 bits (minus one, nothing, one) a scale by
    the largest weight would leave most weights at nothing. Raises :class:`ConfigError` for other than 2 to 8 bits.
    """
    if not FEWEST_BITS <= bits <= MOST_BITS:
        raise ConfigError(
            "a kernel is not held in so many bits", received=bits, allowed=f"{FEWEST_BITS} to {MOST_BITS}"
        )
    steps = 2 ** (bits - 1) - 1
    channels = np.moveaxis(kernel, channel_axis, 0).reshape(kernel.shape[channel_axis], -1).astype(np.float64)
    largest = np.maximum(np.abs(channels).max(axis=1, keepdims=True), 1e-12)
    best, least = channels, np.full(len(channels), np.inf)
    for clip in CLIPS[::-1]:
        scale = clip * largest / steps
        tried = np.clip(np.rint(channels / scale), -steps, steps) * scale
        error = ((tried - channels) ** 2).sum(axis=1)
        best = np.where((error < least)[:, None], tried, best)
        least = np.minimum(error, least)
    moved = (kernel.shape[channel_axis], *(size for axis, size in enumerate(kernel.shape) if axis != channel_axis))
    return np.ascontiguousarray(np.moveaxis(best.reshape(moved), 0, channel_axis), dtype=np.float32)


def packed_bytes(weights: int, *, bits: int = MOST_BITS, share: float = 0.0) -> float:
    """What a kernel of so many weights takes when it is packed: the weights that are left in ``bits`` each, and, where
    some are zero, one bit for each weight that says which."""
    marks = weights / 8.0 if share > 0 else 0.0
    return weights * (1.0 - share) * bits / 8.0 + marks
