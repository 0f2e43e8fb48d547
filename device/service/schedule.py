"""When each person may open the door: ``[[schedule]]`` tables, and the guard that keeps to them.

A person without a table may come at any hour; one with tables only within one of them. Times are those of the door's
own calendar and time zone. A table over midnight (``after`` later than ``before``) belongs to the day it begins on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from device.errors import ConfigError, DataError
from device.names import person_name
from device.ports import Clock
from device.service.clock_state import ClockState, TrustedClock
from device.settings import one_of
from device.sound.pcm import Clip
from device.verdict.guards import Finding
from device.verdict.values import Decision, Outcome

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """``person``, as the bundle names them, may open on ``days`` from ``after`` until before ``before`` (HH:MM)."""

    person: str
    days: tuple[str, ...] = DAYS
    after: str = "00:00"
    before: str = "24:00"

    def __post_init__(self) -> None:
        try:
            name = person_name(self.person)
        except DataError as error:
            raise ConfigError(error.what, where="schedule.person", received=error.received,
                              allowed=error.allowed) from error  # fmt: skip
        # Frozen for everybody else: hours bind whoever has this name, however its letters are composed.
        object.__setattr__(self, "person", name)
        for day in self.days:
            one_of("schedule.days", day, DAYS)
        if not self.days:
            raise ConfigError("incomplete", where="schedule", received=self, allowed="a person and at least one day")
        if _minutes("schedule.after", self.after) == _minutes("schedule.before", self.before):
            raise ConfigError("never open", where="schedule.before", received=self.before, allowed="another time")

    def covers(self, moment: datetime) -> bool:
        """Whether ``moment`` (of the door's calendar) lies within this table."""
        after, before = _minutes("schedule.after", self.after), _minutes("schedule.before", self.before)
        now, today = 60 * moment.hour + moment.minute, DAYS[moment.weekday()]
        if after < before:
            return today in self.days and after <= now < before
        yesterday = DAYS[(moment - timedelta(days=1)).weekday()]
        return (today in self.days and now >= after) or (yesterday in self.days and now < before)


def _minutes(key: str, text: str) -> int:
    if text == "24:00":
        return 24 * 60
    try:
        if len(text) != 5:
            raise ValueError
        told = time.fromisoformat(text)
    except ValueError:
        raise ConfigError("not a time", where=key, received=text, allowed="HH:MM, 00:00 to 24:00") from None
    return 60 * told.hour + told.minute


@dataclass(frozen=True, slots=True)
class Schedule:
    """A :class:`~device.verdict.guards.Guard`: an accepted voice outside its hours is turned away. So is one with hours
    while ``clock_state`` has a problem with the time, unless ``require_set`` is off."""

    tables: Sequence[ScheduleConfig]
    clock: Clock
    clock_state: ClockState = field(default_factory=TrustedClock)
    require_set: bool = True

    def clock_problem(self) -> str:
        """Why the time cannot be believed now, empty where it can."""
        return self.clock_state.problem(self.clock.wall_time())

    def look(self, _clip: Clip, decision: Decision) -> Finding:
        if not decision.opens:
            return Finding()
        mine = [each for each in self.tables if each.person == decision.resident]
        if not mine:
            return Finding(told={"schedule": "any hour"})
        now, problem = self.clock.wall_time(), self.clock_problem()
        unsure = {"clock": problem} if problem else {}
        if problem and self.require_set:
            reason = f"{decision.resident} has hours, and {problem}"
            return Finding(told={"schedule": "unknown", **unsure}, objection=Outcome.OUTSIDE_SCHEDULE, reason=reason)
        if any(each.covers(now) for each in mine):
            return Finding(told={"schedule": "within hours", **unsure})
        hours = "; ".join(f"{' '.join(each.days)} {each.after}-{each.before}" for each in mine)
        return Finding(
            told={"schedule": "outside hours", **unsure},
            objection=Outcome.OUTSIDE_SCHEDULE,
            reason=f"{decision.resident} may come {hours}, and it is {now:%a %H:%M}",
        )


def check_people(tables: Sequence[ScheduleConfig], residents: Collection[str]) -> None:
    """Raise :class:`ConfigError` for a table of somebody the bundle does not know: a misspelt name would leave the
    person who was meant without any hours."""
    unknown = sorted({each.person for each in tables} - set(residents))
    if unknown:
        raise ConfigError(
            "a schedule for nobody the bundle knows",
            where="schedule.person",
            received=", ".join(unknown),
            allowed=", ".join(sorted(residents)),
            next_step="mend the name, or remove the table",
        )
