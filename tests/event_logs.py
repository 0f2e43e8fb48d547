"""Event logs as a test looks at them, and as somebody who wants to deceive changes them."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from device.ports import Event
from device.service.audit import Verdict
from device.service.event_reader import EventReader
from device.service.event_table import row_of
from device.service.events import FileEvents


def spoken(number: int) -> Event:
    return Event(kind="speech", at_seconds=float(number), wall_time=datetime(2026, 1, 2, tzinfo=UTC),
                 details={"number": number})  # fmt: skip


def sink(path: Path, **more: object) -> FileEvents:
    return FileEvents(path, **{"max_bytes": 1_000_000, **more})  # type: ignore[arg-type]


def verdict(path: Path) -> Verdict:
    with EventReader(path) as reader:
        return reader.verdict()


def lines(path: Path) -> list[str]:
    with EventReader(path) as reader:
        return [event.text for event in reader.all()]


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(path)]


def kinds(path: Path) -> list[str]:
    return [each["kind"] for each in told(path)]


def change(path: Path, statement: str, values: Sequence[object] = ()) -> None:
    """What a hand with an SQLite program could do."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def rewrite(path: Path, changed: Sequence[str], *, first: int = 1) -> None:
    """Let the log hold these lines, at the numbers from ``first`` on, with columns that agree."""
    change(path, "DELETE FROM events")
    for n, text in enumerate(changed, start=first):
        try:
            says = json.loads(text)
        except ValueError:
            says = {}
        row = row_of(n, text, says)
        change(path, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
               (row.n, row.unix_seconds, row.kind, row.person, row.outcome, row.text))  # fmt: skip
