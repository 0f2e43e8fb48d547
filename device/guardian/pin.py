"""The relay's pin, through lgpio: the only file of the guardian that moves a pin.

The pin is claimed as an output *at its idle level*, in one step. gpiozero would make it an input first and an
output at 0 then, 0.1 ms in which an active-low relay can click. For the same reason it is never given
back as an input: when the process ends, the kernel of a Raspberry Pi leaves the level as it was, which is off.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from device.guardian.chips import header_chip
from device.guardian.errors import PinBusyError, PinError

BACKENDS = ("lgpio", "mock")


class Pin(Protocol):
    """An output that is off when made. ``drive`` and ``read`` raise :class:`PinError`; ``close`` leaves it off."""

    def drive(self, on: bool) -> None: ...

    def read(self) -> bool: ...

    def close(self) -> None: ...

    @property
    def chip(self) -> str:
        """The chip whose pin it is, by name and label."""
        ...


class GpioPin:
    """:class:`Pin` on BCM pin ``number``; ``active_high`` False for relays that switch on at low level.

    ``backend`` is "lgpio", or "mock" which moves nothing; ``chip_label`` names the chip where it is not the header of a
    Raspberry Pi. Raises :class:`PinError` where backend, chip or pin are not to be had; another one is never tried.
    """

    def __init__(self, number: int, *, active_high: bool, backend: str, chip_label: str = "") -> None:
        self._active, self._idle = (1, 0) if active_high else (0, 1)
        self._number = number
        load_backend(backend)
        lines = _LgpioLine if backend == "lgpio" else _MockLine
        try:
            self._line: Any = lines(number, self._idle, chip_label)
        except PinError:
            raise
        except Exception as error:  # every backend raises classes of its own
            kind = PinBusyError if "busy" in str(error).lower() else PinError
            raise kind(
                f"pin {number} cannot be claimed",
                received=f"{type(error).__name__}: {error}",
                next_step="check the pin's number (BCM), group gpio, and that no other guardian or daemon holds it",
            ) from error

    @property
    def chip(self) -> str:
        return str(self._line.chip)

    def drive(self, on: bool) -> None:
        try:
            self._line.write(self._active if on else self._idle)
        except Exception as error:  # every backend raises classes of its own
            raise PinError(
                f"pin {self._number} cannot be driven {'on' if on else 'off'}",
                received=f"{type(error).__name__}: {error}",
                next_step="check the wiring and the kernel log; cut the relay's power if it is on",
            ) from error

    def read(self) -> bool:
        try:
            return bool(self._line.read() == self._active)
        except Exception as error:  # every backend raises classes of its own
            raise PinError(f"pin {self._number} cannot be read", received=f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        try:
            self.drive(False)
        finally:
            self._line.release()


class _LgpioLine:
    def __init__(self, number: int, level: int, chip_label: str) -> None:
        self._lgpio: Any = importlib.import_module("lgpio")
        chip = header_chip(chip_label)
        self.chip, self._number = f"{chip.name} {chip.label}", number
        self._handle: int = self._lgpio.gpiochip_open(chip.number)
        try:
            self._lgpio.gpio_claim_output(self._handle, number, level)
        except Exception:
            self._lgpio.gpiochip_close(self._handle)
            raise

    def write(self, level: int) -> None:
        self._lgpio.gpio_write(self._handle, self._number, level)

    def read(self) -> int:
        return int(self._lgpio.gpio_read(self._handle, self._number))

    def release(self) -> None:
        self._lgpio.gpiochip_close(self._handle)


class _MockLine:
    chip = "mock mock"

    def __init__(self, number: int, level: int, _chip_label: str) -> None:
        self._pin: Any = importlib.import_module("gpiozero.pins.mock").MockFactory().pin(number)
        self._pin.output_with_state(level)

    def write(self, level: int) -> None:
        self._pin.state = level

    def read(self) -> int:
        return int(self._pin.state)

    def release(self) -> None:
        """Nothing is held."""


def load_backend(backend: str) -> None:
    """Load the library, so that claiming takes no time later. Raises :class:`PinError` where it does not work."""
    if backend not in BACKENDS:
        raise PinError(f"the guardian does not use the backend {backend!r}", next_step="relay.pin_factory = lgpio")
    try:
        importlib.import_module("lgpio" if backend == "lgpio" else "gpiozero.pins.mock")
    except Exception as error:  # a backend without its library or its working directory raises what it likes
        raise PinError(
            f"the GPIO backend {backend} does not work here",
            received=f"{type(error).__name__}: {error}",
            next_step="pip install gpiozero lgpio (Python 3.13: apt install python3-lgpio); LG_WD must be writable",
        ) from error
