"""What is too old, or more than the log may hold, goes: from the beginning of the chain, which says so itself."""

from __future__ import annotations

import math

from device.service.audit import SHORTENED, Head, Link, forge, read_link
from device.service.event_table import EventTable, row_of

DAY_SECONDS = 86_400.0
# Removed at once at most, so that no event waits long; what is left over goes with the next ones.
MOST_LINES = 500
# A wrong date is not believed before so many lines in a row bear it: the log would go with the first.
LINES_TO_BELIEVE = 20


def shorten(
    table: EventTable, head: Head, told: dict[str, object], *, max_bytes: int, keep_days: float
) -> tuple[str, Head] | None:
    """Remove lines older than ``keep_days`` (and up to a day more, so that it is done once a day), and the oldest where
    the table takes more than ``max_bytes``. Returns the line that says so and the head it makes; None where nothing
    was to be done. Raises :class:`sqlite3.Error`, and then nothing has changed."""
    last, reason = _removable(table, max_bytes=max_bytes, keep_days=keep_days)
    if last == 0:
        return None
    removed = table.rows("WHERE n <= ? ORDER BY n DESC LIMIT 1", (last,))[0]
    first = table.first()
    kept = table.rows("WHERE n > ? ORDER BY n LIMIT 1", (last,))[0]
    link = read_link(removed.text)
    said = {
        "time": told["time"], "kind": SHORTENED, "at_seconds": told["at_seconds"], "reason": reason,
        "from": first.n if first is not None else last, "first": kept.n,
        # Where the last one removed was altered, the first one kept still names what stood there.
        "before": link.hash if isinstance(link, Link) else _named_by(kept.text),
    }  # fmt: skip
    with table.transaction(durably=False):
        table.remove_through(last)
        line, made = forge(said, head)
        table.put(row_of(made.n, line, said))
    return line, Head(n=made.n, hash=made.hash, first=kept.n)


def _named_by(text: str) -> str:
    link = read_link(text)
    return link.previous if isinstance(link, Link) else ""


def _removable(table: EventTable, *, max_bytes: int, keep_days: float) -> tuple[int, str]:
    """The number up to which lines go (0: none), and why. The newest always stay."""
    newest = table.rows(f"ORDER BY n DESC LIMIT {LINES_TO_BELIEVE}")
    oldest = table.rows("ORDER BY n LIMIT 1")
    if not newest or newest[-1].n == oldest[0].n:
        return 0, ""
    end = newest[-1].n
    if table.used_bytes() > max_bytes:
        # About a thirtieth of a log of the usual size, so that it happens rarely.
        going = table.rows("WHERE n < ? ORDER BY n LIMIT ?", (end, MOST_LINES))
        count = max(1, min(len(going), (end - oldest[0].n) // 10))
        return going[count - 1].n, f"more than {max_bytes / 1e6:g} MB"
    if math.isinf(keep_days):
        return 0, ""
    believed = min(each.unix_seconds if each.unix_seconds is not None else 0.0 for each in newest)
    too_old = believed - keep_days * DAY_SECONDS
    began = oldest[0].unix_seconds
    if began is not None and began >= too_old - DAY_SECONDS:
        return 0, ""
    last = 0
    for each in table.rows("WHERE n < ? ORDER BY n LIMIT ?", (end, MOST_LINES)):
        if each.unix_seconds is not None and each.unix_seconds >= too_old:
            break
        last = each.n
    return last, f"older than {keep_days:g} days"
