"""How long ago something was, as far as both clocks agree: nothing is deleted because of a date alone.

The calendar steps (no battery, then a time server answers; a hand; a wrong zone of a file) and the monotonic clock
begins anew with each start of the machine. The smaller of the two differences is never too long: what is as old as that
is at least as old in truth. Time without power counts as little as the monotonic clock has seen of it.

For ages of events and clips, which go on over restarts of the machine. What somebody could gain by (visits, prints of
what was heard) is measured within one boot alone: :mod:`device.service.boot`.
"""

from __future__ import annotations

from dataclasses import dataclass

from device.ports import Clock

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant on both clocks: ``at_seconds`` since the machine started, ``unix_seconds`` of the calendar."""

    at_seconds: float
    unix_seconds: float


def moment_of(clock: Clock) -> Moment:
    """Now."""
    return Moment(clock.monotonic_seconds(), clock.wall_time().timestamp())


def elapsed_seconds(before: Moment, now: Moment) -> float:
    """The time from ``before`` to ``now`` that has certainly passed, 0 or more."""
    # A monotonic clock that shows less was started in between: it has seen that much at least.
    seen = now.at_seconds - before.at_seconds if now.at_seconds >= before.at_seconds else now.at_seconds
    return max(0.0, min(seen, now.unix_seconds - before.unix_seconds))
