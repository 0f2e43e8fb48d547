"""Occlusion (Zeiler and Fergus, ECCV 2014): how far the score falls when one part of the clip is taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.sound.logmel import Features
from training.corpus.index import Progress, silent
from training.explain.grid import Grid, Judge, Map, cut_evenly

MARGINAL_TIMES = 30
MARGINAL_BANDS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """Falls of the score (positive: the part spoke for the resident): ``patches`` ``grid.shape``; ``times`` ``(t,)``,
    all bands at one time taken away; ``bands`` ``(b,)``, some bands taken away throughout; with their own grids."""

    patches: Map
    times: Map
    times_grid: Grid
    bands: Map
    bands_grid: Grid


def falls(
    judge: Judge, features: Features, grid: Grid, *, progress: Progress = silent, label: str = "occlusion"
) -> Map:
    """``score(whole) - score(without this patch)`` for every patch, float64 ``grid.shape``."""
    whole = judge(features)
    found = np.zeros(grid.shape)
    kept = np.ones(grid.shape, dtype=bool)
    for number, place in enumerate(np.ndindex(grid.shape), start=1):
        kept[place] = False
        found[place] = whole - judge(grid.masked(features, kept))
        kept[place] = True
        progress(label, number, grid.size)
    return found


def occlude(judge: Judge, features: Features, grid: Grid, *, progress: Progress = silent) -> Occlusion:
    """The falls by patch, and the two marginals, which are measured and not summed: parts speak together."""
    frames, bands = features.shape
    times_grid = cut_evenly((frames, bands), time_patches=min(MARGINAL_TIMES, frames), band_patches=1)
    bands_grid = cut_evenly((frames, bands), time_patches=1, band_patches=min(MARGINAL_BANDS, bands))
    return Occlusion(
        falls(judge, features, grid, progress=progress),
        falls(judge, features, times_grid, progress=progress, label="occlusion in time")[:, 0],
        times_grid,
        falls(judge, features, bands_grid, progress=progress, label="occlusion in bands")[0],
        bands_grid,
    )
