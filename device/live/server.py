"""The live feed's sockets, on a thread of their own. Readers are hostile until shown otherwise, and slow ones go."""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from device.errors import LiveError
from device.live.feed import OPENING_SECONDS, Answered, Heard, LiveFeed, Opening, SoundLost
from device.live.messages import Message, Meter, audio_message, event_message, gap_message
from device.live.peer import MOST_A_SECOND, Peer, listen
from device.live.requests import MOST_RECENT, OpenRequest, Subscription, parse_request
from device.ports import Clock

_LOG = logging.getLogger(__name__)
SOCKET = "live.sock"
MAX_READERS = 16
STATUS_SECONDS = 10.0
IDLE_SECONDS, PAUSE_SECONDS = 0.5, 0.004
CLOSE_SECONDS = 2.0


class LiveServer:
    """Serves ``feed`` at the socket ``path``. ``status`` is asked now and then, on the server's thread.

    Raises :class:`LiveError` where the socket cannot be made. ``start`` runs it on a thread; tests call :meth:`step`.
    """

    def __init__(self, path: Path, feed: LiveFeed, *, clock: Clock, status: Callable[[], Mapping[str, object]]) -> None:
        self._path, self._feed, self._clock, self._status = path, feed, clock, status
        self._listener = listen(path)
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for each in (self._wake, self._waker):
            each.setblocking(False)
        for each in (self._listener, self._wake):
            self._selector.register(each, selectors.EVENT_READ)
        self._peers: list[Peer] = []
        self._asked: dict[Opening, Peer] = {}
        self._meter, self._frames = Meter(), 0
        self._recent: deque[Message] = deque(maxlen=MOST_RECENT)
        self._status_due_seconds = clock.monotonic_seconds() + STATUS_SECONDS
        self._stopping, self._ended = threading.Event(), False
        self._thread: threading.Thread | None = None
        feed.connect(self._rouse)

    def start(self) -> None:
        """Serve on a thread until :meth:`close`."""
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell what is waiting, hang up, remove the socket. Waits for a stuck thread no longer than two seconds."""
        self._stopping.set()
        self._rouse()
        if self._thread is None:
            self._end()
        else:
            self._thread.join(CLOSE_SECONDS)
            self._feed.connect(None)

    def step(self, wait_seconds: float = 0.0) -> None:
        """Heed what came in within ``wait_seconds``, then tell what is to be told."""
        for key, _ in self._selector.select(wait_seconds):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._wake:
                self._wake.recv(4096)
            elif key.data in self._peers:
                self._hear(key.data)
        self._tell_all()
        self._give_up_waiting()
        for peer in list(self._peers):
            if not peer.flush():
                self._drop(peer, "does not keep up, or is gone")

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.step(self._wait_seconds())
                # However much comes in, most of the time is the door's: threads share one interpreter.
                self._stopping.wait(PAUSE_SECONDS)
            self.step()
        except Exception as error:
            # A defect here must not reach the door; it goes on without a live feed.
            _LOG.exception("the live feed ends, the door goes on: %s", error)
        finally:
            self._end()

    def _wait_seconds(self) -> float:
        # Whoever cannot take all at once is tried again soon; nobody is waited for.
        return 0.02 if any(peer.behind for peer in self._peers) else IDLE_SECONDS

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            _LOG.warning("a connection to the live feed came to nothing: %s", error)
            return
        if len(self._peers) >= MAX_READERS:
            _LOG.warning("the live feed has its %d readers, one more is turned away", MAX_READERS)
            connection.close()
            return
        peer = Peer(connection)
        self._peers.append(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        self._say(peer, self._status_message())
        self._recount()

    def _hear(self, peer: Peer) -> None:
        lines, ended = peer.receive()
        try:
            if not peer.may_ask(len(lines), now_seconds=self._clock.monotonic_seconds()):
                raise LiveError("too many requests", where="the live feed", allowed=f"{MOST_A_SECOND} a second")
            for line in lines:
                self._answer(peer, parse_request(line))
        except LiveError as error:
            self._say(peer, {"kind": "refused", "reason": str(error)})
            ended = True
        if ended:
            peer.flush()
            self._drop(peer, "")

    def _answer(self, peer: Peer, request: Subscription | OpenRequest) -> None:
        if isinstance(request, Subscription):
            if ("audio" in request.topics or request.hold) and peer.uid not in (0, os.geteuid()):
                raise LiveError("sound, and holding the door, are for root and the daemon's own user",
                                where="the live feed's request", received=f"user {peer.uid}")  # fmt: skip
            peer.subscription = request
            self._say(peer, {"kind": "subscribed", "topics": sorted(request.topics), "hold": request.hold})
            self._recount()
            for message in list(self._recent)[len(self._recent) - request.recent :] if request.recent else ():
                self._say(peer, {**message, "recent": True})
            if "status" in request.topics:
                self._say(peer, self._status_message())
            return
        # Counted from the asking, not from the receipt: a request may have waited in a socket while this process stood
        # still.
        age_seconds = self._clock.monotonic_seconds() - request.asked_at_seconds
        if not 0.0 <= age_seconds <= OPENING_SECONDS:
            self._say(peer, _opened(f"asked for {age_seconds:.1f} s ago, allowed: 0 to {OPENING_SECONDS:g} s"))
            return
        opening = Opening(by=request.by, uid=peer.uid, asked_at_seconds=request.asked_at_seconds)
        if self._feed.ask(opening):
            self._asked[opening] = peer
        else:
            self._say(peer, _opened("somebody else asks at this moment"))

    def _tell_all(self) -> None:
        now = self._clock.monotonic_seconds()
        while (item := self._feed.take()) is not None:
            match item:
                case Heard():
                    self._tell_sound(item)
                case SoundLost():
                    self._meter.reset()
                    self._tell("audio", gap_message(self._frames))
                case Answered():
                    peer = self._asked.pop(item.opening, None)
                    if peer is not None:
                        self._say(peer, _opened(item.reason))
                case _:
                    self._recent.append(event_message(item))
                    self._tell("event", self._recent[-1])
        if now >= self._status_due_seconds and self._peers:
            self._status_due_seconds = now + STATUS_SECONDS
            self._tell("status", self._status_message())

    def _tell_sound(self, heard: Heard) -> None:
        if any("audio" in peer.subscription.topics for peer in self._peers):
            self._tell("audio", audio_message(heard, self._frames))
        self._frames += 1
        level = self._meter.add(heard)
        if level is not None:
            self._tell("level", level)

    def _give_up_waiting(self) -> None:
        now = self._clock.monotonic_seconds()
        for opening, peer in list(self._asked.items()):
            late = now - opening.asked_at_seconds > OPENING_SECONDS
            # What the door has taken it answers; an answer that was lost is not waited for for ever.
            lost = now - opening.asked_at_seconds > 2 * OPENING_SECONDS
            if lost or ((late or peer not in self._peers) and self._feed.withdraw(opening)):
                del self._asked[opening]
                self._say(peer, _opened("the door did not answer in time"))

    def _status_message(self) -> Message:
        return {"kind": "status", **self._status(), "held": self._feed.held, "lost": self._feed.lost}

    def _tell(self, topic: str, message: Message) -> None:
        readers = [peer for peer in self._peers if topic in peer.subscription.topics]
        if readers:
            line = _line(message)
            for peer in readers:
                peer.put(line)

    def _say(self, peer: Peer, message: Message) -> None:
        peer.put(_line(message))

    def _drop(self, peer: Peer, why: str) -> None:
        if why:
            _LOG.warning("dropped a reader of the live feed (user %d): it %s", peer.uid, why)
        self._peers.remove(peer)
        self._selector.unregister(peer.connection)
        peer.connection.close()
        self._give_up_waiting()
        self._recount()

    def _recount(self) -> None:
        """What the door asks before it hands anything over."""
        wanted = {topic for peer in self._peers for topic in peer.subscription.topics}
        self._feed.watched = bool(wanted & {"level", "audio"})
        self._feed.held = any(peer.subscription.hold for peer in self._peers)

    def _rouse(self) -> None:
        try:
            self._waker.send(b".")
        except (BlockingIOError, OSError):
            # Full: it is awake already. Closed: there is nobody to wake.
            return

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._feed.connect(None)
        for peer in list(self._peers):
            self._drop(peer, "")
        self._path.unlink(missing_ok=True)
        for each in (self._listener, self._wake, self._waker):
            each.close()
        self._selector.close()


def _opened(reason: str) -> Message:
    return {"kind": "open", "opened": not reason, "reason": reason}


def _line(message: Message) -> bytes:
    return json.dumps(message, default=str).encode("utf-8", errors="backslashreplace") + b"\n"
