"""Work that can wait, on a thread of its own: what it costs, and what goes wrong in it, never reaches the door."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
MOST_WAITING = 32
CLOSE_SECONDS = 3.0


class Background:
    """Runs what is handed in, in order. ``failed`` and ``dropped`` count what raised and what found the queue full."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self.failed = 0
        self.dropped = 0

    def submit(self, work: Callable[[], None]) -> bool:
        """Have ``work`` done soon; returns at once, False where too much is waiting already."""
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()
            self._waiting.put_nowait(work)
        except (queue.Full, RuntimeError) as error:
            self.dropped += 1
            if self.dropped == 1:
                _LOG.error("work in the background is dropped, the door goes on: %s", type(error).__name__)
            return False
        return True

    def close(self) -> None:
        """Finish what is waiting, but no longer than a few seconds."""
        if self._thread is None or not self._thread.is_alive():
            return
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            _LOG.error("work in the background does not end and is left")
            return
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except Exception as error:  # whatever it was, it must not end this thread
                self.failed += 1
                if self.failed == 1:
                    _LOG.error("work in the background failed, the door goes on: %s: %s", type(error).__name__, error)
