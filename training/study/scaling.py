"""What more data would bring: error rates over people or hours, and the power law through them.

Error rates of speech models fall as a power of the amount of data over wide ranges (Hestness et al., arXiv 1712.00409).
With few points this is a direction, not a promise: the spread of the fit is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.errors import DataError


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``rate = at_one * amount ** -exponent``; ``spread``: standard deviation of the points about it, as a factor."""

    at_one: float
    exponent: float
    spread: float

    def at(self, amount: float) -> float:
        """The rate this law gives for ``amount``; beyond the points it was drawn through, an extrapolation."""
        return float(self.at_one * amount**-self.exponent)


def power_law(amounts: Sequence[float], rates: Sequence[float]) -> PowerLaw:
    """Least squares through the logarithms. Raises :class:`DataError` for fewer than three points, or a rate of 0."""
    if len(amounts) < 3 or len(set(amounts)) < 3 or min(rates) <= 0 or min(amounts) <= 0:
        raise DataError(
            "no law can be drawn through these points",
            received=list(zip(amounts, rates, strict=True)),
            allowed="three amounts or more, and rates above 0",
        )
    x, y = np.log(np.asarray(amounts, dtype=np.float64)), np.log(np.asarray(rates, dtype=np.float64))
    slope, intercept = np.polyfit(x, y, 1)
    left = y - (slope * x + intercept)
    spread = float(np.exp(np.sqrt(np.sum(left**2) / max(len(x) - 2, 1))))
    return PowerLaw(float(np.exp(intercept)), float(-slope), spread)
