"""Events as a person or a spreadsheet reads them, and the times that a person types."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from device.errors import ConfigError
from device.service.event_reader import StoredEvent
from device.service.explain import Told
from device.terminal.bars import printable

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
IN_A_LINE = ("resident", "open_seconds", "lost_seconds", "speech_seconds", "count", "lines", "error", "reason")
CSV_COLUMNS = ("n", "time", "kind", "outcome", "resident", "evidence", "open_llr", "clips", "speech_seconds",
               "level_dbfs", "reason", "kept_clip")  # fmt: skip


def parse_time(text: str, now: datetime, *, where: str = "--since") -> datetime:
    """``2h``, ``30m``, ``7d`` ago, or an ISO date or time (the door's time zone where none is given)."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match:
        try:
            return now - timedelta(seconds=int(match[1]) * UNITS[match[2]])
        except OverflowError:
            return datetime.min.replace(year=1970, tzinfo=now.tzinfo)
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            "not a time", where=where, received=text, allowed="such as 2h, 30m, 7d, 2026-11-20, 2026-11-20T18:30"
        ) from error
    return told if told.tzinfo is not None else told.replace(tzinfo=now.tzinfo)


def in_a_line(told: Told) -> str:
    """The event for a person: number, time, what it is, and what matters most. The reason of a decision names whom the
    door took the voice for, and by how much."""
    what = str(told.get("kind", "?"))
    if what == "decision":
        what = str(told.get("outcome", "?")).replace("_", " ")
        who, rest = str(told.get("resident") or ""), str(told.get("reason", ""))
        rest = rest if who in rest else f"nearest {who}: {rest}"
    else:
        rest = ", ".join(f"{key.replace('_', ' ')} {told[key]}" for key in IN_A_LINE if told.get(key) not in (None, ""))
    time = str(told.get("time", ""))[:19].replace("T", " ")
    return printable(f"{told.get('n', '?'):>6}  {time}  {what:14s} {' '.join(rest.split())}".rstrip())


def as_csv(events: Iterable[StoredEvent]) -> str:
    """One row an event under a row of names; what has no column of its own stands in ``details`` as JSON."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow([*CSV_COLUMNS, "details"])
    for event in events:
        rest = {key: value for key, value in event.told.items() if key not in CSV_COLUMNS}
        writer.writerow([*(_cell(event.told.get(key)) for key in CSV_COLUMNS), json.dumps(rest, ensure_ascii=False)])
    return made.getvalue()


def _cell(value: object) -> object:
    # A spreadsheet takes a text that begins so for a formula, and names come from outside.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_json(events: Iterable[StoredEvent]) -> str:
    """A list of the events' lines as they stand in the log."""
    return "[\n" + ",\n".join(event.text for event in events) + "\n]\n"
