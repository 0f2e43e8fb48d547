"""The latch through the guardian, the process that owns the pin: this side only asks.

A pulse is one connection. The guardian ends it with its time; it also ends it when the connection closes or this side
falls silent, so whatever happens to the daemon, the door shuts. An answer that is late, missing or not the one asked
for closes the connection and is a :class:`RelayError`: the door stays shut.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
import time
from pathlib import Path

from device.errors import RelayError
from device.guardian.errors import ProtocolError
from device.guardian.protocol import Answer, Lines, Request, format_request, parse_answer
from device.ports import check_open_seconds

# The door waits at most this long for an answer, a connection included; the guardian allows four times the pause
# between two signs of life.
TIMEOUT_SECONDS, BEAT_SECONDS = 0.5, 0.25
# Why the guardian would not grant a pulse that another time it would.
REFUSALS = {
    "over-budget": "the relay was on for as long as an hour allows (relay.max_on_seconds_an_hour)",
    "too-soon": "the relay rests between two openings (relay.min_gap_seconds)",
    "busy": "somebody else has the relay on",
    "too-long": "an opening may not be that long (relay.max_on_seconds, as the guardian read it at its start)",
}
_LOG = logging.getLogger(__name__)


class GuardianRelay:
    """:class:`~device.ports.Relay` at the guardian's socket ``path``.

    Raises :class:`RelayError` when no guardian answers there within ``timeout_seconds`` that the relay is off.
    """

    def __init__(
        self, path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS, beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._path, self._timeout_seconds, self._beat_seconds = path, timeout_seconds, beat_seconds
        self._lock = threading.Lock()
        self._pulse: _Pulse | None = None
        self._closed = False
        if self.probe():
            ask_off(path, timeout_seconds=timeout_seconds)

    @property
    def is_on(self) -> bool:
        pulse = self._pulse
        return pulse is not None and pulse.is_on

    def probe(self) -> bool:
        """See :func:`probe`."""
        return probe(self._path, timeout_seconds=self._timeout_seconds)

    def refusal(self, *, open_seconds: float) -> str:
        """Why the guardian would not grant a pulse now, in words; empty where it would. Moves nothing. Raises
        :class:`RelayError` where it does not say."""
        check_open_seconds(open_seconds)
        if self.is_on:
            return ""
        answer = _ask_once(self._path, "free", self._timeout_seconds, seconds=open_seconds, words=("off", "refused"))
        if answer.word == "off":
            return ""
        if answer.reason not in REFUSALS:
            raise _refusal(self._path, "a pulse", answer)
        return REFUSALS[answer.reason]

    def pulse(self, *, open_seconds: float) -> None:
        check_open_seconds(open_seconds)
        with self._lock:
            if self._closed:
                raise RelayError("the relay is closed")
            if self.is_on:
                return
            self._pulse = _Pulse(self._path, open_seconds, self._timeout_seconds, self._beat_seconds)

    def off(self) -> None:
        with self._lock:
            if not self._closed:
                self._release()
                # Also where no pulse of ours is known: the guardian has the last word, and reads the pin back.
                ask_off(self._path, timeout_seconds=self._timeout_seconds)

    def close(self) -> None:
        with self._lock:
            was_on, self._closed = self.is_on, True
            self._release()
            if was_on:
                ask_off(self._path, timeout_seconds=self._timeout_seconds)

    def _release(self) -> None:
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.end()


class _Pulse:
    """One granted pulse: its connection, and the thread that gives signs of life until the guardian says off."""

    def __init__(self, path: Path, open_seconds: float, timeout_seconds: float, beat_seconds: float) -> None:
        self._token, self._beat_seconds = secrets.token_hex(4), beat_seconds
        self._line = _connect(path, timeout_seconds)
        self._over, self._timeout_seconds = threading.Event(), timeout_seconds
        thread = threading.Thread(target=self._live, name="pulse", daemon=True)
        try:
            request = Request("pulse", self._token, open_seconds)
            answer = _exchange(self._line, request, timeout_seconds)
            if answer.word != "on" or abs(answer.seconds - open_seconds) > 0.001:
                raise _refusal(path, "a pulse", answer)
            self._until_seconds = time.monotonic() + open_seconds
            # Without signs of life the guardian would end the pulse early: no thread, no opening.
            thread.start()
        except RuntimeError as error:
            self._line.close()
            raise RelayError("no thread can be started, so the door stays shut", received=error) from error
        except RelayError:
            self._line.close()
            raise

    @property
    def is_on(self) -> bool:
        return not self._over.is_set()

    def end(self) -> None:
        """Hang up, which ends it. Raises nothing: whoever needs certainty asks the guardian."""
        self._over.set()
        # Wakes the thread, which closes; where it has done so already there is nothing left to end.
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def _live(self) -> None:
        beat = format_request(Request("alive", self._token))
        try:
            # Later than that is the guardian's fault; hanging up ends the pulse if anything still can.
            until_seconds = self._until_seconds + self._timeout_seconds
            while not self._over.is_set() and time.monotonic() < until_seconds:
                self._line.settimeout(self._beat_seconds)
                try:
                    self._line.recv(64)
                except TimeoutError:
                    self._line.send(beat, socket.MSG_NOSIGNAL)
                else:
                    # Whatever the guardian says during a pulse is its end: off, a fault, or that it is gone.
                    return
        except OSError as error:
            _LOG.info("the guardian ended the pulse: %s", error)
        finally:
            self._over.set()
            self._line.close()


def ask_off(path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Have the guardian at ``path`` switch off and say so. Raises :class:`RelayError` where it does not."""
    answer = _ask_once(path, "off", timeout_seconds)
    if answer.word != "off":
        raise _refusal(path, "off", answer)


