"""Which /dev/gpiochip has the pins of the Raspberry Pi's header: chosen by the label that its driver gives it.

Kernels number the chips as they like (the header has been 0, 4, and 10 to 15), and other controllers of the same board
take the numbers that are free: pin 17 of such a chip is another wire. The label belongs to the controller itself.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.guardian.errors import PinError

# Raspberry Pi 1 to 3 and Zero, 4, 5; with their compute modules and keyboards.
HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
# Pins 0 to 27 are on the header of every model.
HEADER_PINS = 28
# The kernel's limit is 31 characters.
LABEL = re.compile(r"[!-~]{1,31}")
_DEVICES = Path("/dev")
_NODE = re.compile(r"gpiochip(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Chip:
    """``number``: of /dev/gpiochip; ``name`` and ``label`` as the kernel tells them; ``lines``: how many pins.

    ``problem``: why it could not be read, empty where it could.
    """

    number: int
    name: str
    label: str = ""
    lines: int = 0
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.label or self.problem})"


def header_chip(asked: str = "", *, library: Any | None = None) -> Chip:
    """The chip whose label is ``asked``, or (empty) one of :data:`HEADER_LABELS`. ``library``: lgpio.

    Raises :class:`PinError` with all that was seen where there is none, more than one, or one with too few pins;
    ImportError without lgpio.
    """
    return choose(list_chips(importlib.import_module("lgpio") if library is None else library), asked)


def list_chips(library: Any) -> list[Chip]:
    """Every chip of this machine, once each, in the order of their numbers; ``library`` is lgpio."""
    try:
        nodes = [_NODE.fullmatch(entry) for entry in os.listdir(_DEVICES)]
    except OSError as error:
        raise PinError(f"{_DEVICES} cannot be read", received=error) from error
    numbers = sorted(int(node[1]) for node in nodes if node is not None)
    chips: dict[str, Chip] = {}
    for number in numbers:
        chip = _read(library, number)
        # A second node of the same chip is a link: Raspberry Pi OS keeps gpiochip4 for older programs.
        chips.setdefault(chip.name, chip)
    return list(chips.values())


def choose(chips: Sequence[Chip], asked: str = "") -> Chip:
    """See :func:`header_chip`."""
    labels = (asked,) if asked else HEADER_LABELS
    matches = [chip for chip in chips if not chip.problem and chip.label in labels]
    if len(matches) == 1 and matches[0].lines >= HEADER_PINS:
        return matches[0]
    if len(matches) == 1:
        what = f"the GPIO chip has {matches[0].lines} pins, a header has {HEADER_PINS} or more"
    else:
        what = f"{'more than one' if matches else 'no'} GPIO chip has the label {' or '.join(labels)}"
    raise PinError(
        what,
        received=", ".join(str(chip) for chip in chips) or f"no {_DEVICES}/gpiochip* at all",
        next_step='a Raspberry Pi needs relay.chip_label = "" and group gpio; another board the label of its chip, '
        "as `gpiodetect` lists it",
    )


def _read(library: Any, number: int) -> Chip:
    node = f"gpiochip{number}"
    handle = -1
    try:
        handle = library.gpiochip_open(number)
        if handle < 0:
            return Chip(number, node, problem=str(library.error_text(handle)))
        status, lines, name, label = library.gpio_get_chip_info(handle)
        if status < 0:
            return Chip(number, node, problem=str(library.error_text(status)))
    except Exception as error:  # lgpio raises a class of its own; one chip that cannot be read hides no other
        return Chip(number, node, problem=f"unreadable: {str(error) or type(error).__name__}")
    finally:
        if handle >= 0:
            library.gpiochip_close(handle)
    return Chip(number, _text(name), _text(label), int(lines))


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
