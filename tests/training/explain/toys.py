"""Scores whose truth is known: one patch alone counts, or nothing does."""

import numpy as np

from device.sound.logmel import Features
from training.explain.grid import Grid, cut_evenly

FRAMES, BANDS = 60, 32
GRID: Grid = cut_evenly((FRAMES, BANDS), time_patches=15, band_patches=8)
# The patch that counts: frames 24 to 27, bands 20 to 23.
PATCH = (6, 5)
CELLS = (slice(24, 28), slice(20, 24))


def features(seed: int = 3) -> Features:
    """Loud everywhere, louder in the patch, band means taken away."""
    found = np.random.default_rng(seed).normal(0.0, 3.0, (FRAMES, BANDS))
    found[CELLS] = 12.0 + np.abs(found[CELLS])
    return (found - found.mean(axis=0)).astype(np.float32)


def hears_one_patch(heard: Features) -> float:
    return float(heard[CELLS].mean())


def hears_nothing(_heard: Features) -> float:
    return -1.5
