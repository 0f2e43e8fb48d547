"""A log of JSON lines, as earlier versions wrote it, is taken over into the database: every line as it stands.

It lies at the log's own path, or beside it as ``<name>.jsonl``, the newest lines in the file itself, older ones in
``.1``. A line that has no place in the table stays in its file, which is set aside; the chain goes on in the table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigError
from device.ownership import give_to_owner_of_folder
from device.service.audit import Head, Verdict, read_head, verify
from device.service.event_table import EventTable, Row, row_of
from device.service.log_files import LogFiles
from device.settings import LARGEST

MOST_PROBLEMS_TOLD = 20


@dataclass(frozen=True, slots=True)
class OldLog:
    """Files of JSON lines, oldest first, and their head."""

    files: tuple[Path, ...]
    head: Path

    def lines(self) -> list[str]:
        """Every line, an unfinished one at the end included; bytes that are no text become marks."""
        return [line.decode(errors="replace") for path in self.files for line in path.read_bytes().split(b"\n") if line]

    def verdict(self) -> Verdict:
        try:
            head: Head | None = read_head(self.head)
        except ConfigError:
            head = None
        return verify(enumerate(self.lines(), start=1), head, path=self.files[-1], head_path=self.head)


def find_old(path: Path) -> OldLog | None:
    """The JSON lines that belong to the log at ``path``, None where there are none."""
    beside = path.with_suffix(".jsonl")
    for base, newest in ((path, (_aside(path), path)), (beside, (beside,))):
        present = tuple(each for each in (base.with_name(f"{base.name}.1"), *newest) if _is_lines(each))
        if present:
            return OldLog(present, base.with_name(f"{base.name}.head"))
    return None


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.lines")


def _is_lines(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except FileNotFoundError:
        return False


def make_room(files: LogFiles) -> None:
    """Where JSON lines stand at the database's own path, move them out of its way."""
    if not _is_lines(files.path):
        return
    if _aside(files.path).exists():
        files.set_aside(files.path)
    else:
        os.replace(files.path, _aside(files.path))


def rows_of(lines: Iterable[str]) -> tuple[list[Row], int]:
    """The row of each line, whatever its hash, and how many lines have no number to stand at."""
    rows, left_out = [], 0
    for text in lines:
        try:
            told = json.loads(text)
            row = row_of(int(told["n"]), text, told)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            left_out += 1
            continue
        if 0 < row.n <= LARGEST:
            rows.append(row)
        else:
            left_out += 1
    return rows, left_out


def take_over(files: LogFiles, table: EventTable) -> dict[str, object] | None:
    """Copy the old log into ``table``, then remove its files (set them aside, where lines were left out).

    Returns what the log shall say about it; None where there was nothing to take over. Done again after a power cut in
    the middle of it, it ends as if there had been none. Raises :class:`OSError` and :class:`sqlite3.Error`.
    """
    old = find_old(files.path)
    if old is None:
        return None
    verdict = old.verdict()
    before = table.last()
    rows, left_out = rows_of(old.lines())
    with table.transaction(durably=True):
        for row in rows:
            if not table.put(row) and table.rows("WHERE n = ?", (row.n,))[0].text != row.text:
                left_out += 1
    if old.head != files.head and old.head.exists() and not files.head.exists():
        os.replace(old.head, files.head)
        give_to_owner_of_folder(files.head)
    told: dict[str, object] = {"lines": verdict.lines, "left_out": left_out}
    if verdict.problems:
        told["problems_before"] = [str(each) for each in verdict.problems[:MOST_PROBLEMS_TOLD]]
    for path in old.files:
        if left_out:
            told["kept_in"] = files.set_aside(path).name
        else:
            path.unlink()
    _tidy(old, files)
    after = table.last()
    return told if left_out or (before.n if before else 0) != (after.n if after else 0) else None


def _tidy(old: OldLog, files: LogFiles) -> None:
    base = old.head.name.removesuffix(".head")
    aside = [files.path.with_name(f"{base}.torn")]
    if base != files.path.name:
        aside += sorted(files.path.parent.glob(f"{base}.damaged-*"))
        files.path.with_name(f"{base}.lock").unlink(missing_ok=True)
    for path in aside:
        if path.exists():
            files.set_aside(path)
