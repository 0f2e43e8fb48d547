"""Events pass here first: where the calendar was set against the monotonic clock, a line ``clock_set`` says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from device.errors import DataError, StateError
from device.ports import Event, EventSink
from device.service.event_reader import EventReader

_LOG = logging.getLogger(__name__)
# What a time server corrects little by little is no step: 0.05 % at most, by Linux.
STEP_SECONDS = 2.0
DRIFT_SHARE = 0.001


@dataclass(slots=True)
class ClockWatch:
    """:class:`~device.ports.EventSink` before ``inner``. ``newest_unix_seconds``: the calendar of the log's newest
    event when the daemon started (None without one): a clock that shows less was wrong then, or is now."""

    inner: EventSink
    newest_unix_seconds: float | None = None
    _before: tuple[float, float] | None = field(default=None, init=False)

    def record(self, event: Event) -> None:
        unix_seconds = event.wall_time.timestamp()
        step_seconds = self._step(event.at_seconds, unix_seconds)
        self._before = (event.at_seconds, unix_seconds)
        if step_seconds:
            self.inner.record(_clock_set(event, step_seconds))
        self.inner.record(event)

    def close(self) -> None:
        self.inner.close()

    def _step(self, at_seconds: float, unix_seconds: float) -> float:
        """By how much the calendar was set since the last event, in seconds; 0 where it was not."""
        if self._before is None:
            back = unix_seconds - self.newest_unix_seconds if self.newest_unix_seconds is not None else 0.0
            return back if back < -STEP_SECONDS else 0.0
        passed_seconds = at_seconds - self._before[0]
        step = unix_seconds - self._before[1] - passed_seconds
        return step if abs(step) > STEP_SECONDS + DRIFT_SHARE * abs(passed_seconds) else 0.0


def newest_unix_seconds(path: Path) -> float | None:
    """The calendar of the newest event in the log at ``path``; None where there is none, or it cannot be read."""
    try:
        with EventReader(path) as reader:
            return reader.newest_unix_seconds()
    except (DataError, StateError) as error:
        _LOG.info("no event to compare the clock with: %s", error.what)
        return None


def _clock_set(event: Event, step_seconds: float) -> Event:
    details: dict[str, object] = {"step_seconds": round(step_seconds, 1)}
    try:
        expected = event.wall_time - timedelta(seconds=step_seconds)
        details["instead_of"] = expected.isoformat(timespec="seconds")
    except OverflowError:
        details["instead_of"] = "a date out of range"
    way = "forward" if step_seconds > 0 else "back"
    details["reason"] = f"the clock was set {way} by {abs(step_seconds):.0f} s; no age is counted over that"
    return Event(kind="clock_set", at_seconds=event.at_seconds, wall_time=event.wall_time, details=details)
