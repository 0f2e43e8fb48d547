"""A feed and its server without a thread, on a manual clock, and readers that are plain sockets."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from device.live.access import Access, Role
from device.live.answering import Answerer
from device.live.feed import Heard, LiveFeed
from device.live.server import LiveServer
from device.ports import Event
from device.simulated.clock import ManualClock
from device.sound.pcm import FRAME_SAMPLES, Frame


class World:
    """``step`` lets the server do all there is to do now."""

    def __init__(self, folder: Path, *, role: Role = Role.OWNER, answerer: Answerer | None = None, **feed: int) -> None:
        """``role``: what this user is to the door."""
        self.path, self.clock, self.feed = folder / "live.sock", ManualClock(), LiveFeed(**feed)
        self.server = LiveServer(self.path, self.feed, clock=self.clock, status=lambda: {"bundle": "demo"},
                                 access=Access({os.geteuid(): role}), answerer=answerer)  # fmt: skip

    def step(self) -> None:
        for _ in range(4):
            self.server.step()
            while self.server.answering.step():
                self.server.step()

    def join(self, *requests: object) -> Reader:
        reader = Reader(self.path)
        for each in requests:
            reader.say(each)
        self.step()
        return reader

    def hear(self, frames: int, *, value: int = 1000, speech: bool = True) -> None:
        for _ in range(frames):
            self.clock.advance(0.02)
            frame = Frame(np.full(FRAME_SAMPLES, value, dtype=np.int16), self.clock.monotonic_seconds())
            if self.feed.watched:
                self.feed.tell(Heard(frame=frame, speech=speech, clip_seconds=1.5, age_seconds=0.01))
        self.step()

    def happen(self, kind: str, **details: object) -> None:
        self.feed.tell(Event(kind=kind, at_seconds=self.clock.monotonic_seconds(), wall_time=self.clock.wall_time(),
                             details=details))  # fmt: skip


class Reader:
    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.setblocking(False)
        self.ended = False

    def say(self, request: object) -> None:
        line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
        self.socket.sendall(line)

    def take(self) -> list[dict[str, Any]]:
        """Every message that has come."""
        return [json.loads(line) for line in b"".join(self._chunks()).split(b"\n") if line]

    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.take()]

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                more = self.socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                more = b""
            if not more:
                self.ended = True
                return
            yield more
