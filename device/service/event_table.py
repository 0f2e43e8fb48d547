"""The event log as an SQLite file: a row for each line of the chain, and columns to look for it by.

The line itself is the truth; the columns repeat what it says (``events verify`` compares them). There is no index but
the number: each would be one more page written on the SD card for every event, to search a few thousand rows.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

from device.ownership import give_to_owner_of_folder

_LOG = logging.getLogger(__name__)
# Written back to the file after so many pages, so that no opening waits for a large batch.
CHECKPOINT_PAGES = 100
LONGEST_LINE_BYTES = 1 << 22
COLUMNS = "n, unix_seconds, kind, person, outcome, text"
SCHEMA = """CREATE TABLE IF NOT EXISTS events (
    n INTEGER PRIMARY KEY, unix_seconds REAL, kind TEXT NOT NULL, person TEXT NOT NULL, outcome TEXT NOT NULL,
    text TEXT NOT NULL)"""
INSERT = f"INSERT OR IGNORE INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
# What SQLite raises; the second where a damaged file's own words are no text.
FAILURES = (sqlite3.Error, UnicodeDecodeError)
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Row:
    """One line (``text``) and what is told of it in columns; ``unix_seconds`` is None where its time is none."""

    n: int
    unix_seconds: float | None
    kind: str
    person: str
    outcome: str
    text: str


def row_of(n: int, text: str, told: Mapping[str, object]) -> Row:
    """The row of a line that says ``told``."""
    try:
        unix_seconds = datetime.fromisoformat(str(told.get("time"))).timestamp()
    except (ValueError, OverflowError):
        unix_seconds = None
    person = told.get("resident") or told.get("person") or ""
    return Row(n, unix_seconds, _plain(told.get("kind", "")), _plain(person), _plain(told.get("outcome", "")), text)


def _plain(value: object) -> str:
    """A file name in an error's message may have letters that UTF-8 has not."""
    return str(value).encode(errors="backslashreplace").decode()


def row_from(values: tuple[object, ...]) -> Row:
    """A row as SQLite hands it out, which may hold anything anywhere: what is of the wrong type counts as absent."""
    n, unix_seconds, *texts = values
    kind, person, outcome, text = (each if isinstance(each, str) else "" for each in texts)
    number = isinstance(unix_seconds, int | float) and math.isfinite(unix_seconds)
    return Row(
        n if isinstance(n, int) else 0, float(str(unix_seconds)) if number else None, kind, person, outcome, text
    )


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether ``error`` speaks of a file that is no good, not of a disk that takes nothing at the moment."""
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def is_passing(error: Exception) -> bool:
    """Whether a connection that raised ``error`` will do again when its cause is gone: the disk was full, say."""
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, OSError)
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
    )


def is_busy(error: Exception) -> bool:
    """Whether somebody else has the log at the moment: another process that changes it, such as ``forget``."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return isinstance(error, BlockingIOError)


def damage(what: str) -> sqlite3.DatabaseError:
    """An error like SQLite's own about a file that is no good."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def connect(address: str, *, patience_seconds: float) -> sqlite3.Connection:
    """A connection to the file or ``file:`` address, without transactions of its own, for any one thread at a time."""
    made = sqlite3.connect(
        address, uri=address.startswith("file:"), isolation_level=None, timeout=patience_seconds,
        check_same_thread=False,
    )  # fmt: skip
    # What a damaged file declares to be a line of a gigabyte is not believed.
    made.text_factory = lambda content: content.decode(errors="replace")
    made.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_LINE_BYTES)
    return made


def make_empty(path: Path) -> None:
    """An empty file at ``path`` for its owner alone, where there is none.

    No file is opened and closed here: closing one drops every lock that SQLite has on it for this process, and then
    another process that leaves the log takes the write-ahead log, with the newest events, away under this one.
    """
    try:
        os.mknod(path, 0o600 | stat.S_IFREG)
    except FileExistsError:
        return
    give_to_owner_of_folder(path)


class EventTable:
    """The table in the file at ``path``, made where there is none, for its owner alone.

    Raises one of :data:`FAILURES` where it cannot be opened; :func:`is_damage` tells whether the file is to blame. Its
    structure is checked here. ``patience_seconds``: how long to wait for another writer.
    """

    def __init__(self, path: Path, *, patience_seconds: float = 0.2) -> None:
        make_empty(path)
        self._connection = connect(str(path), patience_seconds=patience_seconds)
        try:
            self._prepare()
        except FAILURES:
            self._connection.close()
            raise
        self._file = _identity(path)
        self._path = path

    def _prepare(self) -> None:
        execute = self._connection.execute
        if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            _LOG.warning("the event log's folder allows no write-ahead log: whoever reads holds up whoever writes")
        execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # What was forgotten or has become too old is overwritten, not only no longer listed.
        execute("PRAGMA secure_delete = ON")
        found = str(execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise damage(found)
        execute(SCHEMA)

    def is_current(self) -> bool:
        """Whether the path still leads to the file that was opened: SQLite would go on in a deleted one."""
        try:
            return _identity(self._path) == self._file
        except FileNotFoundError:
            return False

    @contextmanager
    def transaction(self, *, durably: bool) -> Iterator[None]:
        """All or nothing; ``durably``: on the disk, with everything before it, once the block has been left."""
        execute = self._connection.execute
        execute(f"PRAGMA synchronous = {'FULL' if durably else 'NORMAL'}")
        execute("BEGIN IMMEDIATE")
        try:
            yield
            execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                execute("ROLLBACK")

    def put(self, row: Row) -> bool:
        """Add ``row``; False where its number is taken."""
        return self._connection.execute(INSERT, astuple(row)).rowcount == 1

    def replace(self, row: Row) -> None:
        """Put ``row`` in the place of the one of its number."""
        values = (row.unix_seconds, row.kind, row.person, row.outcome, row.text, row.n)
        self._connection.execute(
            "UPDATE events SET unix_seconds = ?, kind = ?, person = ?, outcome = ?, text = ? WHERE n = ?", values
        )

    def remove_through(self, n: int) -> None:
        """Remove every row up to number ``n``."""
        self._connection.execute("DELETE FROM events WHERE n <= ?", (n,))

    def rows(self, where: str = "", values: tuple[object, ...] = ()) -> list[Row]:
        """Rows by number; ``where`` is what follows the table's name in the statement."""
        return [row_from(each) for each in self._connection.execute(f"SELECT {COLUMNS} FROM events {where}", values)]

    def first(self) -> Row | None:
        return next(iter(self.rows("ORDER BY n LIMIT 1")), None)

    def last(self) -> Row | None:
        return next(iter(self.rows("ORDER BY n DESC LIMIT 1")), None)

    def used_bytes(self) -> int:
        """What the rows take in the file; pages that are free count as nothing."""
        pages, free, size = (self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                             for name in ("page_count", "freelist_count", "page_size"))  # fmt: skip
        return int((pages - free) * size)

    def wipe_log(self) -> bool:
        """Write the write-ahead log back and empty it, where old rows still stand; False while somebody reads."""
        return bool(self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)

    def close(self) -> None:
        self._connection.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
