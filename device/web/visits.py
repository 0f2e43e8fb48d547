"""What happened, read from the event log for one page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from device.service.event_reader import EventReader, Wanted
from device.web.words import TROUBLE, VISITS, Told

# A page longer than this is read by nobody; `device events` exports everything.
MOST = 500
SHOWN: dict[str, tuple[str, ...]] = {"visits": VISITS, "trouble": TROUBLE, "all": ()}


class Visits:
    """The log at ``path``, opened for each page anew, since pages come on several threads.

    Raises :class:`~device.errors.DataError` where there is none, :class:`~device.errors.StateError` where it cannot be
    read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def of_day(self, day: date, show: str) -> Sequence[Told]:
        """The last :data:`MOST` events of a day of the door's calendar, newest first; ``show`` is of :data:`SHOWN`."""
        since = datetime.combine(day, time()).astimezone()
        until = datetime.combine(day + timedelta(days=1), time()).astimezone()
        with EventReader(self._path) as reader:
            found = reader.latest(MOST, Wanted(kinds=SHOWN[show], since=since, until=until))
        return [each.told for each in reversed(found)]

    def get(self, n: int) -> Told | None:
        """The event of number ``n``."""
        with EventReader(self._path) as reader:
            found = reader.get(n)
        return None if found is None else found.told
