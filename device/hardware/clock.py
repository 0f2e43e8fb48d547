"""The machine's own clock."""

from __future__ import annotations

import time
from datetime import datetime


class SystemClock:
    """:class:`~device.ports.Clock` on the monotonic clock and the local time zone, as it is set now."""

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    def wall_time(self) -> datetime:
        # Else a process keeps the zone of its start, and with it the hours at which people may come.
        time.tzset()
        return datetime.now().astimezone()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
