"""What chance does to a figure: its spread over seeds and over households, and which differences are more than that.

The model: a figure is the recipe's mean, plus what the household does, plus what the seed does in that household, both
normal. Every household is learnt in with the same number of seeds. Two recipes that are compared meet the same
households, so between them only seeds are chance; what a *recipe* does in another *household* is not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2
from scipy.stats import t as student

from device.errors import DataError

CONFIDENCE = 0.95
# A true difference of this probability to be found, where one asks how large it must be.
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its two-sided 95 % interval by Student's t."""

    mean: float
    low: float
    high: float

    @property
    def leaves_out_zero(self) -> bool:
        return self.low > 0.0 or self.high < 0.0


def t_interval(values: ArrayLike) -> Interval:
    """Of the mean of independent values. Raises :class:`DataError` for fewer than two."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        raise DataError("no interval from so few", received=f"{array.size} values", allowed="two or more")
    return _interval(float(array.mean()), float(array.std(ddof=1)) / array.size**0.5, array.size - 1)


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over ``draws`` households with ``seeds`` each.

    ``seed_deviation``: standard deviation between seeds in one household; ``draw_deviation``: between households, with
    the seeds' part taken out (0 where that leaves nothing). ``other_households``: of the mean, for households drawn
    anew; None for one household.
    """

    mean: float
    seed_deviation: float
    draw_deviation: float
    draws: int
    seeds: int
    other_households: Interval | None

    @property
    def these_households(self) -> Interval:
        """Of the mean over all seeds there are, in the households that were drawn."""
        return _interval(self.mean, self.seed_deviation / (self.draws * self.seeds) ** 0.5, self._degrees)

    @property
    def seed_deviation_at_most(self) -> float:
        """What the true deviation between seeds stays below with 95 % confidence: a few seeds tell it badly."""
        return float(self.seed_deviation * (self._degrees / chi2.ppf(1.0 - CONFIDENCE, self._degrees)) ** 0.5)

    @property
    def seeds_share(self) -> float:
        """How much of the variance of one case, in a household and with a seed drawn anew, is the seed's: 0..1."""
        both = self.seed_deviation**2 + self.draw_deviation**2
        return float(self.seed_deviation**2 / both) if both else 0.0

    def told_apart(self, seeds: int) -> float:
        """How large the difference between the means of two such recipes, with ``seeds`` each in the same households,
        must be to be called more than chance at 95 %."""
        return float(student.ppf(0.5 + CONFIDENCE / 2, self._degrees)) * self._error_of_difference(seeds)

    def found(self, seeds: int) -> float:
        """How large a true difference must be for that to happen four times of five."""
        reach = float(student.ppf(0.5 + CONFIDENCE / 2, self._degrees) + student.ppf(POWER, self._degrees))
        return reach * self._error_of_difference(seeds)

    @property
    def _degrees(self) -> int:
        return self.draws * (self.seeds - 1)

    def _error_of_difference(self, seeds: int) -> float:
        return float(self.seed_deviation * (2.0 / (self.draws * seeds)) ** 0.5)


def spread_of(values: ArrayLike) -> Spread:
    """``values``: a figure by household and seed, float ``(draws, seeds)``. Raises :class:`DataError` for one seed."""
    table = _checked(values)
    draws, seeds = table.shape
    within, means = float(table.var(axis=1, ddof=1).mean()), table.mean(axis=1)
    between = float(means.var(ddof=1)) if draws > 1 else 0.0
    return Spread(
        mean=float(table.mean()),
        seed_deviation=within**0.5,
        draw_deviation=max(between - within / seeds, 0.0) ** 0.5,
        draws=draws,
        seeds=seeds,
        other_households=t_interval(means) if draws > 1 else None,
    )


def seed_noise(tables: Sequence[ArrayLike]) -> float:
    """How far apart the means of two recipes come by their seeds alone, 19 times of 20. ``tables``: one a recipe, all
    ``(draws, seeds)``; the deviation between seeds is that of all of them together."""
    arrays = [_checked(each) for each in tables]
    draws, seeds = arrays[0].shape
    deviation = float(np.mean([each.var(axis=1, ddof=1) for each in arrays])) ** 0.5
    degrees = len(arrays) * draws * (seeds - 1)
    return float(student.ppf(0.5 + CONFIDENCE / 2, degrees) * deviation * np.sqrt(2.0 / (draws * seeds)))


def difference(table: ArrayLike, base: ArrayLike) -> Interval:
    """``table`` less ``base``, paired by household; the interval is over households drawn anew."""
    return t_interval(_checked(table).mean(axis=1) - _checked(base).mean(axis=1))


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise DataError("what seeds do cannot be told from this", received=f"figures of shape {table.shape}",
                        allowed="finite ones, of two seeds or more in each household")  # fmt: skip
    return table


def _interval(mean: float, error: float, degrees: int) -> Interval:
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, degrees)) * error
    return Interval(mean, mean - reach, mean + reach)
