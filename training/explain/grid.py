"""A clip's features cut into patches of time and bands: the pieces that explanations take away and point at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import ConfigError
from device.sound.logmel import Features

# What is explained: features of one clip, float32 (frames, bands), to a score.
Judge = Callable[[Features], float]
Map = NDArray[np.float64]
Kept = NDArray[np.bool_]

# Below so much a map holds nothing: far below one step of int8 in any score.
FLAT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """``time_edges`` ``(t + 1,)`` in frames and ``band_edges`` ``(b + 1,)`` in bands bound ``t * b`` patches."""

    time_edges: NDArray[np.int64]
    band_edges: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """(patches in time, patches in bands)."""
        return len(self.time_edges) - 1, len(self.band_edges) - 1

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def spread(self, patches: NDArray[np.generic]) -> NDArray[np.generic]:
        """One value a patch, ``shape``, to one value a cell of the features, ``(frames, bands)``."""
        in_time = np.repeat(patches, np.diff(self.time_edges), axis=0)
        return np.repeat(in_time, np.diff(self.band_edges), axis=1)

    def gathered(self, cells: NDArray[np.floating]) -> Map:
        """The mean over each patch of values ``(frames, bands)``, float64 ``shape``."""
        sums = np.add.reduceat(np.asarray(cells, dtype=np.float64), self.time_edges[:-1], axis=0)
        sums = np.add.reduceat(sums, self.band_edges[:-1], axis=1)
        sizes = np.diff(self.time_edges)[:, None] * np.diff(self.band_edges)[None, :]
        means: Map = sums / sizes
        return means

    def masked(self, features: Features, kept: Kept) -> Features:
        """``features`` ``(frames, bands)`` with every patch that is not ``kept`` (bool ``shape``) replaced by its
        bands' means over the clip: 0 where the front-end takes the mean away."""
        filler = features.mean(axis=0, keepdims=True)
        replaced: Features = np.where(self.spread(kept), features, filler).astype(np.float32)
        return replaced


def cut_evenly(shape: tuple[int, int], *, time_patches: int, band_patches: int) -> Grid:
    """Patches as equal as whole frames and bands allow, over features of ``shape`` ``(frames, bands)``.

    Raises :class:`ConfigError` where there are more patches than frames or bands, or none.
    """
    frames, bands = shape
    if not (1 <= time_patches <= frames and 1 <= band_patches <= bands):
        raise ConfigError(
            "the features cannot be cut into so many patches",
            where="grid",
            received=f"{time_patches} in time, {band_patches} in bands",
            allowed=f"1 to {frames} in time, 1 to {bands} in bands",
        )
    edges = [
        np.rint(np.linspace(0, length, count + 1)).astype(np.int64)
        for length, count in ((frames, time_patches), (bands, band_patches))
    ]
    return Grid(edges[0], edges[1])


def is_flat(importance: Map) -> bool:
    """Whether a map points nowhere: every patch counts the same."""
    return bool(np.ptp(importance) <= FLAT)
