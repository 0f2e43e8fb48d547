"""gpiozero's backend for a pin of the daemon's own: by its configured name, on the chip that has the header's pins."""

from __future__ import annotations

import importlib
from typing import Any

from device.guardian.chips import header_chip

FACTORIES = {
    "lgpio": ("gpiozero.pins.lgpio", "LGPIOFactory"),
    "native": ("gpiozero.pins.native", "NativeFactory"),
    "mock": ("gpiozero.pins.mock", "MockFactory"),
}


def make_factory(name: str, *, chip_label: str = "") -> tuple[Any, str]:
    """gpiozero's pin factory called ``name``, and what people call its chip: number and label, or the backend's name.

    ``chip_label`` as in :func:`device.guardian.chips.header_chip`: gpiozero alone takes a chip by its number. Raises
    KeyError for an unknown name, ImportError without the library, :class:`~device.guardian.errors.PinError` where the
    chip is not to be had, and whatever a backend raises without its hardware. Another backend is never tried.
    """
    module_name, kind = FACTORIES[name]
    make = getattr(importlib.import_module(module_name), kind)
    if name != "lgpio":
        return make(), name
    chip = header_chip(chip_label)
    return make(chip=chip.number), str(chip)
