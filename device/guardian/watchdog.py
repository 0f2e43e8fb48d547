"""A second process that ends a pulse which the guardian no longer can end: frozen, killed, or hanging in a call.

A pin has one holder, so this process cannot drive it while the guardian lives. The guardian sends it a deadline, moved
on ten times a second while the relay is on. A deadline that passes: this process kills the guardian (SIGKILL also ends
one that is stopped), claims the pin at its idle level as soon as the kernel has let it go, and leaves; systemd starts
both anew. It answers every message. When it does not, it is itself frozen or gone: then the guardian grants nothing,
ends the pulse, and leaves. When both are frozen, systemd's watchdog is what remains.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from device.guardian.errors import GuardianError, PinBusyError, WatchdogError
from device.guardian.pin import Pin

# In a pulse: how long the guardian may be silent, and how long after the pulse's end the pin must be off.
SILENCE_SECONDS, LATE_SECONDS = 1.0, 0.3
# How long an answer may take: before a pulse, while the asker waits; at any other time.
ARM_SECONDS, ANSWER_SECONDS = 0.3, 0.5
# Between two messages, in a pulse and out of one.
BEAT_SECONDS, IDLE_SECONDS = 0.1, 0.5
# A slow card takes its time to load a library.
START_SECONDS = 20.0
# The kernel lets a dead process's pin go within milliseconds.
CLAIM_SECONDS, CLAIM_AGAIN_SECONDS, LEAVE_SECONDS = 3.0, 0.005, 3.5
_LOG = logging.getLogger(__name__)


class PulseWatchdog:
    """The guardian's side. Every method but :meth:`close` raises :class:`WatchdogError` when the other side is gone or
    does not answer."""

    def __init__(self, connection: socket.socket, pid: int, clock: Callable[[], float]) -> None:
        self.connection, self.pid, self._clock = connection, pid, clock
        self._sent = b""
        self._sent_at_seconds = -math.inf
        self._unanswered_since_seconds = math.inf

    def arm(self, until_seconds: float) -> None:
        """Before the pin goes on: the deadline is known on the other side when this returns."""
        self._take_answers()
        self._send(until_seconds)
        due_seconds = self._clock() + ARM_SECONDS
        while self._unanswered_since_seconds < math.inf:
            left_seconds = due_seconds - self._clock()
            if not left_seconds > 0.0:
                raise WatchdogError("the second process does not answer, so nothing is granted")
            select.select([self.connection], [], [], left_seconds)
            self._take_answers()

    def renew(self, until_seconds: float) -> None:
        """The pin is on until then at the latest (monotonic seconds; infinite: it is off)."""
        self._take_answers()
        now = self._clock()
        if now - self._unanswered_since_seconds > ANSWER_SECONDS:
            raise WatchdogError("the second process does not answer")
        # Every answer wakes the loop that calls this: only what is new, or due, is sent.
        is_off, was_off = until_seconds == math.inf, self._sent == _message(math.inf)
        if is_off != was_off or now - self._sent_at_seconds >= (IDLE_SECONDS if is_off else BEAT_SECONDS):
            self._send(until_seconds)

    def _send(self, until_seconds: float) -> None:
        message, now = _message(until_seconds), self._clock()
        try:
            self.connection.send(message, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            # Full of unanswered messages: the patience above is running.
            return
        except OSError as error:
            raise WatchdogError("the second process is gone", received=error) from error
        self._sent, self._sent_at_seconds = message, now
        self._unanswered_since_seconds = min(self._unanswered_since_seconds, now)

    def close(self) -> None:
        """Let it leave, which it does at once while the pin is off, and else when it has driven it off."""
        self.connection.close()
        end_seconds = time.monotonic() + LEAVE_SECONDS
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                if time.monotonic() >= end_seconds:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(CLAIM_AGAIN_SECONDS)

    def _take_answers(self) -> None:
        while True:
            try:
                answer = self.connection.recv(64)
            except BlockingIOError:
                return
            except OSError as error:
                raise WatchdogError("the second process is gone", received=error) from error
            if not answer:
                raise WatchdogError("the second process is gone")
            # An older one shows that it lives, and is only behind.
            self._unanswered_since_seconds = math.inf if answer == self._sent else self._clock()


def start_watchdog(
    *, claim: Callable[[], Pin], prepare: Callable[[], None], clock: Callable[[], float]
) -> PulseWatchdog:
    """Start the second process, and return when it is ready. ``prepare`` loads in it what ``claim`` will need.

    To be called before this process has a thread. Raises :class:`WatchdogError`.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    guardian = os.pidfd_open(os.getpid())
    pid = os.fork()
    if pid == 0:
        ours.close()
        os._exit(_run(theirs, guardian, claim, prepare, clock))
    theirs.close()
    os.close(guardian)
    watchdog = PulseWatchdog(ours, pid, clock)
    ours.settimeout(START_SECONDS)
    try:
        ready = ours.recv(64)
    except OSError as error:
        os.kill(pid, signal.SIGKILL)
        watchdog.close()
        raise WatchdogError("the second process does not start", received=error) from error
    ours.setblocking(False)
    if not ready:
        watchdog.close()
        raise WatchdogError("the second process has left at its start", next_step="its reason is in the lines before")
    return watchdog


