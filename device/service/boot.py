"""Time that no calendar moves: how long this boot of the machine lasts, and which boot it is.

What visits cost and prints of what was heard are measured with it: too long a time would forgive or forget too much.
A calendar may be set, or wrong where the machine has no clock of its own; across two boots nothing else is known, so no
time has passed there. For ages of events and clips, which must go on over boots, or nothing would ever be deleted, see
:mod:`device.service.elapsed`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class BootTime:
    """``boot``: the kernel's name of this boot, empty where it cannot be read; ``seconds`` since then, with sleep."""

    boot: str
    seconds: float


BootClock = Callable[[], BootTime]


def boot_time() -> BootTime:
    """Now, on this machine."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        # Another boot, to whoever compares: nothing has passed.
        boot = ""
    return BootTime(boot, time.clock_gettime(time.CLOCK_BOOTTIME))


def elapsed_seconds(since: BootTime, now: BootTime) -> float:
    """How much time has surely passed: 0 across two boots, or where the numbers contradict each other."""
    seconds = now.seconds - since.seconds
    same = since.boot == now.boot != ""
    return seconds if same and 0.0 < seconds < math.inf else 0.0
