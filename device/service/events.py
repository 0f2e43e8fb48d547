"""Where events go: one JSON object a line in a chain of hashes, to a file that is capped, or to standard output."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TextIO

from device.errors import ConfigError
from device.ports import Event
from device.service.audit import NOTHING, Head, Link, dump, forge, read_head, read_link, write_head
from device.service.log_files import LogFiles, tail_of

_LOG = logging.getLogger(__name__)
# `forget` holds the files for a moment; nobody may hold up the door by them.
PATIENCE_SECONDS = 0.2


def as_table(event: Event) -> dict[str, object]:
    """The event ready for JSON, with its kind and both times first."""
    return {
        "time": event.wall_time.isoformat(timespec="milliseconds"),
        "kind": event.kind,
        "at_seconds": round(event.at_seconds, 3),
        **event.details,
    }


class StreamEvents:
    """:class:`~device.ports.EventSink` on a text stream (standard output by default), a chain from its beginning."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._head = Head()
        self.lost = 0

    def record(self, event: Event) -> None:
        line, head = forge(as_table(event), self._head)
        self.pass_on(line)
        self._head = head

    def pass_on(self, line: str) -> None:
        """A line made elsewhere."""
        try:
            print(line, file=self._stream, flush=True)
        except (OSError, ValueError) as error:
            # A closed pipe is no reason to stop listening; say so once and count.
            self.lost += 1
            if self.lost == 1:
                _LOG.error("events cannot be written to standard output: %s", error)

    def close(self) -> None:
        """The stream belongs to somebody else."""