def watch(connection: socket.socket, guardian: int, claim: Callable[[], Pin], clock: Callable[[], float]) -> int:
    """The second process's loop; its exit code. ``guardian``: a pidfd of the process to kill."""
    until_seconds = math.inf
    while True:
        wait_seconds = None if until_seconds == math.inf else max(0.0, until_seconds - clock())
        # What has come in is read before the deadline counts: whoever slept here may only be behind.
        if not select.select([connection], [], [], wait_seconds)[0]:
            _LOG.error("the guardian is silent while the relay is on: it is killed, and the pin driven off")
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(guardian, signal.SIGKILL)
            return _release(claim, clock)
        message = connection.recv(64)
        if not message:
            return 0 if until_seconds == math.inf else _release(claim, clock)
        until_seconds = float(message)
        with contextlib.suppress(OSError):
            # Whoever is gone meanwhile is found gone at the next look.
            connection.send(message, socket.MSG_NOSIGNAL)


def _message(until_seconds: float) -> bytes:
    return repr(until_seconds).encode()


def _run(
    connection: socket.socket, guardian: int, claim: Callable[[], Pin], prepare: Callable[[], None],
    clock: Callable[[], float],
) -> int:  # fmt: skip
    signal.set_wakeup_fd(-1)
    # systemd asks the whole unit to end: this process ends after the guardian, by the end of its connection.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        prepare()
        connection.send(b"ready")
        return watch(connection, guardian, claim, clock)
    except GuardianError as error:
        _LOG.error("the second process: %s", error)
        return error.exit_code
    except Exception:
        _LOG.exception("a defect of the second process; please report it")
        return GuardianError.exit_code


def claim_when_free(claim: Callable[[], Pin], clock: Callable[[], float]) -> Pin:
    """The pin, off, once whoever holds it has let it go: after a death several drive it off at the same time.

    Raises :class:`PinBusyError` where it is held for :data:`CLAIM_SECONDS`, and at once what else is wrong with it.
    """
    end_seconds = clock() + CLAIM_SECONDS
    while True:
        try:
            return claim()
        except PinBusyError:
            if clock() >= end_seconds:
                raise
            time.sleep(CLAIM_AGAIN_SECONDS)


def _release(claim: Callable[[], Pin], clock: Callable[[], float]) -> int:
    """Drive the pin off once its holder is dead; whatever is wrong, it is tried again."""
    end_seconds = clock() + CLAIM_SECONDS
    while True:
        try:
            claim().close()
        except GuardianError as error:
            if clock() >= end_seconds:
                _LOG.error("the pin could not be driven off by the second process: %s", error)
                return error.exit_code
            time.sleep(CLAIM_AGAIN_SECONDS)
        else:
            return 0
