"""Which of the shipped conditions the household's door is most like, and how well any of them fits.

The mean direction of the household's clips is compared with that of the strangers in every condition. The mean of few
people is partly those people: one resident's says less than five's, so the answer describes the door (for the bundle,
``check`` and the outlook) and weighs nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.household.conditions import StrangersByCondition
from device.verdict.interpreter import Embedding, unit_length

# A door fits worse than the shipped strangers' own households do in this share of cases: worth a sentence.
UNUSUAL_SHARE = 0.01
HOUSEHOLDS = 200


@dataclass(frozen=True, slots=True)
class DoorFit:
    """``conditions`` from the nearest on, with the cosine of the household's mean to each one's in ``cosines``;
    ``usual_cosine``: what the nearest condition reaches for as many people who do stand in one of them, but for the
    worst :data:`UNUSUAL_SHARE`."""

    conditions: tuple[str, ...]
    cosines: tuple[float, ...]
    usual_cosine: float

    @property
    def nearest(self) -> str:
        """The condition that this door is most like."""
        return self.conditions[0]

    @property
    def fits(self) -> bool:
        """Whether some shipped condition is as near as usual. Where none is, thresholds are less certain."""
        return self.cosines[0] >= self.usual_cosine


def door_fit(
    strangers: StrangersByCondition, enrolled: list[Embedding], *, rng: np.random.Generator | None = None
) -> DoorFit:
    """How the door stands to the shipped conditions. ``enrolled``: each resident's clips, float32 ``(n, d)``; every
    resident counts alike. Random only in which strangers play the household, by default always the same."""
    rng = rng or np.random.default_rng(0)
    means = strangers.means()
    mean = unit_length(np.mean([unit_length(clips.mean(axis=0)) for clips in enrolled], axis=0))
    cosines = means @ mean
    order = np.argsort(-cosines, kind="stable")
    usual = np.quantile(_of_shipped(strangers, means, people=len(enrolled), rng=rng), UNUSUAL_SHARE)
    return DoorFit(tuple(strangers.conditions[n] for n in order), tuple(float(cosines[n]) for n in order), float(usual))


def _of_shipped(
    strangers: StrangersByCondition, means: Embedding, *, people: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The same cosine for shipped strangers who play a household of so many people, in a condition each."""
    found = []
    for _ in range(HOUSEHOLDS):
        condition = int(rng.integers(len(strangers.conditions)))
        chosen = rng.choice(strangers.people, min(people, strangers.people), replace=False)
        mean = unit_length(strangers.cohorts[condition, chosen].mean(axis=0))
        found.append(float((means @ mean).max()))
    return np.array(found)