class FileEvents:
    """:class:`~device.ports.EventSink` on ``path``; at ``max_bytes`` it becomes ``path.1`` and starts afresh.

    The chain goes on over restarts and files. An event of an opening is on the disk when :meth:`record` returns; others
    are with the operating system. A disk that is full or read-only never reaches the door: ``lost`` counts, the first
    loss is logged, each later event is tried anew, and the log says itself how many are missing when it goes on.
    ``copy``: a stream (the journal) that gets every line too.
    """

    def __init__(self, path: Path, *, max_bytes: int, copy: StreamEvents | None = None) -> None:
        self._files, self._max_bytes, self._copy = LogFiles(path), max_bytes, copy
        self._head = Head()
        # The current file as this object left it (inode, bytes); None: to be looked at before the next line.
        self._left: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self.lost = 0
        self._untold = 0
        self._complaining = False

    def record(self, event: Event) -> None:
        told = as_table(event)
        with self._lock:
            try:
                self._files.path.parent.mkdir(parents=True, exist_ok=True)
                with self._files.locked(patience_seconds=PATIENCE_SECONDS):
                    self._take_up(told)
                    if self._untold:
                        self._append(_about(told, "events_lost", count=self._untold), durably=False)
                        self._untold = 0
                    self._append(told, durably=_is_opening(event))
                self._complaining = False
            except OSError as error:
                self.lost += 1
                self._untold += 1
                self._left = None
                if not self._complaining:
                    _LOG.error("events cannot be written to %s: %s", self._files.path, error)
                self._complaining = True
                if self._copy is not None:
                    self._copy.pass_on(dump(told))

    def close(self) -> None:
        """Nothing is held open between events; the journal gets the head, which this user cannot rewrite there."""
        _LOG.info("event log %s ends at %d, %s", self._files.path, self._head.n, self._head.hash)

    def _append(self, told: dict[str, object], *, durably: bool) -> None:
        line, head = forge(told, self._head)
        content = f"{line}\n".encode()
        if self._left is not None and self._left[1] >= self._max_bytes:
            head = self._rotate(head)
        descriptor = os.open(self._files.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.write(descriptor, content) != len(content):
                raise OSError("the disk took only a part of the line")
            if durably:
                os.fsync(descriptor)
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        self._head, self._left = head, (found.st_ino, found.st_size)
        try:
            write_head(self._files.head, head, durably=durably)
        except OSError as error:
            # The line itself is safe, and a head that lags behind is no contradiction.
            _LOG.error("the head of the event log cannot be written: %s", error)
        if self._copy is not None:
            self._copy.pass_on(line)

    def _rotate(self, head: Head) -> Head:
        os.replace(self._files.path, self._files.older)
        return Head(n=head.n, hash=head.hash, first=_first(self._files) or head.first)

    def _take_up(self, told: dict[str, object]) -> None:
        """Find the chain's end where it is not known: at the start, after a failure, after somebody else wrote."""
        path = self._files.path
        if self._left is not None and path.exists() and (path.stat().st_ino, path.stat().st_size) == self._left:
            return
        said: list[dict[str, object]] = []
        end = self._end_of_files(told, said)
        found = Head(n=end.n, hash=end.hash, first=_first(self._files) or 1) if end is not None else Head()
        try:
            remembered = read_head(self._files.head)
        except ConfigError as error:
            said.append(_about(told, "chain_cut", reason=f"the head was damaged: {error}"))
            remembered = None
        if remembered is None and found.n and not said:
            said.append(_about(told, "chain_cut", reason="the head was missing"))
        if remembered is not None:
            kept = Head(n=found.n, hash=found.hash, first=remembered.first)
            damaged = any(each["kind"] == "file_damaged" for each in said)
            # A log that is ahead of its head lost nothing: the head is written last.
            cut = found.n < remembered.n or (found.n == remembered.n and found.hash != remembered.hash)
            if cut and not damaged:
                said.append(_about(told, "chain_cut", remembered_n=remembered.n, remembered_hash=remembered.hash,
                                   found_n=found.n, found_hash=found.hash))  # fmt: skip
            # Without any line to go on from, the numbers go on from the head.
            found = remembered if found.hash == NOTHING or damaged else kept
        self._head = found
        self._left = (path.stat().st_ino, path.stat().st_size) if path.exists() else None
        for each in said:
            self._append(each, durably=False)

    def _end_of_files(self, told: dict[str, object], said: list[dict[str, object]]) -> Link | None:
        """The last good line. An unfinished one is put aside, and so is a whole file whose last line is not good."""
        files = self._files
        if files.path.exists():
            line, rest = tail_of(files.path)
            if rest and isinstance(read_link(rest.decode(errors="replace")), Link):
                # All of the line is there but its line break.
                with files.path.open("ab") as file:
                    file.write(b"\n")
                line, rest = rest.decode(), b""
            if rest:
                with files.torn.open("ab") as file:
                    file.write(rest + b"\n")
                os.truncate(files.path, files.path.stat().st_size - len(rest))
                said.append(_about(told, "line_torn", bytes=len(rest), kept_in=files.torn.name))
            link = read_link(line) if line is not None else None
            if isinstance(link, Link):
                return link
            if line is not None:
                aside = files.path.with_name(f"{files.path.name}.damaged-{len(files.damaged) + 1}")
                os.replace(files.path, aside)
                said.append(_about(told, "file_damaged", kept_in=aside.name))
                return None
        if files.older.exists():
            link = read_link(tail_of(files.older)[0] or "")
            return link if isinstance(link, Link) else None
        return None


def _first(files: LogFiles) -> int | None:
    """The number of the oldest line in the files, None where that line is not good."""
    with files.present()[0].open(encoding="utf-8", errors="replace") as file:
        link = read_link(file.readline().rstrip("\n"))
    return link.n if isinstance(link, Link) else None


def _about(told: dict[str, object], kind: str, **details: object) -> dict[str, object]:
    """An event of the log itself, at the time of the one that is about to be written."""
    return {"time": told["time"], "kind": kind, "at_seconds": told["at_seconds"], **details}


def _is_opening(event: Event) -> bool:
    return event.kind == "relay_on" or (event.kind == "decision" and event.details.get("outcome") == "open")
