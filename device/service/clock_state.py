"""Whether somebody has set this machine's clock since it started: a board without a battery begins anywhere."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

# Nothing that this program does can have happened before it was written.
EARLIEST = datetime(2026, 11, 1, tzinfo=UTC)
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
# 1 where the kernel took the time from the board's own clock when it started. A Raspberry Pi 5 has one, and a battery
# for it only where somebody connected one: without, it begins in 1970, and systemd moves the calendar on to where it
# last was. What that clock shows itself (seconds since 1970) stands beside.
SET_FROM_HARDWARE = Path("/sys/class/rtc/rtc0/hctosys")
SHOWN_BY_HARDWARE = "since_epoch"
# A board's clock may be set to local time.
ZONE_SECONDS = 15 * 3600
_STA_UNSYNC = 0x0040
# The status word's place in Linux's struct timex: after modes (padded), offset, freq, maxerror and esterror.
_LONGS_BEFORE_STATUS = 5
_TIMEX_BYTES = 256


class ClockState(Protocol):
    """Knows whether the calendar can be believed. ``problem`` says why not at ``now``, empty where it can."""

    def problem(self, now: datetime) -> str: ...


@dataclass(frozen=True, slots=True)
class TrustedClock:
    """A :class:`ClockState` for clocks that are always right, such as those of simulations."""

    def problem(self, _now: datetime) -> str:
        return ""


def kernel_is_synchronised() -> bool:
    """Whether the kernel was told by a time service that the clock is right; False where it may not be asked."""
    try:
        timex = (ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))()
        if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
            return False
        return not ctypes.c_int(timex[_LONGS_BEFORE_STATUS] & 0xFFFFFFFF).value & _STA_UNSYNC
    except (OSError, AttributeError, MemoryError):
        return False


@dataclass(frozen=True, slots=True)
class SystemClockState:
    """:class:`ClockState` of this machine: set by a time service, or from a battery-backed clock, and no date before
    :data:`EARLIEST`."""

    synchronized: Path = SYNCHRONIZED
    set_from_hardware: Path = SET_FROM_HARDWARE
    kernel: Callable[[], bool] = kernel_is_synchronised

    def problem(self, now: datetime) -> str:
        if now < EARLIEST:
            return f"the clock was never set: it shows {now:%Y-%m-%d}"
        if self.synchronized.exists() or self.kernel() or self._hardware_knows(now):
            return ""
        return "the clock was not set since this machine started: no time server, no battery-backed clock"

    def _hardware_knows(self, now: datetime) -> bool:
        shown = _whole_number(self.set_from_hardware.with_name(SHOWN_BY_HARDWARE))
        return _whole_number(self.set_from_hardware) == 1 and abs(now.timestamp() - shown) <= ZONE_SECONDS


def _whole_number(path: Path) -> int:
    """What stands in a file of the kernel's; 0 where it cannot be read or is none."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
