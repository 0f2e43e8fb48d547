"""Is a map true? Take away what it calls important first: the score must fall faster than in random order.

The area under the score as patches go (Petsiuk et al., BMVC 2018) is one number for each map; random orders of the same
patches show what no knowledge gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import Features
from training.corpus.index import Progress, silent
from training.explain.grid import Grid, Judge, Map, is_flat

STEPS = 24
RANDOM_ORDERS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``scores`` ``(n,)`` after the shares ``removed`` ``(n,)``, 0..1, of all patches are gone; ``area`` is their mean
    over the share, in units of the score: lower means that what went first mattered more."""

    removed: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def area(self) -> float:
        return float(np.sum(np.diff(self.removed) * (self.scores[1:] + self.scores[:-1]) / 2.0))


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """Random orders: the mean ``curve``, the band ``low``..``high`` that 90 % of them lie in at each point, and their
    ``areas``."""

    curve: Curve
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    areas: NDArray[np.float64]

    @property
    def area(self) -> float:
        return float(self.areas.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What deletion says of a map. ``flat``: it points nowhere, so there is nothing to try. ``beaten`` is the share of
    random orders whose area is higher, 0..1."""

    curve: Curve
    flat: bool
    beaten: float

    @property
    def faithful(self) -> bool:
        """It points somewhere, and does better than 19 of 20 random orders."""
        return not self.flat and self.beaten >= 0.95


def order_of(importance: Map, rng: np.random.Generator) -> NDArray[np.int64]:
    """Flat patch numbers, the most important first; equal ones in random order."""
    flat = importance.ravel()
    return np.lexsort((rng.random(len(flat)), -flat))


def delete(judge: Judge, features: Features, grid: Grid, order: NDArray[np.int64]) -> Curve:
    """The score as patches go in ``order``, at no more than :data:`STEPS` + 1 points from none to all."""
    counts = np.unique(np.rint(np.linspace(0, grid.size, min(STEPS, grid.size) + 1)).astype(np.int64))
    kept = np.ones(grid.size, dtype=bool)
    scores = np.zeros(len(counts))
    for point, count in enumerate(counts):
        kept[order[:count]] = False
        scores[point] = judge(grid.masked(features, kept.reshape(grid.shape)))
    return Curve(counts / grid.size, scores)


def delete_at_random(
    judge: Judge, features: Features, grid: Grid, rng: np.random.Generator, *, progress: Progress = silent
) -> Chance:
    """:data:`RANDOM_ORDERS` random orders."""
    curves = []
    for number in range(RANDOM_ORDERS):
        curves.append(delete(judge, features, grid, rng.permutation(grid.size)))
        progress("random orders", number + 1, RANDOM_ORDERS)
    scores = np.stack([each.scores for each in curves])
    low, high = np.quantile(scores, (0.05, 0.95), axis=0)
    mean = Curve(curves[0].removed, scores.mean(axis=0))
    return Chance(mean, low, high, np.array([each.area for each in curves]))


def judge_map(
    judge: Judge, features: Features, grid: Grid, importance: Map, chance: Chance, rng: np.random.Generator
) -> Verdict:
    """Try a map, ``grid.shape``, against ``chance``."""
    curve = delete(judge, features, grid, order_of(importance, rng))
    return Verdict(curve, is_flat(importance), float(np.mean(chance.areas > curve.area)))
