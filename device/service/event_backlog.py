"""Events that wait while another process has the log, such as ``forget``, which may take seconds on a large one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_WAITING = 1000
RETRY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event ready for JSON; ``durably``: it has to be on the disk before anything else is done."""

    payload: dict[str, object]
    durably: bool


@dataclass(slots=True)
class Backlog:
    """At most :data:`MOST_WAITING` events, oldest first, and a thread that tries ``write`` until none is left.

    ``write`` returns whether none is left. The thread runs only while events wait; nobody else has to come first.
    """

    write: Callable[[], bool]
    events: deque[Waiting] = field(default_factory=deque)
    _thread: threading.Thread | None = field(default=None, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)

    @property
    def is_full(self) -> bool:
        return len(self.events) > MOST_WAITING

    def retry_later(self) -> None:
        """Have ``write`` tried again soon. Raises :class:`RuntimeError` where no thread is to be had."""
        if self._thread is None or not self._thread.is_alive():
            self._ended.clear()
            self._thread = threading.Thread(target=self._retry, name="event-backlog", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """The thread tries no more; the next :meth:`retry_later` starts another one."""
        self._ended.set()
        self._thread = None

    def _retry(self) -> None:
        ended = self._ended
        while not ended.wait(RETRY_SECONDS):
            if self.write():
                return
