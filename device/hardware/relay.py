"""The latch on a GPIO pin, through gpiozero with a backend named by the configuration.

Fail-secure by three independent means: a timer thread of this relay ends each pulse, the daemon's loop ends it too,
and the daemon's unit runs ``relay-off`` after any death. A backend that is missing is an error, never replaced: the
"native" backend that gpiozero would fall back to does not survive every kernel.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

from device.errors import RelayError, RuntimeMissingError
from device.hardware.pin_factory import FACTORIES, make_factory
from device.ports import check_open_seconds

_INSTALL = (
    "pip install gpiozero lgpio; on Python 3.13 lgpio is Debian's python3-lgpio (venv with --system-site-packages)"
)


class GpioRelay:
    """:class:`~device.ports.Relay` on BCM pin ``pin``; ``active_high`` False for relays that switch on at low level.

    ``chip`` says whose pin it is: the chip labelled ``chip_label``, empty for a Raspberry Pi's header.
    Raises :class:`RuntimeMissingError` where gpiozero or the backend is absent, :class:`RelayError` where the pin
    cannot be claimed. ``factory`` hands in a ready pin factory (tests).
    """

    def __init__(
        self, pin: int, *, active_high: bool = True, pin_factory: str = "lgpio", chip_label: str = "",
        factory: Any | None = None,
    ) -> None:  # fmt: skip
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False
        self._factory, self.chip = (factory, "") if factory is not None else _make_factory(pin_factory, chip_label)
        try:
            self._pin: Any = self._factory.pin(pin)
            self._active, self._idle = (1, 0) if active_high else (0, 1)
            _claim_idle(self._factory, self._pin, pin, self._idle)
        except Exception as error:  # every backend raises classes of its own
            raise RelayError(
                "the relay's pin cannot be claimed",
                where=f"relay.pin = {pin}",
                received=f"{type(error).__name__}: {error}",
                next_step="check the pin number (BCM), that nothing else uses it, and group gpio",
            ) from error

    @property
    def is_on(self) -> bool:
        with self._lock:
            return not self._closed and bool(self._pin.state == self._active)

    def pulse(self, *, open_seconds: float) -> None:
        check_open_seconds(open_seconds)
        with self._lock:
            if self._closed:
                raise RelayError("the relay is closed")
            if self._timer is not None:
                return
            # The way back is under way before the door opens: if no thread can be had, the door stays shut.
            timer = threading.Timer(open_seconds, self._deadline)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError as error:
                raise RelayError("no timer can be started, so the door stays shut", received=error) from error
            self._timer = timer
            self._drive(self._active)

    def off(self) -> None:
        with self._lock:
            self._release()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._release()
            finally:
                self._closed = True
                _let_go(self._factory, self._pin)

    def _deadline(self) -> None:
        with self._lock:
            if not self._closed:
                self._release()

    def _release(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if not self._closed:
            self._drive(self._idle)

    def _drive(self, level: int) -> None:
        try:
            self._pin.state = level
        except Exception as error:  # every backend raises classes of its own
            raise RelayError(
                "the relay's pin cannot be driven",
                received=f"{type(error).__name__}: {error}",
                next_step="check the wiring and the kernel log; cut the relay's power if it is on",
            ) from error


def _make_factory(name: str, chip_label: str) -> tuple[Any, str]:
    if name not in FACTORIES:
        raise RelayError(
            "no such GPIO backend",
            where="relay.pin_factory",
            received=name,
            allowed=", ".join(sorted(FACTORIES)),
        )
    try:
        return make_factory(name, chip_label=chip_label)
    except ImportError as error:
        raise RuntimeMissingError(
            "the GPIO backend is not installed",
            where=f"relay.pin_factory = {name}",
            received=error,
            next_step=_INSTALL,
        ) from error
    except Exception as error:  # a backend without its hardware raises classes of its own
        raise RelayError(
            "the GPIO backend does not work here",
            where=f"relay.pin_factory = {name}",
            received=f"{type(error).__name__}: {error}",
            next_step="run on the Pi as a member of group gpio, or use --simulate elsewhere",
        ) from error


def _claim_idle(factory: Any, pin: Any, number: int, level: int) -> None:
    """Make the pin an output that is at ``level`` from its first moment.

    gpiozero's lgpio backend claims an output at 0 and writes 1 afterwards: 0.1 ms in which an active-low relay can
    click. lgpio itself can claim with a level.
    """
    backend = importlib.import_module(type(pin).__module__)
    if hasattr(backend, "lgpio"):
        backend.lgpio.gpio_claim_output(factory._handle, number, level)
    else:
        pin.output_with_state(level)


def _let_go(factory: Any, pin: Any) -> None:
    """Close the backend; with lgpio without gpiozero's own last act, which turns the pin into a floating input.

    The kernel of a Raspberry Pi leaves the level as it is then, which is off.
    """
    backend = importlib.import_module(type(pin).__module__)
    if hasattr(backend, "lgpio"):
        backend.lgpio.gpiochip_close(factory._handle)
    else:
        factory.close()
