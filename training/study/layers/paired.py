"""Is a change in the error rates more than chance? The same people are drawn anew for both networks, and compared.

What makes one draw of people harder than another is the same for both, and falls out of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from training.metrics import Scores

CONFIDENCE = 0.95
# Draws worked on at once: bounds the memory.
_TOGETHER = 25
_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Redraws:
    """``counts`` ``(1 + draws, people)``: how often each of ``people`` (sorted) is drawn; first everybody once."""

    people: tuple[str, ...]
    counts: _Float


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """``eer`` and ``frr`` (at the FAR asked for), 0..1, each ``(1 + draws,)``: first of everybody, then each draw's."""

    eer: _Float
    frr: _Float


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval, people drawn anew."""

    value: float
    low: float
    high: float


def redraws(people: Sequence[str], *, draws: int, rng: np.random.Generator) -> Redraws:
    """So many draws with replacement of as many people as there are. Raises :class:`DataError` for fewer than two."""
    names = tuple(sorted(set(people)))
    if len(names) < 2 or draws < 2:
        raise DataError("no interval from this", received=f"{len(names)} people, {draws} draws", allowed="two of each")
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=draws)
    return Redraws(names, np.concatenate([np.ones((1, len(names))), drawn]).astype(np.float64))


def rates(targets: Mapping[str, Scores], nontargets: Mapping[str, Scores], drawn: Redraws, *, far: float) -> Rates:
    """Error rates of every draw: those of :func:`training.metrics.eer` and :func:`training.metrics.frr_at_far` on the
    trials of the people drawn, each as often as it is drawn. Trials are by the person who spoke."""
    own, own_person = _sorted(targets, drawn.people)
    others, others_person = _sorted(nontargets, drawn.people)
    thresholds = np.unique(np.concatenate([own, others]))
    below_own = np.searchsorted(own, thresholds, side="left")
    below_others = np.searchsorted(others, thresholds, side="left")
    eers, frrs = [], []
    for start in range(0, len(drawn.counts), _TOGETHER):
        counts = drawn.counts[start : start + _TOGETHER]
        weight_own, weight_others = (_cumulated(counts[:, person]) for person in (own_person, others_person))
        far_at = 1.0 - weight_others[:, below_others] / weight_others[:, -1:]
        frr_at = weight_own[:, below_own] / weight_own[:, -1:]
        eers.append(_crossing(far_at, frr_at))
        frrs.append(_frr_at_far(own, others, weight_own, weight_others, far))
    return Rates(np.concatenate(eers), np.concatenate(frrs))


def difference(treated: _Float, plain: _Float) -> Interval:
    """How much more errors ``treated`` makes than ``plain`` in the same draws."""
    return interval(treated - plain)


def interval(values: _Float) -> Interval:
    """Of figures ``(1 + draws,)``: the first, and the percentiles of the rest."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(values[1:], [tail, 1.0 - tail])
    return Interval(float(values[0]), float(low), float(high))


def _sorted(scores: Mapping[str, Scores], people: Sequence[str]) -> tuple[_Float, NDArray[np.int64]]:
    """All scores, rising, and whose each is (its place in ``people``)."""
    each = [np.asarray(scores.get(name, ()), dtype=np.float64) for name in people]
    values = np.concatenate(each)
    if not values.size or not np.isfinite(values).all():
        raise DataError("scores cannot be measured", received=f"{values.size} values", allowed="finite numbers")
    person = np.repeat(np.arange(len(people)), [len(one) for one in each])
    order = np.argsort(values, kind="stable")
    return values[order], person[order]


def _cumulated(weights: _Float) -> _Float:
    """``(draws, n)`` to ``(draws, n + 1)``: the weight below each place, and all of it last."""
    return np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights, axis=1)], axis=1)


def _crossing(far: _Float, frr: _Float) -> _Float:
    """Where both rates, straight between thresholds, are equal, for each draw ``(draws, thresholds)``."""
    ends = np.zeros((len(far), 1)), np.ones((len(far), 1))
    far, frr = (np.concatenate([rate, end], axis=1) for rate, end in zip((far, frr), ends, strict=True))
    after = np.argmax(frr - far >= 0, axis=1)
    rows, before = np.arange(len(far)), np.maximum(after - 1, 0)
    gap_after, gap_before = (frr - far)[rows, after], (frr - far)[rows, before]
    step = gap_after - gap_before
    # At the first threshold, or exactly on it, there is nothing to go between.
    share = np.where((after == 0) | (step == 0), 1.0, -gap_before / np.where(step == 0, 1.0, step))
    between = far[rows, before] + share * (far[rows, after] - far[rows, before])
    exact = (after == 0) | (gap_after == 0)
    crossed: _Float = np.where(exact, (far[rows, after] + frr[rows, after]) / 2.0, between)
    return crossed


def _frr_at_far(own: _Float, others: _Float, weight_own: _Float, weight_others: _Float, far: float) -> _Float:
    """FRR just above the lowest stranger's score that lets no more than the share ``far`` of strangers in."""
    total = weight_others[:, -1:]
    values, last = np.unique(others, return_index=True)
    above = total - weight_others[:, np.append(last[1:], len(others))]
    place = np.argmax(above <= np.floor(far * total + 1e-9), axis=1)
    refused = np.searchsorted(own, values, side="right")[place]
    found: _Float = weight_own[np.arange(len(weight_own)), refused] / weight_own[:, -1]
    return found
