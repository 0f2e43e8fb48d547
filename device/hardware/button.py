"""A button on a GPIO pin, through gpiozero with a backend named by the configuration."""

from __future__ import annotations

import importlib
from typing import Any

from device.errors import ButtonError, RuntimeMissingError
from device.hardware.pin_factory import FACTORIES, make_factory
from device.ports import Clock

# Contacts bounce for some milliseconds; nobody presses twice within twenty.
BOUNCE_SECONDS = 0.02


class GpioButton:
    """:class:`~device.ports.Button` on BCM pin ``pin``; ``pull_up``: pressed is low. ``chip`` says whose pin it is: the
    chip labelled ``chip_label``, empty for a Raspberry Pi's header.

    Only the moment of pressing counts: a button that is stuck, or was pressed before the start, is not a press. Raises
    :class:`RuntimeMissingError` where gpiozero or the backend is absent, :class:`ButtonError` where the pin cannot be
    claimed. ``factory`` hands in a ready pin factory (tests).
    """

    def __init__(
        self, pin: int, *, clock: Clock, pull_up: bool = True, pin_factory: str = "lgpio", chip_label: str = "",
        factory: Any | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._pressed_at_seconds: float | None = None
        try:
            gpiozero = importlib.import_module("gpiozero")
            made, self.chip = (factory, "") if factory is not None else _make_factory(pin_factory, chip_label)
        except ImportError as error:
            raise RuntimeMissingError(
                "the GPIO backend is not installed",
                where=f"button.pin_factory = {pin_factory}",
                received=error,
                next_step="pip install gpiozero lgpio",
            ) from error
        # Whoever makes a factory closes it; a backend raises classes of its own.
        self._factory = made if factory is None else None
        try:
            self._button: Any = gpiozero.Button(pin, pull_up=pull_up, bounce_time=BOUNCE_SECONDS, pin_factory=made)
        except Exception as error:
            self._close_factory()
            raise ButtonError(
                "the button's pin cannot be claimed",
                where=f"button.pin = {pin}",
                received=f"{type(error).__name__}: {error}",
                next_step="check the pin number (BCM) and group gpio; a running daemon holds it: stop that, then "
                "`sudo ... check --as-service`",
            ) from error
        self._button.when_pressed = self._pressed

    def pressed_at_seconds(self) -> float | None:
        return self._pressed_at_seconds

    def close(self) -> None:
        self._button.close()
        self._close_factory()

    def _pressed(self) -> None:
        self._pressed_at_seconds = self._clock.monotonic_seconds()

    def _close_factory(self) -> None:
        if self._factory is not None:
            self._factory.close()
            self._factory = None


def _make_factory(name: str, chip_label: str) -> tuple[Any, str]:
    if name not in FACTORIES:
        raise ButtonError(
            "no such GPIO backend", where="button.pin_factory", received=name, allowed=", ".join(sorted(FACTORIES))
        )
    try:
        return make_factory(name, chip_label=chip_label)
    except ImportError:
        raise
    except Exception as error:  # a backend without its hardware raises classes of its own
        raise ButtonError(
            "the GPIO backend does not work here",
            where=f"button.pin_factory = {name}",
            received=f"{type(error).__name__}: {error}",
            next_step="run on the Pi as a member of group gpio, or leave the button out",
        ) from error
