"""Which /dev/gpiochip has the pins of the Raspberry Pi's header: chosen by the label that its driver gives it.

Kernels number the chips as they like (the header has been 0, 4, and 10 to 15), and other controllers of the same board
take the numbers that are free: pin 17 of such a chip is another wire. The label belongs to the controller itself.

The kernel is asked, not lgpio, which takes a tenth of a second to close each chip: a pin may wait to be driven off.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device.guardian.errors import PinError

# Raspberry Pi 1 to 3 and Zero, 4, 5; with their compute modules and keyboards.
HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
# Pins 0 to 27 are on the header of every model.
HEADER_PINS = 28
# The kernel's limit is 31 characters.
LABEL = re.compile(r"[!-~]{1,31}")
# GPIO_GET_CHIPINFO_IOCTL of linux/gpio.h: name, label, number of lines.
_CHIP_INFO, _INFO = 0x8044B401, struct.Struct("=32s32sI")
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


def header_chip(asked: str = "") -> Chip:
    """The chip whose label is ``asked``, or (empty) one of :data:`HEADER_LABELS`.

    Raises :class:`PinError` with all that was seen where there is none, more than one, or one with too few pins.
    """
    return choose(list_chips(), asked)


def list_chips() -> list[Chip]:
    """Every chip of this machine, once each, in the order of their numbers. Raises :class:`PinError`."""
    try:
        nodes = [_NODE.fullmatch(entry) for entry in os.listdir(_DEVICES)]
    except OSError as error:
        raise PinError(f"{_DEVICES} cannot be read", received=error) from error
    numbers = sorted(int(node[1]) for node in nodes if node is not None)
    chips: dict[str, Chip] = {}
    for number in numbers:
        chip = _read(number)
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


def _read(number: int) -> Chip:
    node = f"gpiochip{number}"
    content = bytearray(_INFO.size)
    try:
        # Not for reading alone: whoever may not write could not claim a pin either.
        opened = os.open(_DEVICES / node, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(opened, _CHIP_INFO, content)
        finally:
            os.close(opened)
    except OSError as error:
        # One chip that cannot be read hides no other.
        return Chip(number, node, problem=f"unreadable: {error.strerror}")
    name, label, lines = _INFO.unpack(content)
    return Chip(number, _text(name), _text(label), lines)


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode("ascii", "replace")
