"""What happened, asked of the door for one page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from device.web.door import DoorClient
from device.web.words import TROUBLE, VISITS, Told

# A page longer than this is read by nobody; `device events` exports everything.
MOST = 500
SHOWN: dict[str, tuple[str, ...]] = {"visits": VISITS, "trouble": TROUBLE, "all": ()}


@dataclass(frozen=True, slots=True)
class Visits:
    """The log of ``door``. Raises what that raises."""

    door: DoorClient

    def of_day(self, day: date, show: str) -> Sequence[Told]:
        """The last :data:`MOST` events of a day of the door's calendar, newest first; ``show`` is of :data:`SHOWN`."""
        since = datetime.combine(day, time()).astimezone()
        until = datetime.combine(day + timedelta(days=1), time()).astimezone()
        return self.door.events(kinds=SHOWN[show], since=since, until=until, most=MOST)

    def get(self, n: int) -> Told | None:
        """The event of number ``n``."""
        return self.door.event(n)
