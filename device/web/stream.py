"""What a browser is told as it happens, as server-sent events: one endless answer for each page that looks on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from device.ports import Clock
from device.web.broadcast import Broadcast, Message, Watcher

# An answer that says something now and then is how a browser that has gone is noticed.
LOOK_SECONDS, CHECK_SECONDS = 1.0, 5.0


def stream(watcher: Watcher, broadcast: Broadcast, clock: Clock, *, wanted: Callable[[], bool]) -> Iterator[bytes]:
    """The messages of ``watcher`` until it is closed, ``broadcast`` is, or it is no longer ``wanted`` (looked at every
    few seconds). The watcher leaves ``broadcast`` then."""
    check_due_seconds = clock.monotonic_seconds() + CHECK_SECONDS
    try:
        yield b": the door\n\n"
        while not broadcast.closed:
            message = watcher.take(wait_seconds=LOOK_SECONDS)
            yield b": nothing new\n\n" if message is None else as_sent(message)
            if clock.monotonic_seconds() >= check_due_seconds:
                check_due_seconds = clock.monotonic_seconds() + CHECK_SECONDS
                if not wanted():
                    return
    finally:
        broadcast.leave(watcher)


def as_sent(message: Message) -> bytes:
    """A server-sent event named for its kind. JSON has no line breaks, so nobody's name can end it."""
    return f"event: {message['kind']}\ndata: {json.dumps(message, default=str)}\n\n".encode()
