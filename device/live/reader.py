"""The other end of the live feed: for the gateway, and for commands that show what the door hears."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from device.errors import DataError, LiveError, StateError
from device.live.feed import OPENING_SECONDS
from device.sound.pcm import Frame

# A status comes every ten seconds: a daemon that says nothing for longer is not well.
PATIENCE_SECONDS = 30.0
# An answer may be as long as a peer of the server may be behind.
MAX_LINE_BYTES = 1 << 18
ANSWER_SECONDS = 20.0


class LiveReader:
    """Reads the live feed at the socket ``path``. Raises :class:`LiveError` where no daemon answers there.

    ``topics`` of level, event, status and audio; ``hold``: no voice opens the door while this reader is connected.
    ``recent``: so many of the last events come first, each with ``recent`` true. :mod:`device.live.access` says who may
    ask for what.
    """

    def __init__(
        self, path: Path, *, topics: Iterable[str] = ("level", "event", "status"), hold: bool = False, recent: int = 0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:  # fmt: skip
        self._path, self._inbox, self.patience_seconds = path, b"", patience_seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(patience_seconds)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            next_step = "is voicelatch.service running? systemd/README.md lists who may ask"
            raise LiveError("no daemon answers there", where=str(path), received=error, next_step=next_step) from error
        try:
            self._ask({"subscribe": sorted(topics), "hold": hold, "recent": recent})
            while (message := self.read())["kind"] != "subscribed":
                if message["kind"] == "refused":
                    raise LiveError(str(message["reason"]), where=str(path))
        except BaseException:
            self.close()
            raise

    def read(self, *, timeout_seconds: float | None = None) -> dict[str, Any]:
        """The next message, a table with its ``kind``. Waits ``timeout_seconds`` (None: as long as is healthy).

        Raises :class:`TimeoutError` after ``timeout_seconds``, :class:`LiveError` when the daemon hangs up, falls
        silent or makes no sense.
        """
        if timeout_seconds is not None:
            before = self._socket.gettimeout()
            self._socket.settimeout(timeout_seconds)
            try:
                return self._next()
            finally:
                self._socket.settimeout(before)
        try:
            return self._next()
        except TimeoutError as error:
            raise LiveError("the daemon has fallen silent", where=str(self._path)) from error

    def open(self, by: str, *, asked_at_seconds: float) -> str:
        """Ask for the door; empty where it opened, else why it did not. ``asked_at_seconds``: when somebody asked, on
        the monotonic clock; the door does not open for what is too old. What comes meanwhile is dropped: best on a
        reader of its own, with no topics."""
        self._ask({"open": {"by": by, "asked_at_seconds": asked_at_seconds}})
        while True:
            try:
                message = self.read(timeout_seconds=OPENING_SECONDS + 1.0)
            except TimeoutError as error:
                raise LiveError("the daemon does not answer", where=str(self._path)) from error
            if message["kind"] == "open":
                return "" if message["opened"] is True else str(message["reason"])
            if message["kind"] == "refused":
                return str(message["reason"])

    def ask(self, name: str, /, **details: object) -> dict[str, Any]:
        """Ask a question (see ``device.live``) and wait for the answer; best on a reader of its own, with no topics.

        Raises :class:`DataError` or :class:`StateError` where the daemon answers so, else :class:`LiveError`.
        """
        self._ask({"ask": name, "with": details})
        while True:
            try:
                message = self.read(timeout_seconds=ANSWER_SECONDS)
            except TimeoutError as error:
                raise LiveError("the daemon does not answer", where=str(self._path),
                                next_step="try again; its journal tells of a slow card") from error  # fmt: skip
            if message["kind"] == "refused":
                raise LiveError("the daemon refuses this", where=str(self._path), received=message.get("reason"))
            if message["kind"] == "answer":
                return answer_of(message)

    def fileno(self) -> int:
        """For select; whole lines may also wait in this object, so read until :class:`TimeoutError`."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> LiveReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: Mapping[str, object]) -> None:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise LiveError("the daemon hung up", where=str(self._path), received=error) from error

    def _next(self) -> dict[str, Any]:
        while b"\n" not in self._inbox:
            try:
                more = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError as error:
                raise LiveError("the daemon hung up", where=str(self._path), received=error) from error
            if not more or len(self._inbox) > MAX_LINE_BYTES:
                raise LiveError("the daemon hung up" if not more else "a line too long", where=str(self._path))
            self._inbox += more
        line, _, self._inbox = self._inbox.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise LiveError("not a message", where=str(self._path), received=line[:80]) from error
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise LiveError("not a message", where=str(self._path), received=line[:80])
        return message


def answer_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a message of kind ``answer`` brings; raises what it says was wrong."""
    error, answer = message.get("error"), message.get("answer")
    if isinstance(error, dict):
        parts = {part: str(error.get(part, "")) for part in ("what", "received", "allowed", "next_step")}
        made = {"DataError": DataError, "AudioFormatError": DataError, "StateError": StateError}
        raise made.get(str(error.get("type")), LiveError)(
            parts["what"], received=parts["received"] or None, allowed=parts["allowed"], next_step=parts["next_step"]
        )
    if not isinstance(answer, dict):
        raise LiveError("not an answer", received=str(answer)[:80])
    return answer


def frame_of(message: Mapping[str, Any]) -> Frame:
    """The frame in a message of kind ``audio``. Raises :class:`LiveError` on any other."""
    try:
        samples = np.frombuffer(base64.b64decode(message["samples"], validate=True), dtype="<i2").astype(np.int16)
        return Frame(samples, float(message["at_seconds"]))
    except (KeyError, ValueError, TypeError) as error:
        raise LiveError("not a frame of sound", received=f"{type(error).__name__}: {error}") from error
