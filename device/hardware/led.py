"""A light on a GPIO pin, through gpiozero with a backend named by the configuration."""

from __future__ import annotations

import importlib
from typing import Any

from device.errors import IndicatorError, RuntimeMissingError
from device.hardware.pin_factory import make_factory
from device.ports import Clock, Signal

# (on, off) in seconds, one after the other: told apart without knowing colours.
PATTERNS = {
    Signal.LISTENING: ((0.1, 0.0),),
    Signal.GRANTED: ((2.0, 0.0),),
    Signal.REFUSED: ((0.1, 0.1),) * 5,
    Signal.SAY_MORE: ((0.4, 0.3),) * 2,
}


class Led:
    """:class:`~device.ports.Indicator` on BCM pin ``pin``, off between signals. ``chip`` says whose pin it is: the chip
    labelled ``chip_label``, empty for a Raspberry Pi's header.

    Raises :class:`RuntimeMissingError` where gpiozero or the backend is absent, :class:`IndicatorError` where the pin
    cannot be claimed. ``factory`` hands in a ready pin factory (tests).
    """

    audible = False

    def __init__(
        self,
        pin: int,
        *,
        clock: Clock,
        active_high: bool = True,
        pin_factory: str = "lgpio",
        chip_label: str = "",
        factory: Any | None = None,
    ) -> None:
        self._clock, self._closed = clock, False
        self._factory: Any | None = None
        self.chip = ""
        try:
            gpiozero = importlib.import_module("gpiozero")
            if factory is None:
                self._factory, self.chip = make_factory(pin_factory, chip_label=chip_label)
                factory = self._factory
        except ImportError as error:
            raise RuntimeMissingError(
                "the GPIO backend is not installed",
                where=f"signals.pin_factory = {pin_factory}",
                received=error,
                next_step="pip install gpiozero lgpio",
            ) from error
        except Exception as error:  # a backend without its hardware raises classes of its own
            raise _unusable(pin, error) from error
        try:
            self._led: Any = gpiozero.LED(pin, active_high=active_high, initial_value=False, pin_factory=factory)
        except Exception as error:
            self._close_factory()
            raise _unusable(pin, error) from error

    def show(self, signal: Signal) -> None:
        try:
            for on_seconds, off_seconds in PATTERNS[signal]:
                self._led.on()
                self._clock.sleep(on_seconds)
                self._led.off()
                self._clock.sleep(off_seconds)
        except Exception as error:  # gpiozero raises classes of its own
            if not self._closed:
                raise IndicatorError("the light's pin cannot be driven", received=error) from error

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._led.close()
            self._close_factory()

    def _close_factory(self) -> None:
        if self._factory is not None:
            self._factory.close()
            self._factory = None


def _unusable(pin: int, error: Exception) -> IndicatorError:
    return IndicatorError(
        "the light's pin cannot be claimed",
        where=f"signals.led_pin = {pin}",
        received=f"{type(error).__name__}: {error}",
        next_step="check the pin number (BCM), that nothing else uses it, and group gpio",
    )
