"""The event log read from beside the daemon, which goes on writing: commands, the page, the gateway.

The file is opened for reading alone, and no query stays open: nobody who reads holds up the door. It is never opened
other than by SQLite, since closing it would drop SQLite's locks (see :func:`~device.service.event_table.make_empty`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from device.errors import ConfigError, DataError, StateError
from device.service.audit import Head, Place, Verdict, read_head, verify
from device.service.event_table import COLUMNS, FAILURES, Row, connect, is_damage, row_from, row_of
from device.service.log_files import LogFiles
from device.settings import LARGEST

BATCH = 500
# Verifying is done again where the log was chained anew meanwhile; on a log that never rests, not for ever.
MOST_LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events: of one of ``kinds`` (none: any), about ``person``, of ``outcome``, not before ``since``, before
    ``until`` (both aware). Whoever is asked for by ``person`` is the one a decision names, also where it refused."""

    kinds: tuple[str, ...] = ()
    person: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> tuple[str, list[object]]:
        """As a part of a statement (empty: everything), with its values."""
        parts, values = list[str](), list[object]()
        if self.kinds:
            parts.append(f"kind IN ({', '.join('?' * len(self.kinds))})")
            values += self.kinds
        for column, value in (("person", self.person), ("outcome", self.outcome)):
            if value:
                parts.append(f"{column} = ?")
                values.append(value)
        for sign, time in ((">=", self.since), ("<", self.until)):
            if time is not None:
                parts.append(f"unix_seconds {sign} ?")
                values.append(time.timestamp())
        return " AND ".join(parts), values


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of the log: its number, its line (JSON) as it stands there, and what the line tells."""

    n: int
    text: str
    told: Mapping[str, Any]


class EventReader:
    """The log at ``path``, which the daemon may be writing. Not for several threads at once.

    Every method raises :class:`DataError` where there is no log and :class:`StateError` where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.files = LogFiles(path)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def after(self, n: int, wanted: Wanted = EVERYTHING, *, most: int = BATCH) -> list[StoredEvent]:
        """The first ``most`` events with a number above ``n``, oldest first."""
        condition, values = wanted.condition()
        rows = self._rows(f"WHERE n > ?{' AND ' if condition else ''}{condition} ORDER BY n LIMIT ?",
                          (n, *values, most))  # fmt: skip
        return [_stored(row) for row in rows]

    def latest(self, count: int, wanted: Wanted = EVERYTHING, *, through: int = LARGEST) -> list[StoredEvent]:
        """The last ``count`` events, of those up to number ``through``, oldest first."""
        condition, values = wanted.condition()
        rows = self._rows(f"WHERE n <= ?{' AND ' if condition else ''}{condition} ORDER BY n DESC LIMIT ?",
                          (through, *values, count))  # fmt: skip
        return [_stored(row) for row in reversed(rows)]

    def all(self, wanted: Wanted = EVERYTHING) -> Iterator[StoredEvent]:
        """Every event, oldest first, a batch at a time."""
        n = 0
        while found := self.after(n, wanted):
            yield from found
            # In a damaged file rows may come in any order, and for ever.
            n = max(n + 1, found[-1].n)

    def get(self, n: int) -> StoredEvent | None:
        """The event of number ``n``."""
        return next((_stored(row) for row in self._rows("WHERE n = ?", (n,))), None)

    def span(self) -> tuple[int, int]:
        """The numbers of the oldest and the newest event; (0, 0) in an empty log."""
        ends = [*self._rows("ORDER BY n LIMIT 1", ()), *self._rows("ORDER BY n DESC LIMIT 1", ())]
        return (ends[0].n, ends[-1].n) if ends else (0, 0)

    def newest_unix_seconds(self) -> float | None:
        """The calendar of the newest event, None in an empty log or where its time is none."""
        return next((row.unix_seconds for row in self._rows("ORDER BY n DESC LIMIT 1", ())), None)

    def verdict(self) -> Verdict:
        """Whether the log is whole. Raises :class:`~device.errors.ConfigError` where its head is damaged."""
        for _ in range(MOST_LOOKS):
            # The head first: a daemon that writes meanwhile can only put the log ahead of it.
            head = _head(self.files.head)
            result = self._verify(head)
            # Somebody may have been forgotten between the two looks: then the chain is another one.
            if not result.problems or _head(self.files.head) == head:
                break
        return result

    def _verify(self, head: Head | None) -> Verdict:
        rows = self._rows("ORDER BY n", ())
        result = verify(((row.n, row.text) for row in rows), head, path=self.files.path, head_path=self.files.head)
        for row in rows:
            told = _told(row.text)
            if told.get("n", row.n) != row.n or (told and row_of(row.n, row.text, told) != row):
                result.problems.append(Place(self.files.path, row.n, "its columns do not say what its line says"))
        return result

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> EventReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, where: str, values: tuple[object, ...]) -> list[Row]:
        try:
            found = self._opened().execute(f"SELECT {COLUMNS} FROM events {where}", values).fetchall()
        except (OSError, *FAILURES) as error:
            self.close()
            if _is_new(error):
                raise _no_log(self.files.path) from error
            raise StateError(
                "the event log cannot be read",
                where=str(self.files.path),
                received=error,
                next_step="ask as the daemon's user or as root; a damaged file the daemon sets aside when it starts",
            ) from error
        return [row_from(each) for each in found]

    def _opened(self) -> sqlite3.Connection:
        path = self.files.path
        inode = _inode_of(path)
        if self._connection is not None and (inode == 0 or inode != self._inode):
            self.close()
        if self._connection is None:
            if inode == 0:
                raise _no_log(path)
            self._connection, lasts = _connect(path)
            self._inode = inode if lasts else -1
        return self._connection


def _inode_of(path: Path) -> int:
    """0 where there is nothing yet. Looking must not open the file."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _is_new(error: Exception) -> bool:
    """Whether the daemon is only just making the log."""
    return isinstance(error, sqlite3.OperationalError) and "no such table: events" in str(error)


def _no_log(path: Path) -> DataError:
    return DataError(
        "there is no event log here",
        where=str(path),
        next_step="without [events] path and outside systemd, events go to standard output alone",
    )


def _head(path: Path) -> Head | None:
    try:
        return read_head(path)
    except ConfigError:
        # It is written over in place: this may have been the moment.
        return read_head(path)


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it sees what is written later."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = connect(address, patience_seconds=5.0)
    try:
        connection.execute("SELECT n FROM events LIMIT 1").fetchall()
    except FAILURES as error:
        connection.close()
        if is_damage(error) or _is_new(error) or path.with_name(f"{path.name}-wal").exists():
            raise
        # Where it may not write, and nobody else does just now, SQLite finds no place for its notes and needs none.
        return connect(f"{address}&immutable=1", patience_seconds=0.0), False
    return connection, True


def _told(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _stored(row: Row) -> StoredEvent:
    # A line that is none still has its number: `verify` says what is wrong with it.
    return StoredEvent(row.n, row.text, _told(row.text) or {"n": row.n})
