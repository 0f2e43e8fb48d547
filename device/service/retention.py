"""What is too old, or more than the log may hold, goes: from the beginning of the chain, which says so itself."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from device.service.audit import SHORTENED, Head, Link, forge, read_link
from device.service.elapsed import DAY_SECONDS, Moment, elapsed_seconds
from device.service.event_table import EventTable, Row, row_of

# Removed at once at most, so that no event waits long; what is left over goes with the next ones.
MOST_LINES = 500
# So many of the newest always stay.
FEWEST_LINES = 20
_AT_SECONDS = re.compile(r'\{"n": \d+, "time": "[^"]*", "kind": "[^"]*", "at_seconds": (\d+(?:\.\d+)?(?:e\+?\d+)?)[,}]')


@dataclass(slots=True)
class Retention:
    """Keeps a log below ``max_bytes`` and ``keep_days``.

    A line is as old as both clocks say that the door has run since (:mod:`device.service.elapsed`): no date, however
    wrong, removes anything. Lines that are too old go at most a day late, so that it is done once a day.
    """

    max_bytes: int
    keep_days: float
    # Adding up the ages takes a look at every line: not before there can be one that is too old.
    _due_at_seconds: float = field(default=-math.inf, init=False)

    def shorten(self, table: EventTable, head: Head, payload: dict[str, object]) -> tuple[str, Head] | None:
        """Remove what is to go, at the time of the event ``payload``. Returns the line that says so and the head it
        makes; None where nothing was to be done. Raises what SQLite does, and then nothing has changed."""
        now = _moment_of(payload)
        last, reason = self._removable(table, now)
        if last == 0:
            return None
        removed = table.rows("WHERE n <= ? ORDER BY n DESC LIMIT 1", (last,))[0]
        first = table.first()
        remaining = table.rows("WHERE n > ? ORDER BY n LIMIT 1", (last,))[0]
        link = read_link(removed.text)
        line_payload = {
            "time": payload["time"], "kind": SHORTENED, "at_seconds": payload["at_seconds"], "reason": reason,
            "from": first.n if first is not None else last, "first": remaining.n,
            # Where the last one removed was altered, the first one kept still names what stood there.
            "before": link.hash if isinstance(link, Link) else _named_by(remaining.text),
        }  # fmt: skip
        with table.transaction(durably=False):
            table.remove_through(last)
            line, new_head = forge(line_payload, head)
            table.put(row_of(new_head.n, line, line_payload))
        return line, Head(n=new_head.n, hash=new_head.hash, first=max(1, remaining.n))

    def _removable(self, table: EventTable, now: Moment) -> tuple[int, str]:
        """The number up to which lines go (0: none), and why."""
        too_large = table.used_bytes() > self.max_bytes
        if not too_large and (self.keep_days == math.inf or 0.0 <= now.at_seconds < self._due_at_seconds):
            return 0, ""
        newest = table.rows(f"ORDER BY n DESC LIMIT {FEWEST_LINES}")
        going = table.rows("WHERE n < ? ORDER BY n LIMIT ?", (newest[-1].n, MOST_LINES)) if newest else []
        if too_large and going:
            # A tenth of a small log, so that it happens rarely.
            count = max(1, min(len(going), (newest[-1].n - going[0].n) // 10))
            return going[count - 1].n, f"more than {self.max_bytes / 1e6:g} MB"
        if self.keep_days == math.inf:
            return 0, ""
        ages = ages_of(table.rows("ORDER BY n"), now)
        keep_seconds = self.keep_days * DAY_SECONDS
        oldest_seconds = max(ages.values(), default=0.0)
        self._due_at_seconds = now.at_seconds + keep_seconds + DAY_SECONDS - oldest_seconds
        if self._due_at_seconds > now.at_seconds or not going:
            return 0, ""
        last = max((each.n for each in going if ages.get(each.n, 0.0) > keep_seconds), default=0)
        return last, f"older than {self.keep_days:g} days"


def ages_of(rows: Iterable[Row], now: Moment) -> dict[int, float]:
    """The age in seconds of each line, by its number; those that name no time are left out."""
    ages, age = dict[int, float](), 0.0
    before = now
    for n, moment in reversed(list(_moments(rows))):
        age += elapsed_seconds(moment, before)
        ages[n], before = age, moment
    return ages


def _moments(rows: Iterable[Row]) -> Iterator[tuple[int, Moment]]:
    for row in rows:
        match = _AT_SECONDS.match(row.text)
        if match is not None and row.unix_seconds is not None:
            yield row.n, Moment(float(match[1]), row.unix_seconds)


def _moment_of(payload: dict[str, object]) -> Moment:
    seconds = payload["at_seconds"]
    return Moment(
        float(seconds) if isinstance(seconds, int | float) else 0.0, row_of(0, "", payload).unix_seconds or 0.0
    )


def _named_by(text: str) -> str:
    link = read_link(text)
    return link.previous if isinstance(link, Link) else ""
