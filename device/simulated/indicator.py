"""An indicator that remembers what it showed."""

from __future__ import annotations

from device.ports import Clock, Signal


class SimulatedIndicator:
    """:class:`~device.ports.Indicator` with ``history``: (time in seconds, signal)."""

    def __init__(self, clock: Clock, *, audible: bool = False) -> None:
        self._clock, self._audible = clock, audible
        self.history: list[tuple[float, Signal]] = []
        self.closed = False

    @property
    def audible(self) -> bool:
        return self._audible

    def show(self, signal: Signal) -> None:
        self.history.append((self._clock.monotonic_seconds(), signal))

    def close(self) -> None:
        self.closed = True
