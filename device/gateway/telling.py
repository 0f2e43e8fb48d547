"""From the door's events to what a household wants to hear: a type, and a few facts, with or without names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]
# A decision's outcome -> the type that is told. Nothing is told of a door that just opened or is being recorded at.
OF_OUTCOME = {
    "open": "granted",
    "refuse": "refused",
    "say_more": "say_more",
    "locked_out": "locked_out",
    "replay": "replay",
    "second_factor_missing": "second_factor_missing",
    "outside_schedule": "outside_schedule",
    "relay_refused": "relay_refused",
}
OF_KIND = {
    "remote_open": "remote_granted",
    "remote_refused": "remote_refused",
    "started": "started",
    "stopped": "stopped",
    "reloaded": "reloaded",
    "reload_refused": "reload_refused",
    "residents_changed": "residents_changed",
    "canary_failed": "canary_failed",
    "config_problem": "config_problem",
    "fault": "fault",
    "microphone_silent": "microphone_silent",
    "microphone_back": "microphone_back",
    "visits_unknown": "visits_unknown",
    "replay_memory_lost": "replay_memory_lost",
    "clock_not_set": "clock_not_set",
    "request_refused": "request_refused",
}
DEAF, HEARING = "deaf", "hearing"
TYPES = (*OF_OUTCOME.values(), *OF_KIND.values(), DEAF, HEARING)
# What else is told of an event, where it is a number, and under which name.
NUMBERS = {
    "evidence": "score",
    "latency_seconds": "latency_seconds",
    "speech_seconds": "speech_seconds",
    "level_dbfs": "level_dbfs",
    "locked_seconds": "locked_seconds",
    "lost_seconds": "lost_seconds",
    "lost_count": "no_longer_known",
    "new_count": "newly_known",
}
# A single overflow is a gap too, but nobody need hear of it.
DEAF_SECONDS = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """``type`` is one of :data:`TYPES`; ``facts`` are ready for JSON (no value that is not a number)."""

    type: str
    facts: Mapping[str, object]


class Teller:
    """Remembers whether the door hears, so that deafness is told once. ``names``: whether people are named."""

    def __init__(self, *, names: bool) -> None:
        self._names = names
        self._deaf = False

    def event(self, event: Event) -> Told | None:
        """What to tell of an event; None for most."""
        kind = str(event.get("kind"))
        if kind == "gap":
            lost = number(event.get("lost_seconds")) or 0.0
            if self._deaf or lost < DEAF_SECONDS:
                return None
            self._deaf = True
            return Told(type=DEAF, facts=self._facts(event))
        told = OF_OUTCOME.get(str(event.get("outcome"))) if kind == "decision" else OF_KIND.get(kind)
        return None if told is None else Told(type=told, facts=self._facts(event))

    def heard(self) -> Told | None:
        """Sound has arrived: the end of a deafness that was told."""
        was_deaf, self._deaf = self._deaf, False
        return Told(type=HEARING, facts={}) if was_deaf else None

    def _facts(self, event: Event) -> dict[str, object]:
        facts: dict[str, object] = {"time": event.get("time")}
        for key, name in NUMBERS.items():
            if number(event.get(key)) is not None:
                facts[name] = number(event.get(key))
        if self._names:
            opened = event.get("outcome") == "open"
            person = event.get("resident") if opened else event.get("by")
            named = {"person": person, "reason": event.get("reason")}
            facts |= {key: value for key, value in named.items() if value not in (None, "")}
        return facts


def number(value: object) -> float | None:
    """``value`` where it is a number that JSON has; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value
