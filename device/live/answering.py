"""Answers what page and commands ask of the daemon's files, on a thread of its own.

Reading a database or a folder may take seconds on a tired card: neither the live feed's thread nor the door's waits for
it. One question after another, with a pause after each as long as it took (at least 10 ms, at most a second), and at a
lower priority where the system lets a thread have one. So whoever asks without a break has about half of a processor,
as long as no answer takes more than a second.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from device.errors import DataError, LiveError, VoicelatchError
from device.live.access import Role
from device.live.requests import Question

_LOG = logging.getLogger(__name__)
MOST_WAITING = 16
# Below what a peer may be behind with, so that no answer gets anybody dropped.
MAX_ANSWER_BYTES = 192 << 10
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 1.0
CLOSE_SECONDS = 1.0
NICENESS = 10


@dataclass(slots=True, kw_only=True)
class Asker:
    """Who asks, one a connection. ``upload``: what it has sent of a recording so far, int16 in bytes."""

    role: Role
    uid: int
    upload: bytearray = field(default_factory=bytearray)


class Answerer(Protocol):
    """Answers with a table ready for JSON, or raises a :class:`VoicelatchError`, which is sent on. May be slow."""

    def answer(self, question: Question, asker: Asker) -> Mapping[str, object]: ...


class Answering:
    """Between the live server and ``answerer`` (None: nothing can be asked). ``wake`` is called after each answer.

    ``start`` runs it on a thread; tests call :meth:`step`.
    """

    def __init__(self, answerer: Answerer | None, *, wake: Callable[[], None]) -> None:
        self._answerer, self._wake = answerer, wake
        self._waiting: queue.Queue[tuple[Question, Asker] | None] = queue.Queue(MOST_WAITING)
        self._ready: deque[tuple[Asker, bytes]] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def submit(self, question: Question, asker: Asker) -> None:
        """Have it answered soon; returns at once."""
        try:
            self._waiting.put_nowait((question, asker))
        except queue.Full:
            self._ready.append((asker, _failed(LiveError("the daemon has too many questions to answer at the moment",
                                                          next_step="try again in a few seconds"))))  # fmt: skip

    def take(self) -> tuple[Asker, bytes] | None:
        """The server's: the next answer, a line for whoever asked; None when there is none."""
        return self._ready.popleft() if self._ready else None

    def step(self) -> bool:
        """Answer one question that waits; False where none does."""
        try:
            item = self._waiting.get_nowait()
        except queue.Empty:
            return False
        if item is not None:
            self._answer(*item)
        return item is not None

    def close(self) -> None:
        """Waits for a question in progress no longer than a second."""
        self._stopping.set()
        if self._thread is not None:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                _LOG.warning("questions are left unanswered: the daemon ends")
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            # On Linux a thread has a niceness of its own.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        except OSError as error:
            _LOG.info("questions are answered at the usual priority: %s", error)
        while not self._stopping.is_set() and (item := self._waiting.get()) is not None:
            before = time.monotonic()
            self._answer(*item)
            took_seconds = time.monotonic() - before
            self._stopping.wait(min(max(took_seconds, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))

    def _answer(self, question: Question, asker: Asker) -> None:
        try:
            if self._answerer is None:
                raise LiveError("this daemon answers no questions", where="the live feed")
            line = _line({"kind": "answer", "answer": self._answerer.answer(question, asker)})
            if len(line) > MAX_ANSWER_BYTES:
                raise DataError("the answer is too long to be sent", received=f"{len(line)} bytes",
                                allowed=f"{MAX_ANSWER_BYTES} bytes", next_step="ask for less")  # fmt: skip
        except VoicelatchError as error:
            line = _failed(error)
        except Exception as error:
            # A defect costs one answer; neither this thread nor the daemon.
            _LOG.exception("a defect while answering %s", question.name)
            line = _failed(LiveError(f"a defect: {type(error).__name__}; the journal has it"))
        self._ready.append((asker, line))
        self._wake()


def _failed(error: VoicelatchError) -> bytes:
    """What was wrong, without ``where``: files of the daemon are no matter of whoever asks."""
    received = "" if error.received is None else str(error.received)[:200]
    return _line({"kind": "answer", "error": {
        "type": type(error).__name__, "what": error.what[:500], "received": received, "allowed": error.allowed[:500],
        "next_step": error.next_step[:500],
    }})  # fmt: skip


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, default=str).encode("utf-8", errors="backslashreplace") + b"\n"
