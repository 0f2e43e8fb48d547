"""The guardian's rules as pure functions: given the state, the time and what happened, is the relay on?

Time is the guardian's own monotonic clock, in seconds, passed in. Only :func:`pulse` ever switches on; everything else
can only switch off. A clock that runs backwards, or that is not a number, switches off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from device.guardian.errors import SettingsError

# However it is configured: no relay is held longer than this.
LONGEST_ON_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``max_on_seconds``: a longer request is refused; ``min_gap_seconds``: between two pulses, and after the start;
    ``heartbeat_seconds``: without a sign of life for that long a pulse ends."""

    max_on_seconds: float = 10.0
    min_gap_seconds: float = 1.0
    heartbeat_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("max_on_seconds", self.max_on_seconds, 0.2, LONGEST_ON_SECONDS),
            ("min_gap_seconds", self.min_gap_seconds, 0.0, 60.0),
            ("heartbeat_seconds", self.heartbeat_seconds, 0.1, 5.0),
        ):
            if not low <= value <= high:
                raise SettingsError(f"relay.{name} is out of range ({low:g} to {high:g})", received=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The state. On exactly while ``on_since_seconds`` is set; ``fault`` is for good and keeps the relay off."""

    free_at_seconds: float
    on_since_seconds: float | None = None
    off_at_seconds: float = -math.inf
    beat_due_seconds: float = -math.inf
    fault: str = ""

    @property
    def is_on(self) -> bool:
        return self.on_since_seconds is not None


def started(limits: Limits, *, now_seconds: float) -> Guard:
    """Off. A guardian that was started again cannot know when the last pulse ended: the gap begins now."""
    return Guard(free_at_seconds=now_seconds + limits.min_gap_seconds)


def pulse(limits: Limits, guard: Guard, *, seconds: float, now_seconds: float) -> tuple[Guard, str]:
    """Switch on for ``seconds``, or the state as it was and the reason of the refusal. A second pulse is refused."""
    if guard.fault:
        return guard, "fault"
    if guard.is_on:
        return guard, "busy"
    if not 0.0 < seconds <= limits.max_on_seconds:
        return guard, "too-long" if seconds > 0.0 else "no-time"
    if not guard.free_at_seconds <= now_seconds < math.inf:
        return guard, "too-soon"
    on = replace(
        guard,
        on_since_seconds=now_seconds,
        off_at_seconds=now_seconds + seconds,
        beat_due_seconds=now_seconds + limits.heartbeat_seconds,
    )
    return on, ""


def alive(limits: Limits, guard: Guard, *, now_seconds: float) -> Guard:
    """A sign of life: it moves the deadline of the heartbeat and nothing else, and comes too late if that is over."""
    if not guard.is_on or not now_seconds < guard.beat_due_seconds:
        return guard
    return replace(guard, beat_due_seconds=now_seconds + limits.heartbeat_seconds)


def off(limits: Limits, guard: Guard, *, now_seconds: float) -> Guard:
    """Off; the gap begins where the relay was on."""
    if not guard.is_on:
        return guard
    return Guard(free_at_seconds=now_seconds + limits.min_gap_seconds, fault=guard.fault)


def due(limits: Limits, guard: Guard, *, now_seconds: float) -> tuple[Guard, str]:
    """What the passing of time does: the state, and why the pulse ended (empty: it goes on, or there is none)."""
    if guard.on_since_seconds is None:
        return guard, ""
    if not guard.on_since_seconds <= now_seconds < guard.off_at_seconds:
        return off(limits, guard, now_seconds=now_seconds), "time"
    if not now_seconds < guard.beat_due_seconds:
        return off(limits, guard, now_seconds=now_seconds), "silence"
    return guard, ""


def read_back(limits: Limits, guard: Guard, *, is_on: bool, now_seconds: float) -> Guard:
    """Compare with what the pin says: a pin that does not follow is a fault, and a fault is off."""
    if is_on == guard.is_on:
        return guard
    return replace(off(limits, guard, now_seconds=now_seconds), fault="on-unasked" if is_on else "does-not-switch-on")


def wait_seconds(guard: Guard, *, now_seconds: float) -> float:
    """How long until :func:`due` has something to do: 0 or more, infinite while off."""
    if not guard.is_on:
        return math.inf
    return max(0.0, min(guard.off_at_seconds, guard.beat_due_seconds) - now_seconds)
