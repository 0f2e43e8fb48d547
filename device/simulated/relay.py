"""A relay that remembers when it was on."""

from __future__ import annotations

from device.errors import RelayError
from device.ports import Clock, check_open_seconds


class SimulatedRelay:
    """:class:`~device.ports.Relay` with ``history``: (time in seconds, on or off), exact to the deadline."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._off_at_seconds: float | None = None
        self._history: list[tuple[float, bool]] = []
        self.closed = False

    @property
    def is_on(self) -> bool:
        self._expire()
        return self._off_at_seconds is not None

    @property
    def history(self) -> list[tuple[float, bool]]:
        """Every change so far, in order of time."""
        self._expire()
        return list(self._history)

    def pulse(self, *, open_seconds: float) -> None:
        if self.closed:
            raise RelayError("the relay is closed")
        check_open_seconds(open_seconds)
        if not self.is_on:
            now = self._clock.monotonic_seconds()
            self._off_at_seconds = now + open_seconds
            self._history.append((now, True))

    def off(self) -> None:
        self._expire()
        if self._off_at_seconds is not None:
            self._history.append((self._clock.monotonic_seconds(), False))
            self._off_at_seconds = None

    def close(self) -> None:
        self.off()
        self.closed = True

    def _expire(self) -> None:
        if self._off_at_seconds is not None and self._clock.monotonic_seconds() >= self._off_at_seconds:
            self._history.append((self._off_at_seconds, False))
            self._off_at_seconds = None
