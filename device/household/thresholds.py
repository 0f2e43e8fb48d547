"""The threshold that holds at the household's own door, from strangers who never stood there.

All shipped strangers, in all conditions, visit this household: a visit is a person's clips in a row, and what counts is
the highest sum of evidence that any resident reaches on the way, as in :mod:`device.verdict.policy`. The threshold for
a share that few of them reach is not read off the highest visits alone. Their excesses over a high level are taken as
exponential (the peaks-over-threshold method with shape 0: Pickands, 1975; Davison and Smith, 1990), and the stricter of
that and of the plain quantile counts. Then come three additions, all only upwards:

* a margin for doors that no shipped condition resembles;
* what the residents' scores against each other show of this door;
* half of the way to what the residents' own clips reach, each against the others of its speaker. Where residents stand
  far above what strangers ask for, the door is stricter than it must be, which costs nobody an opening.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.household.door_scores import DoorScorer
from device.verdict.interpreter import Embedding

_Float = NDArray[np.float64]
TAIL_SHARE, FEWEST_IN_TAIL = 0.05, 10
FEWEST_VISITS = 50
# Chosen on doors and people that judge nothing (training/study/one_door.md). In units of the score, a cosine.
# One who lives alone shows nothing of how alike two people sound at this door: a greater margin stands in for it.
MARGIN, MARGIN_OF_ONE = 0.014, 0.041
CROSS_SHARE = 0.5
OWN_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorThreshold:
    """``evidence`` of a clip is its score less ``midpoint``; the door opens when a resident's sum reaches ``open``.
    ``of_strangers``: the part of ``open`` that the shipped strangers ask for, the rest is what the residents' own clips
    allow; ``offset``: what is taken from every clip's score because residents resemble each other here more than
    strangers do; ``visits``: how many chose."""

    midpoint: float
    offset: float
    open: float
    of_strangers: float
    visits: int

    def evidence(self, scores: _Float) -> _Float:
        """Scores ``(n, r)`` to evidence of the same shape."""
        return scores - (self.midpoint + self.offset)

    def opens(self, scores: _Float) -> bool:
        """Whether a visit with these clips' ``scores`` ``(n, r)`` opens."""
        return highest_sum(self.evidence(scores)) >= self.open


def door_threshold(
    scorer: DoorScorer,
    enrolled: list[Embedding],
    *,
    target_far: float,
    margin: float | None = None,
    cross_share: float = CROSS_SHARE,
    own_share: float = OWN_SHARE,
) -> DoorThreshold:
    """The threshold at which at most ``target_far`` of strangers' visits open, at any door like the shipped ones.

    ``enrolled``: the residents' clips, float32 ``(n, d)`` each, in the scorer's order. ``margin`` (a score) is asked of
    every clip beyond that; by default :data:`MARGIN`, of one resident :data:`MARGIN_OF_ONE`. Raises :class:`DataError`
    for a target that is no small share or too few strangers.
    """
    conditions = range(len(scorer.strangers.conditions))
    of_strangers = [scorer.of_strangers(condition) for condition in conditions]
    midpoint = _midpoint(scorer)
    owners = scorer.strangers.owners
    visits = [np.flatnonzero(owners == person) for person in range(scorer.strangers.people)]
    peaks = np.array([highest_sum(scores[rows] - midpoint) for scores in of_strangers for rows in visits])
    reached = tail_threshold(peaks, target_far)
    usual = float(np.mean(np.concatenate(of_strangers)))
    if margin is None:
        margin = MARGIN if len(enrolled) > 1 else MARGIN_OF_ONE
    offset = margin + cross_share * max(0.0, _cross_mean(scorer, enrolled, usual) - usual)
    own = _own_level(scorer, enrolled) - midpoint - offset
    opens = reached + own_share * max(0.0, own - reached)
    return DoorThreshold(midpoint=midpoint, offset=offset, open=opens, of_strangers=reached, visits=len(peaks))


def tail_threshold(peaks: _Float, target_far: float) -> float:
    """The value that a share of ``target_far`` of such ``peaks`` ``(n,)`` reaches: the stricter of the exponential tail
    ``u + b * ln(share above u / target)`` and the plain quantile.

    Raises :class:`DataError` for fewer than :data:`FEWEST_VISITS` or for a target outside 0 to :data:`TAIL_SHARE`.
    """
    if not 0.0 < target_far <= TAIL_SHARE:
        raise DataError(
            "no such target",
            where="target_far",
            received=target_far,
            allowed=f"above 0, at most {TAIL_SHARE}",
            next_step="aim at 0.001, one stranger's visit in a thousand",
        )
    if len(peaks) < FEWEST_VISITS or not np.isfinite(peaks).all():
        raise DataError(
            "too few strangers for a threshold",
            where="strangers.npz",
            received=f"{len(peaks)} visits",
            allowed=f"{FEWEST_VISITS} with finite scores",
            next_step="use the shipped strangers",
        )
    ranked = np.sort(peaks)[::-1]
    beyond = max(FEWEST_IN_TAIL, int(len(ranked) * TAIL_SHARE))
    level = float(ranked[beyond])
    excess = float(np.mean(ranked[:beyond] - level))
    tail = level + excess * float(np.log(beyond / len(ranked) / target_far))
    quantile = float(np.nextafter(ranked[int(np.floor(target_far * len(ranked) + 1e-9))], np.inf))
    return max(tail, quantile)


def highest_sum(evidence: _Float) -> float:
    """The highest running sum that any resident reaches in one visit, ``evidence`` ``(clips, residents)``."""
    return float(np.cumsum(evidence, axis=0).max())


def _midpoint(scorer: DoorScorer) -> float:
    """The score in the middle between one person and two, each side by its own deviation (equal priors), of the
    condition where it is highest: a lower one would let a stranger's clips add up."""
    middles = []
    for condition in range(len(scorer.strangers.conditions)):
        same, different = scorer.same_and_different(condition)
        if not len(same):
            raise DataError(
                "strangers with one clip each",
                where="strangers.npz",
                received="no two clips of one person",
                allowed="two or more of most",
                next_step="make the file again",
            )
        narrow, wide = max(float(different.std()), 1e-6), max(float(same.std()), 1e-6)
        middles.append((float(same.mean()) * narrow + float(different.mean()) * wide) / (narrow + wide))
    return max(middles)


def _cross_mean(scorer: DoorScorer, enrolled: list[Embedding], usual: float) -> float:
    """The mean of the residents' scores against each other; ``usual`` where one lives alone."""
    if len(enrolled) < 2:
        return usual
    scores = [np.delete(scorer.scores(clips), owner, axis=1) for owner, clips in enumerate(enrolled)]
    # Every resident counts alike, however much was recorded.
    return float(np.mean([part.mean() for part in scores]))


def _own_level(scorer: DoorScorer, enrolled: list[Embedding]) -> float:
    """What the clips of the resident who stands out least reach in the mean; minus infinity where one has one clip."""
    own = [scorer.of_own(clips) for clips in enrolled]
    return min((float(scores.mean()) if len(scores) else -np.inf) for scores in own)
