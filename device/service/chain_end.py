"""Where the chain goes on when the log is taken up: at a start, after a failure, after somebody else wrote to it."""

from __future__ import annotations

from pathlib import Path

from device.errors import ConfigError
from device.service.audit import Head, Link, read_head, read_link
from device.service.event_table import Row, damage
from device.settings import LARGEST

Said = list[dict[str, object]]


def chain_end(row: Row | None, known: Head, head_path: Path, *, has_excuse: bool) -> tuple[Head, Said]:
    """The head to go on from, and what the log has to say about itself first.

    ``row`` is its last one, ``known`` what this process wrote last. ``has_excuse``: that there is no row is accounted
    for already. Raises :class:`sqlite3.DatabaseError` for a log that cannot be gone on with, :class:`OSError` where the
    head cannot be read.
    """
    link = _link_of(row)
    if link is not None and (link.n, link.hash) == (known.n, known.hash):
        return known, []
    remembered, said = _remembered(head_path, is_expected=row is not None)
    if row is None:
        if remembered is not None and not has_excuse:
            said.append(_cut(remembered, Head()))
        # Without any line to go on from, the numbers go on from the head.
        return remembered or Head(), said
    first = remembered.first if remembered is not None else known.first
    if link is None:
        said.append({"kind": "chain_cut", "reason": f"line {row.n}, the last, was altered"})
        goes_on = remembered is not None and remembered.n >= row.n
        return (remembered if remembered is not None and goes_on else Head(n=row.n, first=first)), said
    found = Head(n=link.n, hash=link.hash, first=first)
    # A log that is ahead of its head lost nothing: the head is written last.
    if remembered is not None and (found.n, found.hash) != (remembered.n, remembered.hash):
        if found.n <= remembered.n:
            said.append(_cut(remembered, found))
    return found, said


def _link_of(row: Row | None) -> Link | None:
    if row is None:
        return None
    if not 0 < row.n < LARGEST:
        raise damage(f"its last line has the number {row.n}")
    link = read_link(row.text)
    return link if isinstance(link, Link) and link.n == row.n else None


def _remembered(path: Path, *, is_expected: bool) -> tuple[Head | None, Said]:
    try:
        head = read_head(path)
    except ConfigError as error:
        return None, [{"kind": "chain_cut", "reason": f"the head was damaged: {error}"}]
    if head is None and is_expected:
        return None, [{"kind": "chain_cut", "reason": "the head was missing"}]
    return head, []


def _cut(remembered: Head, found: Head) -> dict[str, object]:
    return {"kind": "chain_cut", "remembered_n": remembered.n, "remembered_hash": remembered.hash,
            "found_n": found.n, "found_hash": found.hash}  # fmt: skip
