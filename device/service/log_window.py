"""The event log read inside the daemon, beside its own writer: for the page, a part at a time.

One connection stays open as long as the log's file is the same, and the file is never opened by other means: a process
that closes a second look at an SQLite file can lose the locks of its first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
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
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0)

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
        return {**_in_short(row), "left_out": "this event is too long to be shown; `voicelatch events show` has it"}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Row]:
        try:
            found = self._opened().execute(f"SELECT {COLUMNS} FROM events {where}", values).fetchall()
        except (OSError, OverflowError, *FAILURES) as error:
            self.close()
            raise StateError("the event log cannot be read", received=type(error).__name__,
                             next_step="see the daemon's journal") from error  # fmt: skip
        return [row_from(each) for each in found]

    def _opened(self) -> sqlite3.Connection:
        try:
            status = self.path.stat()
        except FileNotFoundError as error:
            self.close()
            raise DataError(
                "there is no event log here",
                next_step="without [events] path and outside systemd, events go to standard output alone",
            ) from error
        file = (status.st_dev, status.st_ino)
        if self._connection is None or file != self._file:
            # Set aside and begun anew, or moved: what was open is another file.
            self.close()
            self._connection = connect(f"{self.path.absolute().as_uri()}?mode=ro", patience_seconds=PATIENCE_SECONDS)
            self._file = file
        return self._connection


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
