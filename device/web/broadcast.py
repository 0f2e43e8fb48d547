"""What the door says at this moment, for every browser that looks on. Nobody is waited for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]
MOST_WATCHERS = 6
# Eight levels a second: a browser that is four seconds behind misses the oldest.
MOST_BEHIND = 32
REMEMBERED = ("door", "status", "level", "decision", "recorder")


class Watcher:
    """One browser's stream: :meth:`take` what was told since."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Message] = queue.Queue(MOST_BEHIND)

    def put(self, message: Message) -> None:
        while True:
            try:
                self._waiting.put_nowait(message)
                return
            except queue.Full:
                self._drop_oldest()

    def take(self, *, wait_seconds: float) -> Message | None:
        """The next message; None where none comes in time."""
        try:
            return self._waiting.get(timeout=wait_seconds)
        except queue.Empty:
            return None

    def _drop_oldest(self) -> None:
        try:
            self._waiting.get_nowait()
        except queue.Empty:
            return


class Broadcast:
    """Told by the hub and the recorder, watched by the pages; for several threads at once.

    The last message of some kinds is remembered: a page that opens shows them. ``closed`` ends every stream.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: list[Watcher] = []
        self._last: dict[str, Message] = {"door": {"kind": "door", "reachable": False}}
        self.closed = False

    def publish(self, message: Message) -> None:
        """Hand it to every watcher; at once."""
        with self._lock:
            if message["kind"] in REMEMBERED:
                self._last[message["kind"]] = message
            for each in self._watchers:
                each.put(message)

    def last(self, kind: str) -> Message:
        """The last message of a kind that is remembered, empty before the first."""
        with self._lock:
            return self._last.get(kind, {})

    def watch(self) -> Watcher | None:
        """A stream that begins with what is remembered; None where too many look on already."""
        made = Watcher()
        with self._lock:
            if len(self._watchers) >= MOST_WATCHERS or self.closed:
                return None
            for each in self._last.values():
                made.put(each)
            self._watchers.append(made)
        return made

    def leave(self, watcher: Watcher) -> None:
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

    def close(self) -> None:
        self.closed = True
