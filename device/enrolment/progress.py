"""How much speech is enough, over how many days, and what is still missing. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["allowed", "others", "strangers", "noise"]
ROLES: tuple[Role, ...] = get_args(Role)
# Another day is another voice: a minute on each of two days lets a resident in where two minutes of one day do not.
ENOUGH_SPEECH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Goal:
    """``seconds_a_day`` of net speech (for noise: of background) on each of ``days`` days."""

    seconds_a_day: float
    days: int


GOALS: dict[Role, Goal] = {
    "allowed": Goal(ENOUGH_SPEECH_SECONDS, 2),
    "others": Goal(30.0, 1),
    "strangers": Goal(30.0, 1),
    "noise": Goal(60.0, 1),
}


@dataclass(frozen=True, slots=True)
class Day:
    """One day's recordings: ``name`` is its folder, as a rule a date; ``seconds`` of net speech (noise: of sound)."""

    name: str
    takes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What there is of one person (``name`` empty for the background), in order of days."""

    role: Role
    name: str
    days: tuple[Day, ...]

    @property
    def goal(self) -> Goal:
        return GOALS[self.role]

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.days)

    @property
    def enough_share(self) -> float:
        """0..1: of each day no more than its goal counts, and no more days than are asked for."""
        counted = sorted((min(each.seconds, self.goal.seconds_a_day) for each in self.days), reverse=True)
        return min(1.0, sum(counted[: self.goal.days]) / (self.goal.seconds_a_day * self.goal.days))

    @property
    def percent(self) -> int:
        """The same, rounded down: 100 is enough, and nothing else is."""
        return 100 if self.enough_share >= 1.0 - 1e-9 else min(99, math.floor(100.0 * self.enough_share))

    def seconds_on(self, day: str) -> float:
        return next((each.seconds for each in self.days if each.name == day), 0.0)


def missing(progress: Progress, *, today: str) -> str:
    """What to record yet, in words; empty where it is enough. A past day cannot be added to, only ``today`` can."""
    if progress.percent == 100:
        return ""
    goal, what = progress.goal, "background" if progress.role == "noise" else "speech"
    full = [each for each in progress.days if each.seconds >= goal.seconds_a_day]
    begun = 0.0 < progress.seconds_on(today) < goal.seconds_a_day
    parts = []
    if begun:
        parts.append(f"{math.ceil(goal.seconds_a_day - progress.seconds_on(today))} s more {what} today")
    further = goal.days - len(full) - begun
    if further > 0:
        where = f" on each of {further} days" if further > 1 else " on another day" if progress.days else ""
        parts.append(f"{goal.seconds_a_day:g} s of {what}{where}")
    return " and ".join(parts)


def in_order(found: Sequence[Progress]) -> tuple[Progress, ...]:
    """Residents first, then others, strangers and the background; by name."""
    return tuple(sorted(found, key=lambda each: (ROLES.index(each.role), each.name)))
