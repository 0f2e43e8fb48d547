"""The live feed's sockets, on a thread of their own. Readers are hostile until shown otherwise, and slow ones go."""

from __future__ import annotations

import json
import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from device.errors import LiveError
from device.live.access import MOST_PEERS, Access, Role, access_of_this_machine, missing_right, question_right
from device.live.answering import Answerer, Answering
from device.live.feed import OPENING_SECONDS, Answered, Heard, LiveFeed, Opening, SoundLost
from device.live.holds import LONGEST_HOLD_SECONDS, REST_SECONDS, Holds
from device.live.messages import Message, Meter, audio_message, event_message, gap_message
from device.live.peer import MOST_A_SECOND, Peer, listen, uid_of
from device.live.refusals import Refusals
from device.live.requests import MOST_RECENT, OpenRequest, Question, Subscription, parse_request
from device.ports import Clock

_LOG = logging.getLogger(__name__)
SOCKET = "live.sock"
MAX_READERS = 16
STATUS_SECONDS = 10.0
IDLE_SECONDS, PAUSE_SECONDS = 0.5, 0.004
CLOSE_SECONDS = 2.0


class LiveServer:
    """Serves ``feed`` at the socket ``path``. ``status`` is asked now and then, on the server's thread.

    ``access``: who may ask what (None: the users of this machine); ``answerer`` answers questions, on another thread.

    Raises :class:`LiveError` where the socket cannot be made. ``start`` runs it on a thread; tests call :meth:`step`.
    """

    def __init__(self, path: Path, feed: LiveFeed, *, clock: Clock, status: Callable[[], Mapping[str, object]],
                 access: Access | None = None, answerer: Answerer | None = None) -> None:  # fmt: skip
        self._path, self._feed, self._clock, self._status = path, feed, clock, status
        self._access = access if access is not None else access_of_this_machine()
        self.refusals, self._holds = Refusals(feed, clock), Holds()
        self.answering = Answering(answerer, wake=self._rouse)
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
        self.answering.start()

    def close(self) -> None:
        """Tell what is waiting, hang up, remove the socket. Waits for a stuck thread no longer than two seconds."""
        self._stopping.set()
        self._rouse()
        self.answering.close()
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
                self._hear_whatever(key.data)
        self._tell_all()
        self._hand_answers()
        self._give_up_waiting()
        self._end_long_holds()
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
        uid = uid_of(connection)
        role = self._access.role_of(uid)
        if role is Role.NOBODY:
            self.refusals.count(uid, role, "to connect")
            connection.close()
            return
        if len(self._peers) >= MAX_READERS or sum(peer.role is role for peer in self._peers) >= MOST_PEERS[role]:
            _LOG.warning("the live feed has its readers (%d), one more is turned away", len(self._peers))
            connection.close()
            return
        peer = Peer(connection, role)
        self._peers.append(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        self._say(peer, self._status_message())
        self._recount()

    def _hear_whatever(self, peer: Peer) -> None:
        try:
            self._hear(peer)
        except Exception as error:
            # A defect at one reader's words must not take the feed from all the others.
            _LOG.exception("a reader of the live feed (user %d) is hung up on, by a defect", peer.uid)
            if peer in self._peers:
                self._drop(peer, f"met a defect: {type(error).__name__}")

    def _hear(self, peer: Peer) -> None:
        lines, ended = peer.receive()
        try:
            requests = [parse_request(line) for line in lines]
            # A question costs its asker the wait for the answer, which is pause enough.
            count = sum(not isinstance(request, Question) for request in requests)
            if not peer.may_ask(count, now_seconds=self._clock.monotonic_seconds()):
                raise LiveError("too many requests", where="the live feed", allowed=f"{MOST_A_SECOND} a second")
            for request in requests:
                self._answer(peer, request)
        except LiveError as error:
            self._say(peer, {"kind": "refused", "reason": str(error)})
            ended = True
        if ended:
            peer.flush()
            self._drop(peer, "")

    def _answer(self, peer: Peer, request: Subscription | OpenRequest | Question) -> None:
        self._demand_right(peer, request)
        if isinstance(request, Question):
            if peer.waits:
                raise LiveError("one question at a time", where="the live feed's request")
            peer.waits = True
            self.answering.submit(request, peer.asker)
            return
        if isinstance(request, Subscription):
            self._subscribe(peer, request)
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

    def _demand_right(self, peer: Peer, request: Subscription | OpenRequest | Question) -> None:
        """Raise :class:`LiveError` for what the peer's user may not ask; it is counted, and told in an event."""
        held = peer.subscription.hold
        match request:
            case Subscription():
                wanted, held = request.topics | ({"hold"} if request.hold else set()), request.hold
            case OpenRequest():
                wanted = frozenset({"open"})
            case Question():
                # A recording is saved on a connection beside the one that holds the door.
                wanted, held = frozenset({question_right(request.name)}), self._is_holding(peer.uid)
        lack = missing_right(peer.role, frozenset(wanted), held=held)
        wants_hold = "hold" in wanted and peer.role is not Role.OWNER
        if not lack and wants_hold and self._holds.too_long(peer.uid, now_seconds=self._clock.monotonic_seconds()):
            lack = f"the door was held for {LONGEST_HOLD_SECONDS / 60:.0f} min; for {REST_SECONDS:.0f} s it is free"
        if lack:
            self.refusals.count(peer.uid, peer.role, ", ".join(sorted(wanted)))
            raise LiveError(lack, where="the live feed's request", received=f"user {peer.uid}",
                            next_step="systemd/README.md lists who may ask what")  # fmt: skip

    def _is_holding(self, uid: int) -> bool:
        return any(each.subscription.hold for each in self._peers if each.uid == uid)

    def _subscribe(self, peer: Peer, request: Subscription) -> None:
        peer.subscription = request
        self._say(peer, {"kind": "subscribed", "topics": sorted(request.topics), "hold": request.hold})
        self._recount()
        for message in list(self._recent)[len(self._recent) - request.recent :] if request.recent else ():
            self._say(peer, {**message, "recent": True})
        if "status" in request.topics:
            self._say(peer, self._status_message())

    def _hand_answers(self) -> None:
        while (item := self.answering.take()) is not None:
            asker, line = item
            # Whoever has gone meanwhile gets none.
            for peer in self._peers:
                if peer.asker is asker:
                    peer.waits = False
                    peer.put(line)

    def _end_long_holds(self) -> None:
        now = self._clock.monotonic_seconds()
        for peer in list(self._peers):
            too_long = peer.subscription.hold and self._holds.too_long(peer.uid, now_seconds=now)
            if peer.role is not Role.OWNER and too_long and peer in self._peers:
                self.refusals.count(peer.uid, peer.role, f"to hold the door for more than {LONGEST_HOLD_SECONDS:.0f} s")
                self._drop(peer, "held the door for too long")

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
        return {"kind": "status", **self._status(), "held": self._feed.held, "lost": self._feed.lost,
                "refused_requests": self.refusals.total}  # fmt: skip

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
        holding = {peer.uid for peer in self._peers if peer.subscription.hold}
        self._holds.note(holding, now_seconds=self._clock.monotonic_seconds())
        self._feed.held = bool(holding)

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
