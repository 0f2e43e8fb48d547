"""A button that is pressed by a call."""

from __future__ import annotations

from device.ports import Clock


class SimulatedButton:
    """:class:`~device.ports.Button`; :meth:`press` presses it now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pressed_at_seconds: float | None = None
        self.closed = False

    def press(self) -> None:
        self._pressed_at_seconds = self._clock.monotonic_seconds()

    def pressed_at_seconds(self) -> float | None:
        return self._pressed_at_seconds

    def close(self) -> None:
        self.closed = True
