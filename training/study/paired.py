"""Two systems on the same draws: by how much one is better, and how much of that is chance.

Draws differ more than systems do, so systems are compared within each draw. The interval is a bootstrap in which both
the people and the draws are drawn anew: the same few people come back in many draws, and drawing the draws alone would
call that more evidence than it is. Both systems always keep the same people and draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError

Scores = NDArray[np.float64]
Statistic = Callable[[Scores, Scores], float]
RESAMPLES = 300


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One system in one draw: scores of residents on another day (``inside``) and of strangers who judge
    (``outside``), with who spoke each."""

    inside: Scores
    outside: Scores
    inside_people: tuple[str, ...]
    outside_people: tuple[str, ...]

    def __post_init__(self) -> None:
        if (len(self.inside), len(self.outside)) != (len(self.inside_people), len(self.outside_people)):
            raise DataError(
                "every score needs somebody who spoke it",
                received=f"{len(self.inside)} and {len(self.outside)} scores",
                allowed=f"{len(self.inside_people)} and {len(self.outside_people)}",
            )


@dataclass(frozen=True, slots=True)
class Difference:
    """Second less first: ``mean`` over draws, its 95 % interval, and each draw's own."""

    mean: float
    low: float
    high: float
    each: tuple[float, ...]


def paired(
    first: Sequence[Tried], second: Sequence[Tried], statistics: Sequence[Statistic], *, rng: np.random.Generator
) -> Difference:
    """How much ``statistics`` (one a draw: residents' scores, strangers' scores to a number) differ.

    Raises :class:`DataError` unless both hold the same draws, each with the same people.
    """
    _check(first, second, statistics)
    each = [_of(two, rule) - _of(one, rule) for one, two, rule in zip(first, second, statistics, strict=True)]
    people = sorted({name for draw in first for name in (*draw.inside_people, *draw.outside_people)})
    number = {name: count for count, name in enumerate(people)}
    pairs = [(_Numbered.of(one, number), _Numbered.of(two, number)) for one, two in zip(first, second, strict=True)]
    means: list[float] = []
    while len(means) < RESAMPLES:
        times = rng.multinomial(len(people), np.full(len(people), 1.0 / len(people)))
        found = []
        for draw in rng.integers(len(pairs), size=len(pairs)):
            one, two = (each.again(times) for each in pairs[draw])
            # A household of which nobody was drawn says nothing.
            if min(map(len, (*one, *two))) > 0:
                found.append(statistics[draw](*two) - statistics[draw](*one))
        if found:
            means.append(float(np.mean(found)))
    low, high = np.quantile(means, (0.025, 0.975))
    return Difference(float(np.mean(each)), float(low), float(high), tuple(each))


def far_at_frr(inside: Scores, outside: Scores, frr: float) -> float:
    """FAR at the highest threshold that refuses no more than ``frr`` (0..1) of the residents' clips."""
    refused = min(int(np.floor(frr * len(inside) + 1e-9)), len(inside) - 1)
    return float(np.mean(outside >= np.sort(inside)[refused]))


def points(difference: Mapping[str, Any] | None) -> str:
    """A difference of rates in percentage points, with its interval."""
    if difference is None:
        return ""
    mean, low, high = (100.0 * difference[key] for key in ("mean", "low", "high"))
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


def _of(tried: Tried, statistic: Statistic) -> float:
    return statistic(tried.inside, tried.outside)


def _check(first: Sequence[Tried], second: Sequence[Tried], statistics: Sequence[Statistic]) -> None:
    if not len(first) == len(second) == len(statistics) > 0:
        raise DataError("these are not pairs", received=f"{len(first)} and {len(second)} draws", allowed="as many")
    for count, (one, two) in enumerate(zip(first, second, strict=True)):
        for side in ("inside_people", "outside_people"):
            if set(getattr(one, side)) != set(getattr(two, side)):
                raise DataError("these draws hold different people", where=f"draw {count + 1}", allowed="the same")


@dataclass(frozen=True, slots=True, eq=False)
class _Numbered:
    """Scores with numbers for the people, so that each can be taken as often as its speaker was drawn."""

    inside: Scores
    outside: Scores
    inside_people: NDArray[np.int64]
    outside_people: NDArray[np.int64]

    @classmethod
    def of(cls, tried: Tried, number: dict[str, int]) -> _Numbered:
        inside, outside = (
            np.array([number[name] for name in names]) for names in (tried.inside_people, tried.outside_people)
        )
        return cls(tried.inside, tried.outside, inside, outside)

    def again(self, times: NDArray[np.int64]) -> tuple[Scores, Scores]:
        return (
            np.repeat(self.inside, times[self.inside_people]),
            np.repeat(self.outside, times[self.outside_people]),
        )
