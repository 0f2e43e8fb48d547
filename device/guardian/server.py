"""The guardian's loop: one thread, one pulse at a time, the pin read back after every step.

Whoever asks is known by the kernel's word (SO_PEERCRED), not by theirs. A pulse belongs to its connection: it ends
with its time, with ``off``, with silence, with the connection, with the guardian. Whatever goes wrong here ends in the
``finally`` of :meth:`Server.run`, with the pin off; what cannot even get there, systemd follows with ``off``.
"""

from __future__ import annotations

import logging
import math
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from device.guardian import budget as hour
from device.guardian import guard as rules
from device.guardian.budget import Budget, BudgetFile
from device.guardian.entrance import MAX_CONNECTIONS, peer_uid, receive
from device.guardian.errors import PinError, ProtocolError
from device.guardian.guard import Guard, Limits
from device.guardian.notify import Notify
from device.guardian.pin import Pin
from device.guardian.protocol import Answer, Lines, Request, format_answer, parse_request
from device.guardian.watchdog import LATE_SECONDS, SILENCE_SECONDS, PulseWatchdog

_LOG = logging.getLogger(__name__)
# How often the pin is read back and systemd told, off and on; how long a connection may take to say what it wants.
IDLE_SECONDS, ON_SECONDS, PATIENCE_SECONDS = 0.5, 0.1, 1.0


@dataclass(slots=True, eq=False)
class _Client:
    connection: socket.socket
    until_seconds: float
    lines: Lines = field(default_factory=Lines)
    token: str = ""