def probe(path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> bool:
    """Whether the guardian at ``path`` reads the relay as on; a dry run that moves nothing. Raises
    :class:`RelayError` where it does not say."""
    return _ask_once(path, "status", timeout_seconds).word == "on"


def ask_chip(path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """The GPIO chip whose pin the guardian at ``path`` holds: name and label. Raises :class:`RelayError` where it does
    not say."""
    name, label = _ask_once(path, "chip", timeout_seconds, words=("chip",)).reason.split()
    return f"{name} ({label})"


def _ask_once(
    path: Path, verb: str, timeout_seconds: float, *, seconds: float = 0.0, words: tuple[str, ...] = ("on", "off")
) -> Answer:
    with _connect(path, timeout_seconds) as line:
        answer = _exchange(line, Request(verb, secrets.token_hex(4), seconds), timeout_seconds)
    if answer.word not in words:
        raise _refusal(path, verb, answer)
    return answer


def _connect(path: Path, timeout_seconds: float) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    line.settimeout(timeout_seconds)
    try:
        line.connect(str(path))
    except OSError as error:
        line.close()
        raise RelayError(
            "the relay's guardian cannot be reached",
            where=f"relay.guardian = {path}",
            received=error,
            allowed="the daemon's user alone may ask it",
            next_step='systemctl status voicelatch-guardian; relay.guardian = "" drives the pin without one',
        ) from error
    return line


def _exchange(line: socket.socket, request: Request, timeout_seconds: float) -> Answer:
    """Ask, and wait for the one answer, no longer than ``timeout_seconds`` in all."""
    lines, until_seconds = Lines(), time.monotonic() + timeout_seconds
    try:
        line.sendall(format_request(request))
        while True:
            line.settimeout(max(0.001, until_seconds - time.monotonic()))
            received = line.recv(64)
            if not received:
                raise ConnectionError("it hung up without an answer")
            found = lines.feed(received)
            if not found and time.monotonic() >= until_seconds:
                raise TimeoutError(f"no whole line within {timeout_seconds:g} s")
            if found:
                break
        answers = [parse_answer(each) for each in found]
    except (OSError, ProtocolError) as error:
        raise RelayError(
            "the guardian does not answer as it should, so the door stays shut",
            received=f"{type(error).__name__}: {error}",
            next_step="journalctl -u voicelatch-guardian",
        ) from error
    if len(answers) != 1 or answers[0].token != request.token:
        raise RelayError(
            "the guardian answers something that was not asked, so the door stays shut", received=found[0].decode()
        )
    return answers[0]


def _refusal(path: Path, asked: str, answer: Answer) -> RelayError:
    why = f": {REFUSALS[answer.reason]}" if answer.reason in REFUSALS else ""
    return RelayError(
        f"the guardian does not grant {asked}, so the door stays shut{why}",
        where=f"relay.guardian = {path}",
        received=f"{answer.word} {answer.reason or answer.seconds}",
        allowed="relay.max_on_seconds, max_on_seconds_an_hour and min_gap_seconds of the configuration",
    )
