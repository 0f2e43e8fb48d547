"""Where events go: one JSON object a line, to a file that is capped, or to standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

from device.ports import Event

_LOG = logging.getLogger(__name__)


def as_json(event: Event) -> str:
    """The event on one line, with its kind and both times first."""
    told = {
        "time": event.wall_time.isoformat(timespec="milliseconds"),
        "kind": event.kind,
        "at_seconds": round(event.at_seconds, 3),
        **event.details,
    }
    return json.dumps(told, ensure_ascii=False)


class StreamEvents:
    """:class:`~device.ports.EventSink` on a text stream (standard output by default)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self.lost = 0

    def record(self, event: Event) -> None:
        try:
            print(as_json(event), file=self._stream, flush=True)
        except (OSError, ValueError) as error:
            # A closed pipe is no reason to stop listening; say so once and count.
            self.lost += 1
            if self.lost == 1:
                _LOG.error("events cannot be written to standard output: %s", error)

    def close(self) -> None:
        """The stream belongs to somebody else."""


class FileEvents:
    """:class:`~device.ports.EventSink` on ``path``; at ``max_bytes`` it becomes ``path.1`` and starts afresh.

    A disk that is full or read-only never reaches the door: ``lost`` counts, the first loss is logged, and each
    later event is tried anew, so that writing goes on by itself when the disk recovers.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self.lost = 0
        self._complaining = False

    def record(self, event: Event) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size >= self._max_bytes:
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(as_json(event) + "\n")
            self._complaining = False
        except OSError as error:
            self.lost += 1
            if not self._complaining:
                _LOG.error("events cannot be written to %s: %s", self._path, error)
            self._complaining = True

    def close(self) -> None:
        """Nothing is held open between events."""
