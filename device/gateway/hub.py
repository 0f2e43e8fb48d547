"""Reads the live feed and hands every message to each outlet; comes back to a door that was away."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from device.errors import LiveError
from device.live.reader import LiveReader
from device.ports import Clock

_LOG = logging.getLogger(__name__)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 15.0
LOOK_SECONDS = 0.5
Message = Mapping[str, Any]


class Outlet(Protocol):
    """One way out of the house: MQTT, metrics, a page. All methods return at once; what they raise is logged.

    ``door`` says whether the daemon can be reached, ``hear`` takes each message of the live feed (see
    ``device.live.messages``), ``close`` ends it. Where the hub asks for recent events, these come at first and whenever
    the door came back, with ``recent`` true: what counts events must leave those out.
    """

    def door(self, reachable: bool) -> None: ...

    def hear(self, message: Message) -> None: ...

    def close(self) -> None: ...


class DoorLine:
    """How an outlet asks for the door: :meth:`open` says in words why it stayed shut, or nothing when it opened."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def open(self, by: str, *, asked_at_seconds: float) -> str:
        """Waits for the door's answer, a few seconds at most; never raises. ``asked_at_seconds``: when somebody asked,
        on the monotonic clock."""
        try:
            with LiveReader(self._socket, topics=()) as line:
                return line.open(by, asked_at_seconds=asked_at_seconds)
        except LiveError as error:
            return error.what


class Hub:
    """``run`` reads the socket until ``stopping``; ``alive`` is called at least about once a second. ``recent``: how
    many past events each connection begins with, 0 to 100."""

    def __init__(self, socket: Path, outlets: Sequence[Outlet], *, clock: Clock, recent: int = 0) -> None:
        self._socket, self._outlets, self._clock, self._recent = socket, outlets, clock, recent
        self._broken: set[int] = set()

    def run(self, stopping: Callable[[], bool], alive: Callable[[], None]) -> None:
        wait_seconds, told = FIRST_WAIT_SECONDS, False
        while not stopping():
            try:
                with LiveReader(self._socket, recent=self._recent) as reader:
                    _LOG.info("the door is there")
                    self._each(lambda outlet: outlet.door(True))
                    wait_seconds, told = FIRST_WAIT_SECONDS, False
                    self._read(reader, stopping, alive)
            except LiveError as error:
                self._each(lambda outlet: outlet.door(False))
                if not told:
                    _LOG.warning("the door is away, it is looked for again and again: %s", error)
                    told = True
                self._pause(wait_seconds, stopping, alive)
                wait_seconds = min(2.0 * wait_seconds, LONGEST_WAIT_SECONDS)

    def close(self) -> None:
        self._each(lambda outlet: outlet.close())

    def _read(self, reader: LiveReader, stopping: Callable[[], bool], alive: Callable[[], None]) -> None:
        heard_seconds, told_seconds = self._clock.monotonic_seconds(), -math.inf
        while not stopping():
            # Eight messages a second are no reason for eight signs of life.
            if self._clock.monotonic_seconds() - told_seconds >= LOOK_SECONDS:
                told_seconds = self._clock.monotonic_seconds()
                alive()
            try:
                message = reader.read(timeout_seconds=LOOK_SECONDS)
            except TimeoutError:
                if self._clock.monotonic_seconds() - heard_seconds > reader.patience_seconds:
                    raise LiveError("the daemon has fallen silent", where=str(self._socket)) from None
                continue
            heard_seconds = self._clock.monotonic_seconds()
            self._each(lambda outlet, message=message: outlet.hear(message))  # type: ignore[misc]

    def _pause(self, seconds: float, stopping: Callable[[], bool], alive: Callable[[], None]) -> None:
        until_seconds = self._clock.monotonic_seconds() + seconds
        while not stopping() and (left := until_seconds - self._clock.monotonic_seconds()) > 0.0:
            alive()
            self._clock.sleep(min(left, LOOK_SECONDS))

    def _each(self, work: Callable[[Outlet], None]) -> None:
        """One outlet that fails does not keep the others from hearing; its first failure is logged."""
        for number, outlet in enumerate(self._outlets):
            try:
                work(outlet)
            except Exception as error:
                if number not in self._broken:
                    self._broken.add(number)
                    _LOG.exception("%s failed, the others go on: %s", type(outlet).__name__, error)
