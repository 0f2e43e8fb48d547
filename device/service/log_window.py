"""The event log read inside the daemon, beside its own writer: for the page, a part at a time.

It is open for the length of an answer, so that whoever changes the log as a whole finds nobody in it. SQLite knows of
the writer's connection in this process and keeps its locks; the file must not be opened by other means: closing it
would drop them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from device.errors import DataError, StateError
from device.service.event_reader import Wanted
from device.service.event_table import COLUMNS, FAILURES, Row, connect, row_from

PATIENCE_SECONDS = 2.0
# Together with the rest of an answer below what may be sent at once.
MOST_BYTES = 150 << 10
# What a list of events shows; the whole event is asked for by its number.
IN_SHORT = (
    "kind",
    "time",
    "outcome",
    "resident",
    "person",
    "by",
    "reason",
    "kept_clip",
    "role",
    "asked",
    "lost_seconds",
)
LONGEST_FIELD = 2000


class LogWindow:
    """The log at ``path``. Raises :class:`DataError` where there is none, :class:`StateError` where it cannot be read.
    For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def newest(self, count: int, *, kinds: tuple[str, ...], since: datetime | None, until: datetime | None,
               through: int) -> tuple[list[Mapping[str, object]], bool]:  # fmt: skip
        """At most ``count`` events up to number ``through``, newest first, in short; and whether more of them are left
        because the answer would be too long."""
        condition, values = Wanted(kinds=kinds, since=since, until=until).condition()
        rows = self._rows(f"WHERE n <= ?{' AND ' if condition else ''}{condition} ORDER BY n DESC LIMIT ?",
                          (through, *values, count))  # fmt: skip
        taken: list[Mapping[str, object]] = []
        size = 0
        for row in rows:
            event = _in_short(row)
            size += len(json.dumps(event, default=str)) + 2
            if taken and size > MOST_BYTES:
                return taken, True
            taken.append(event)
        return taken, False

    def event(self, n: int) -> Mapping[str, object] | None:
        """The event of number ``n``, whole unless it is too long to be sent; None where there is none."""
        row = next(iter(self._rows("WHERE n = ?", (n,))), None)
        if row is None:
            return None
        whole = {**_table(row.text), "n": row.n}
        if len(json.dumps(whole, default=str)) <= MOST_BYTES:
            return whole
        return {**_in_short(row), "left_out": "this event is too long to be shown; `voicelatch events export` has it"}

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Row]:
        try:
            # Looking at its entry in the folder opens nothing.
            if not self.path.exists():
                raise DataError(
                    "there is no event log here",
                    next_step="without [events] path and outside systemd, events go to standard output alone",
                )
            address = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(connect(address, patience_seconds=PATIENCE_SECONDS)) as connection:
                found = connection.execute(f"SELECT {COLUMNS} FROM events {where}", values).fetchall()
        except (OSError, OverflowError, *FAILURES) as error:
            raise StateError("the event log cannot be read", received=type(error).__name__,
                             next_step="see the daemon's journal") from error  # fmt: skip
        return [row_from(each) for each in found]


def _in_short(row: Row) -> Mapping[str, object]:
    event = _table(row.text)
    short: dict[str, object] = {"kind": row.kind}
    for key in IN_SHORT:
        value = event.get(key)
        if isinstance(value, str | int | float):
            short[key] = value[:LONGEST_FIELD] if isinstance(value, str) else value
    return {**short, "n": row.n}


def _table(text: str) -> dict[str, object]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
