"""What is too old, or more than the log may hold, goes: from the beginning of the chain, which says so itself."""

from __future__ import annotations

from device.service.audit import SHORTENED, Head, Link, forge, read_link
from device.service.event_table import EventTable, Row, row_of

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
    was to be done. Raises what SQLite does, and then nothing has changed."""
    now_seconds = row_of(0, "", told).unix_seconds or 0.0
    last, reason = _removable(table, now_seconds=now_seconds, max_bytes=max_bytes, keep_days=keep_days)
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
    return line, Head(n=made.n, hash=made.hash, first=max(1, kept.n))


def _named_by(text: str) -> str:
    link = read_link(text)
    return link.previous if isinstance(link, Link) else ""


def _removable(table: EventTable, *, now_seconds: float, max_bytes: int, keep_days: float) -> tuple[int, str]:
    """The number up to which lines go (0: none), and why. The newest always stay."""
    # A line without a time (nobody knows what wrote it) is as old as those after it.
    oldest = next(iter(table.rows("WHERE unix_seconds IS NOT NULL ORDER BY n LIMIT 1")), None)
    too_large = table.used_bytes() > max_bytes
    if not too_large and (oldest is None or not _is_old(oldest, now_seconds, keep_days + 1.0)):
        return 0, ""
    newest = table.rows(f"ORDER BY n DESC LIMIT {LINES_TO_BELIEVE}")
    going = table.rows("WHERE n < ? ORDER BY n LIMIT ?", (newest[-1].n, MOST_LINES)) if newest else []
    if not going:
        return 0, ""
    if too_large:
        # A tenth of a small log, so that it happens rarely.
        count = max(1, min(len(going), (newest[-1].n - going[0].n) // 10))
        return going[count - 1].n, f"more than {max_bytes / 1e6:g} MB"
    believed = min(each.unix_seconds if each.unix_seconds is not None else 0.0 for each in newest)
    last = 0
    if oldest is not None and _is_old(oldest, believed, keep_days + 1.0):
        for each in going:
            if each.unix_seconds is not None and not _is_old(each, believed, keep_days):
                break
            last = each.n if each.unix_seconds is not None else last
    return last, f"older than {keep_days:g} days"


def _is_old(row: Row, now_seconds: float, days: float) -> bool:
    return row.unix_seconds is not None and row.unix_seconds < now_seconds - days * DAY_SECONDS
