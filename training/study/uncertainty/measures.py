"""What several answers to the same clip say together, and how far they disagree.

Entropies are in bits, of the two answers *allowed* and *not*. The entropy of the mean answer (predictive) is the mean
entropy of the answers (expected: the clip itself is unclear) and their mutual information (the networks disagree).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """All float64 ``(n,)``. ``score``: the logit of the mean probability of *allowed*; ``entropy``, ``expected`` and
    ``mutual`` in bits, 0..1; ``variance`` of the probabilities, 0..0.25; ``spread``: standard deviation of logits."""

    score: Scores
    entropy: Scores
    expected: Scores
    mutual: Scores
    variance: Scores
    spread: Scores


MEASURES = ("entropy", "expected", "mutual", "variance", "spread")


def together(logits: Scores) -> Answers:
    """The answers of float64 ``(answers, n)`` logits of *allowed*."""
    # In logarithms: a probability that rounds to 1 would lose what tells two certain answers apart.
    yes, no = -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)
    mean_yes, mean_no = (np.logaddexp.reduce(each, axis=0) - np.log(len(logits)) for each in (yes, no))
    entropy, expected = _entropy(mean_yes, mean_no), _entropy(yes, no).mean(axis=0)
    return Answers(
        score=mean_yes - mean_no,
        entropy=entropy,
        expected=expected,
        mutual=np.maximum(entropy - expected, 0.0),
        variance=np.exp(yes).var(axis=0),
        spread=logits.std(axis=0),
    )


def more_uncertain(of: Scores, than: Scores) -> float:
    """The share of pairs in which the one of ``of`` is the more uncertain; equal ones count half. 0.5 tells nothing,
    and NaN is given where one side is empty."""
    if not len(of) or not len(than):
        return float("nan")
    ranked = np.sort(than)
    below, not_above = (np.searchsorted(ranked, of, side=side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(than)))


def _entropy(log_yes: Scores, log_no: Scores) -> Scores:
    bits: Scores = -(np.exp(log_yes) * log_yes + np.exp(log_no) * log_no) / np.log(2.0)
    return bits
