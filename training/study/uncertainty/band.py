"""Refusing what is uncertain: two ways, each with one number, chosen by people who do not judge.

- a **limit**: a clip whose answers disagree more than the limit is refused, whatever its score;
- a **deduction**: the score less so many times the disagreement, a lower confidence bound.

The number is the one with which the choosing strangers and the residents' held-back clips trade best: the least FRR at
the FAR aimed at. Where no number is better than none, there is no band.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import frr_at, threshold_at_far

Scores = NDArray[np.float64]
# Refused clips stay behind all others, in order: at an FRR that a band alone exceeds, it admits those first.
BEHIND = 1e6
REFUSED_SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
DEDUCTIONS = (0.25, 0.5, 1.0, 2.0, 4.0)
NO_BAND = float("nan")


def with_limit(scores: Scores, uncertainty: Scores, limit: float) -> Scores:
    """Clips more uncertain than ``limit`` put behind all others."""
    return np.where(uncertainty <= limit, scores, scores - BEHIND)


def with_deduction(scores: Scores, uncertainty: Scores, times: float) -> Scores:
    """``times`` the uncertainty taken off."""
    return scores - times * uncertainty


@dataclass(frozen=True, slots=True)
class Band:
    """One way to refuse: ``apply`` scores, uncertainty and a number; ``numbers`` to try, from the residents' own."""

    name: str
    apply: Callable[[Scores, Scores, float], Scores]
    numbers: Callable[[Scores], Sequence[float]]


def _limits(residents: Scores) -> Sequence[float]:
    """Limits that refuse some of the residents' clips, the mildest first."""
    limits: list[float] = np.quantile(residents, [1.0 - share for share in REFUSED_SHARES]).tolist()
    return limits


LIMIT = Band("limit", with_limit, _limits)
DEDUCTION = Band("deduction", with_deduction, lambda _: DEDUCTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Scores and uncertainty of the same clips, float64 ``(n,)`` each."""

    scores: Scores
    uncertainty: Scores


def choose(band: Band, residents: Heard, strangers: Heard, *, target_far: float) -> float:
    """The number for ``band``, or ``NO_BAND`` where none has a lower FRR than no band at all."""
    best = NO_BAND
    least = frr_at(residents.scores, threshold(strangers.scores, target_far))
    for number in band.numbers(residents.uncertainty):
        inside, outside = (band.apply(each.scores, each.uncertainty, number) for each in (residents, strangers))
        found = frr_at(inside, threshold(outside, target_far))
        if found < least:
            best, least = number, found
    return best


def applied(band: Band, heard: Heard, number: float) -> Scores:
    """The scores with ``band``; as they are for ``NO_BAND``."""
    return heard.scores if np.isnan(number) else band.apply(heard.scores, heard.uncertainty, number)


def threshold(strangers: Scores, target_far: float) -> float:
    """The threshold that lets ``target_far`` of ``strangers`` in; it never admits what a limit refused."""
    return max(threshold_at_far(strangers, target_far), -BEHIND / 2)