class Server:
    """Guards ``pin`` for the process of user ``daemon_uid``; ``watchdog`` ends a pulse that this process no longer can;
    ``clock`` is monotonic seconds, ``boot_clock`` those of CLOCK_BOOTTIME, by which ``budget`` counts; ``wake`` becomes
    readable when a signal came in."""

    def __init__(
        self,
        *,
        listener: socket.socket,
        wake: socket.socket,
        pin: Pin,
        limits: Limits,
        budget: Budget,
        budget_file: BudgetFile,
        daemon_uid: int,
        notify: Notify,
        watchdog: PulseWatchdog,
        clock: Callable[[], float],
        boot_clock: Callable[[], float],
    ) -> None:
        self._listener, self._wake, self._pin, self._limits = listener, wake, pin, limits
        self._daemon_uid, self._notify, self._watchdog = daemon_uid, notify, watchdog
        self._clock, self._boot_clock = clock, boot_clock
        self._budget_file = budget_file
        self._budget, damage = budget_file.load(budget, now_seconds=boot_clock())
        if damage:
            _LOG.error("what the relay was on for is not known, so nothing is granted for an hour: %s", damage)
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._holder: _Client | None = None
        self._driven_on = False
        self._guard: Guard = rules.started(limits, now_seconds=clock())

    def run(self, stopping: Callable[[], bool]) -> None:
        """Serve until ``stopping``. Raises :class:`PinError` when the pin does not follow; it is driven off first."""
        try:
            self._settle()
            for each in (self._listener, self._wake, self._watchdog.connection):
                self._selector.register(each, selectors.EVENT_READ)
            self._notify.tell("READY=1")
            while not stopping():
                ready = self._selector.select(self._wait_seconds())
                self._pass_time()
                # Who hung up makes room before who comes.
                for key, _ in sorted(ready, key=lambda each: each[0].fileobj is self._listener):
                    self._heed(key)
                self._pass_time()
                self._notify.tell("WATCHDOG=1")
        finally:
            # First the pin: what follows may fail.
            self._pin.drive(False)
            self._notify.tell("STOPPING=1")
            self._close()

    def _heed(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._wake:
            self._wake.recv(64)
        elif key.data in self._clients:
            self._hear(key.data)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            _LOG.warning("a connection came to nothing: %s", error)
            return
        uid = peer_uid(connection)
        if uid != self._daemon_uid or len(self._clients) >= MAX_CONNECTIONS:
            why = "foreign" if uid != self._daemon_uid else "too many"
            _LOG.warning("refused a connection of user %d: %s", uid, why)
            connection.close()
            return
        connection.setblocking(False)
        client = _Client(connection, until_seconds=self._clock() + PATIENCE_SECONDS)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _hear(self, client: _Client) -> None:
        """Read all there is, then act: a request whose asker has hung up already is not granted any more."""
        received, ended = receive(client.connection)
        try:
            requests = [parse_request(line) for line in client.lines.feed(received)]
        except ProtocolError as error:
            _LOG.warning("dropped a connection: %s", error)
            self._drop(client)
            return
        for request in requests:
            if client in self._clients and (not ended or request.verb == "off"):
                self._answer(client, request)
        if ended:
            self._drop(client)

    def _answer(self, client: _Client, request: Request) -> None:
        now = self._clock()
        if client is self._holder:
            if request.token != client.token or request.verb not in ("alive", "off"):
                self._drop(client)
            elif request.verb == "alive":
                self._guard = rules.alive(self._limits, self._guard, now_seconds=now)
            else:
                self._end_pulse("asked")
            return
        match request.verb:
            case "pulse":
                self._pulse(client, request)
            case "off":
                self._end_pulse("asked")
                self._last_word(client, Answer("off", request.token, reason="asked"))
            case "status" if self._guard.is_on:
                left = max(0.0, self._guard.off_at_seconds - now)
                self._last_word(client, Answer("on", request.token, left))
            case "free":
                _, reason = self._granted(request.seconds)
                word = Answer("refused", request.token, reason=reason) if reason else Answer("off", request.token,
                                                                                          reason="free")  # fmt: skip
                self._last_word(client, word)
            case "chip":
                self._last_word(client, Answer("chip", request.token, reason=self._pin.chip))
            case "status":
                self._settle()
                self._last_word(client, Answer("off", request.token, reason="idle"))
            case _:
                self._drop(client)

    def _pulse(self, client: _Client, request: Request) -> None:
        asked = request.seconds
        granted, reason = self._granted(asked)
        if reason:
            _LOG.warning("refused a pulse of %.3f s: %s", asked, reason)
            self._last_word(client, Answer("refused", request.token, reason=reason))
            return
        # Charged before the pin moves: whatever happens then, it counts.
        self._budget = hour.charged(self._budget, seconds=asked, now_seconds=self._boot_clock())
        self._budget_file.save(self._budget)
        self._notify.pulse(True)
        self._watchdog.arm(self._deadline_seconds(granted))
        self._guard, self._holder, client.token = granted, client, request.token
        self._settle()
        _LOG.info("on for %.3f s", asked)
        self._say(client, Answer("on", request.token, asked))

    def _granted(self, seconds: float) -> tuple[Guard, str]:
        """The state in which a pulse of ``seconds`` has begun, or the state as it is and why it must not begin."""
        granted, reason = rules.pulse(self._limits, self._guard, seconds=seconds, now_seconds=self._clock())
        if not reason and not hour.is_left(self._budget, seconds=seconds, now_seconds=self._boot_clock()):
            return self._guard, "over-budget"
        return granted, reason

    def _pass_time(self) -> None:
        now = self._clock()
        _, reason = rules.due(self._limits, self._guard, now_seconds=now)
        if reason:
            self._end_pulse(reason)
        for client in [each for each in self._clients if each is not self._holder and not now < each.until_seconds]:
            self._drop(client)
        self._settle()
        self._watchdog.renew(self._deadline_seconds(self._guard))

    def _deadline_seconds(self, guard: Guard) -> float:
        """When the second process has to act unless it hears otherwise; infinite while off."""
        return min(guard.off_at_seconds + LATE_SECONDS, self._clock() + SILENCE_SECONDS) if guard.is_on else math.inf

    def _settle(self) -> None:
        """Make the pin what the state says and read it back. Raises :class:`PinError`, the pin off, if it differs."""
        if self._driven_on != self._guard.is_on:
            self._pin.drive(self._guard.is_on)
            self._driven_on = self._guard.is_on
        # Not driven again otherwise: that would hide a pin that somebody else has moved.
        is_on = self._pin.read()
        self._guard = rules.read_back(self._limits, self._guard, is_on=is_on, now_seconds=self._clock())
        if self._guard.fault:
            self._pin.drive(False)
            self._driven_on = False
            holder, self._holder = self._holder, None
            if holder is not None:
                self._last_word(holder, Answer("fault", holder.token, reason=self._guard.fault))
            raise PinError(
                f"the pin does not follow: {self._guard.fault}",
                next_step="check the wiring, the level of active_high, and that nothing else drives the pin",
            )

    def _end_pulse(self, reason: str) -> None:
        """Off, read back, what it took charged, and the asker told."""
        was_on = self._guard.is_on
        self._guard = rules.off(self._limits, self._guard, now_seconds=self._clock())
        self._settle()
        if was_on:
            self._notify.pulse(False)
            self._budget = hour.settled(self._budget, now_seconds=self._boot_clock())
            self._budget_file.save(self._budget)
        holder, self._holder = self._holder, None
        if holder is not None:
            _LOG.info("off: %s", reason)
            self._last_word(holder, Answer("off", holder.token, reason=reason))

    def _last_word(self, client: _Client, answer: Answer) -> None:
        self._say(client, answer)
        self._drop(client)

    def _say(self, client: _Client, answer: Answer) -> None:
        if client not in self._clients:
            return
        try:
            client.connection.send(format_answer(answer), socket.MSG_NOSIGNAL)
        except OSError as error:
            _LOG.warning("an answer could not be given: %s", error)
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        if client is self._holder:
            self._end_pulse("hung-up")

    def _close(self) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            self._say(holder, Answer("off", holder.token, reason="stopped"))
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()

    def _wait_seconds(self) -> float:
        now, usual = self._clock(), ON_SECONDS if self._guard.is_on else IDLE_SECONDS
        patience = (each.until_seconds - now for each in self._clients if each is not self._holder)
        return max(0.0, min(usual, rules.wait_seconds(self._guard, now_seconds=now), *patience))
