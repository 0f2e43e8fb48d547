"""Time that moves only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, 18, 0, tzinfo=UTC)


class ManualClock:
    """:class:`~device.ports.Clock` under manual control; ``sleep`` advances it and returns at once."""

    def __init__(self, *, start_seconds: float = 0.0, wall_start: datetime = _START) -> None:
        self._seconds = start_seconds
        self._wall_zero = wall_start - timedelta(seconds=start_seconds)

    def monotonic_seconds(self) -> float:
        return self._seconds

    def wall_time(self) -> datetime:
        return self._wall_zero + timedelta(seconds=self._seconds)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds`` >= 0."""
        if seconds < 0:
            raise ValueError(f"time does not go back: received {seconds}")
        self._seconds += seconds
