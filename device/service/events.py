"""Where events go: in a chain of hashes, to a database that is capped, or to standard output as JSON lines."""

from __future__ import annotations

import logging
import math
import sys
import threading
from pathlib import Path
from typing import TextIO

from device.ports import Event
from device.service.audit import Head, dump, forge, write_head
from device.service.chain_end import chain_end
from device.service.event_backlog import Backlog, Waiting
from device.service.event_table import FAILURES, EventTable, is_busy, is_damage, is_passing, row_of
from device.service.log_files import LogFiles
from device.service.retention import Retention

_LOG = logging.getLogger(__name__)
# `forget` holds the files for a moment; nobody may hold up the door by them.
PATIENCE_SECONDS = 0.2
# At the end nobody waits any more but systemd.
CLOSING_PATIENCE_SECONDS = 10.0


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
    """:class:`~device.ports.EventSink` on the database at ``path``, kept below ``max_bytes`` and ``keep_days``.

    The chain goes on over restarts. An event of an opening is on the disk when :meth:`record` returns; others outlive
    the process, not a power cut. While another process has the log, events wait in memory, in order. A disk that is
    full or read-only never reaches the door: ``lost`` counts, the first loss is logged, each later event is tried anew,
    and the log says itself how many are missing when it goes on. A file that is damaged is set aside and said.
    ``copy``: a stream (the journal) that gets every line too.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, keep_days: float = math.inf, copy: StreamEvents | None = None
    ) -> None:
        self._files, self._retention, self._copy = LogFiles(path), Retention(max_bytes, keep_days), copy
        self._database: EventTable | None = None
        self._head = Head()
        # What the log has to say of itself with the next event.
        self._pending: list[dict[str, object]] = []
        self._lock = threading.Lock()
        self._backlog = Backlog(self._write_later)
        self.lost = 0
        self._untold = 0
        self._complaining = False

    def record(self, event: Event) -> None:
        with self._lock:
            self._backlog.events.append(Waiting(as_table(event), durably=_is_opening(event)))
            self._write_waiting(patience_seconds=PATIENCE_SECONDS)

    def close(self) -> None:
        """The journal gets the head, which this user cannot rewrite there."""
        self._backlog.end()
        with self._lock:
            if self._backlog.events:
                self._write_waiting(patience_seconds=CLOSING_PATIENCE_SECONDS, is_last=True)
            self._let_go()
        _LOG.info("event log %s ends at %d, %s", self._files.path, self._head.n, self._head.hash)

    def _write_later(self) -> bool:
        with self._lock:
            self._write_waiting(patience_seconds=0.0)
            return not self._backlog.events

    def _write_waiting(self, *, patience_seconds: float, is_last: bool = False) -> None:
        """Write what waits, in order; what cannot be written and cannot wait is lost, and counted."""
        waiting = self._backlog.events
        while waiting:
            try:
                self._files.path.parent.mkdir(parents=True, exist_ok=True)
                with self._files.locked(patience_seconds=patience_seconds):
                    while waiting:
                        self._write(waiting[0].payload, durably=waiting[0].durably)
                        waiting.popleft()
                self._complaining = False
            except Exception as error:  # a disk, a damaged file, whatever somebody made of it: nothing reaches the door
                if is_busy(error) and not is_last:
                    if self._backlog.is_full:
                        self._lose(waiting.popleft().payload, error)
                    self._retry_later()
                    return
                self._lose(waiting.popleft().payload, error)
                patience_seconds = 0.0

    def _retry_later(self) -> None:
        try:
            self._backlog.retry_later()
        except RuntimeError as error:
            _LOG.error("events that wait are written with the next one only: %s", error)

    def _lose(self, payload: dict[str, object], error: Exception) -> None:
        if not is_passing(error):
            self._let_go()
        self.lost += 1
        self._untold += 1
        if not self._complaining:
            reason = error if isinstance(error, (OSError, *FAILURES)) else repr(error)
            _LOG.error("events cannot be written to %s: %s", self._files.path, reason)
        self._complaining = True
        if self._copy is not None:
            self._copy.pass_on(dump(payload))

    def _write(self, told: dict[str, object], *, durably: bool) -> None:
        try:
            table = self._opened()
            self._append(table, told, durably=durably)
        except FAILURES as error:
            if not is_damage(error):
                raise
            self._let_go()
            aside = self._files.set_database_aside()
            self._pending.append({"kind": "file_damaged", "kept_in": aside.name, "reason": str(error)})
            table = self._opened()
            self._append(table, told, durably=durably)
        self._shorten(table, told)

    def _opened(self) -> EventTable:
        """The database that stands at the path now."""
        if self._database is not None and not self._database.is_current():
            self._let_go()
        if self._database is None:
            self._database = EventTable(self._files.path, patience_seconds=PATIENCE_SECONDS)
        return self._database

    def _let_go(self) -> None:
        database, self._database = self._database, None
        try:
            if database is not None:
                database.close()
        except FAILURES as error:
            _LOG.error("the event log cannot be closed in good order: %s", error)

    def _append(self, table: EventTable, told: dict[str, object], *, durably: bool) -> None:
        with table.transaction(durably=durably):
            head, said = chain_end(table.last(), self._head, self._files.head, has_excuse=bool(self._pending))
            said = [*self._pending, *said]
            if self._untold:
                said.append({"kind": "events_lost", "count": self._untold})
            lines = []
            for each in [*(_about(told, each) for each in said), told]:
                line, head = forge(each, head)
                table.put(row_of(head.n, line, each))
                lines.append(line)
        self._pending, self._untold = [], 0
        self._remember(head, durably=durably)
        if self._copy is not None:
            for line in lines:
                self._copy.pass_on(line)

    def _shorten(self, table: EventTable, told: dict[str, object]) -> None:
        """What is too old or too much goes. Where that fails nothing is lost, and the next event tries again."""
        try:
            done = self._retention.shorten(table, self._head, told)
        except Exception as error:  # the event itself is safe: nothing that is wrong with old ones may take it back
            _LOG.error("the event log cannot be shortened: %s: %s", type(error).__name__, error)
            return
        if done is not None:
            line, head = done
            self._remember(head, durably=False)
            if self._copy is not None:
                self._copy.pass_on(line)

    def _remember(self, head: Head, *, durably: bool) -> None:
        self._head = head
        try:
            write_head(self._files.head, head, durably=durably)
        except OSError as error:
            # The line itself is safe, and a head that lags behind is no contradiction.
            _LOG.error("the head of the event log cannot be written: %s", error)


def _about(told: dict[str, object], said: dict[str, object]) -> dict[str, object]:
    """An event of the log itself, at the time of the one that is about to be written."""
    return {"time": told["time"], "kind": said["kind"], "at_seconds": told["at_seconds"], **said}


def _is_opening(event: Event) -> bool:
    return event.kind == "relay_on" or (event.kind == "decision" and event.details.get("outcome") == "open")
