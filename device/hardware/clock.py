"""The machine's own clock."""

from __future__ import annotations

import time
from datetime import datetime


class SystemClock:
    """:class:`~device.ports.Clock` on the monotonic clock and the local time zone."""

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    def wall_time(self) -> datetime:
        return datetime.now().astimezone()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
