"""LIME (Ribeiro et al., KDD 2016): a linear model of the score near this clip, learnt from clips with parts missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import Features
from training.corpus.index import Progress, silent
from training.explain.grid import Grid, Judge, Map

KERNEL_WIDTH = 0.25
# Against the weights' sum, which is scaled to the number of masks.
RIDGE = 1.0
# Of the masks, so many are not learnt from: they say how well the linear model foretells the score.
HELD_OUT_SHARE = 0.2
_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Lime:
    """``patches`` ``grid.shape``: what each patch adds to the score; ``explained`` is the weighted share of variance
    that the linear model foretells on masks it has not learnt from: 1 all of it, 0 or less nothing of use, None where
    the score never varied."""

    patches: Map
    explained: float | None


def fit_lime(
    judge: Judge,
    features: Features,
    grid: Grid,
    *,
    masks: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Lime:
    """Take a random share of all patches away, ``masks`` times (at least 10); explain the scores by what was kept."""
    kept = draw_masks(masks, grid.size, rng)
    scores = np.zeros(masks)
    for row in range(masks):
        scores[row] = judge(grid.masked(features, kept[row].reshape(grid.shape)))
        progress("LIME", row + 1, masks)
    weights = nearness(kept)
    learnt = slice(round(masks * HELD_OUT_SHARE), None)
    judged = slice(None, learnt.start)
    solution, intercept = weighted_ridge(kept[learnt], scores[learnt], weights[learnt])
    foretold = kept[judged] @ solution + intercept
    return Lime(solution.reshape(grid.shape), _explained(scores[judged], foretold, weights[judged]))


def draw_masks(count: int, size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is kept, bool ``(count, size)``: of each mask a share drawn evenly from none to all is taken away."""
    return rng.random((count, size)) >= rng.random((count, 1))


def nearness(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much each mask counts, ``(count,)``, 0..1: by its cosine to the whole clip, as the authors do for words."""
    cosine = np.sqrt(kept.mean(axis=1))
    near: NDArray[np.float64] = np.exp(-np.square(1.0 - cosine) / KERNEL_WIDTH**2)
    return near


def weighted_ridge(
    kept: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Coefficients ``(size,)`` and the intercept, which is not drawn towards 0."""
    share = weights / weights.sum()
    design = kept.astype(np.float64)
    centre, mean = share @ design, float(share @ scores)
    centred = design - centre
    count = len(kept)
    gram = count * (centred * share[:, None]).T @ centred + RIDGE * np.eye(design.shape[1])
    solution: NDArray[np.float64] = np.linalg.solve(gram, count * centred.T @ (share * (scores - mean)))
    return solution, mean - float(centre @ solution)


def _explained(
    scores: NDArray[np.float64], foretold: NDArray[np.float64], weights: NDArray[np.float64]
) -> float | None:
    spread = float(np.average(np.square(scores - np.average(scores, weights=weights)), weights=weights))
    if spread <= 1e-12:
        return None
    return 1.0 - float(np.average(np.square(scores - foretold), weights=weights)) / spread
