"""On a manual clock: a calendar that jumps, a guardian by the shipped rules, a full disk, a log that is counted."""

from __future__ import annotations

import errno
import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from device.errors import RelayError
from device.guardian import guard as rules
from device.guardian.guard import Guard, Limits
from device.ports import Event, check_open_seconds
from device.service import audit, event_table, log_files
from device.service.events import FileEvents, as_table
from device.simulated.clock import ManualClock


class Killed(BaseException):
    """SIGKILL: nothing of the process runs any more. What unwinds in a test must reach neither pin nor disk."""


class OddClock(ManualClock):
    """A manual clock whose calendar can be set, as by NTP or by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.calendar_off = timedelta()

    def wall_time(self) -> datetime:
        return super().wall_time() + self.calendar_off


class Pin:
    """The guardian's pin: the shipped rules, the manual clock, every change with its exact time."""

    def __init__(self, clock: ManualClock, *, limits: Limits | None = None) -> None:
        self._clock, self._limits = clock, limits or Limits()
        self._guard: Guard = rules.started(self._limits, now_seconds=-60.0)
        self.history: list[tuple[float, bool]] = []
        self._beating = True
        self.gone_until_seconds = -math.inf
        self.slow_until_seconds = -math.inf

    def pass_time(self) -> None:
        """The end of a pulse at its exact moment, however late it is looked for."""
        silent = math.inf if self._beating else self._guard.beat_due_seconds
        end = min(self._guard.off_at_seconds, silent)
        if self._guard.is_on and self._clock.monotonic_seconds() >= end:
            self._off(end)

    def fall_silent(self) -> None:
        """The daemon is frozen: its connection stays, its signs of life end."""
        self.pass_time()
        due_seconds = self._clock.monotonic_seconds() + self._limits.heartbeat_seconds
        self._guard, self._beating = replace(self._guard, beat_due_seconds=due_seconds), False

    def pulse(self, seconds: float) -> None:
        self._answer()
        now = self._clock.monotonic_seconds()
        self._guard, reason = rules.pulse(self._limits, self._guard, seconds=seconds, now_seconds=now)
        if reason:
            raise RelayError("the guardian does not grant a pulse", received=reason)
        self._beating = True
        self.history.append((now, True))

    def off(self) -> None:
        self._answer()
        self.hang_up()

    def hang_up(self) -> None:
        """The connection closes: by the daemon, or by the kernel when the daemon is gone."""
        self.pass_time()
        if self._guard.is_on:
            self._off(self._clock.monotonic_seconds())

    def die(self, *, seconds: float, one_shot_seconds: float = 0.3) -> None:
        """SIGKILL of the guardian: the pin keeps its level until the one-shot drives it off; then it is started."""
        self.pass_time()
        now = self._clock.monotonic_seconds()
        if self._guard.is_on:
            self._off(min(now + one_shot_seconds, self._guard.off_at_seconds))
        self.gone_until_seconds = now + seconds
        self._guard = rules.started(self._limits, now_seconds=self.gone_until_seconds)

    @property
    def is_on(self) -> bool:
        self.pass_time()
        return self._guard.is_on

    def answers(self) -> bool:
        """As seen by a daemon that asks for the state."""
        self._answer()
        return self.is_on

    def _off(self, at_seconds: float) -> None:
        self.history.append((at_seconds, False))
        self._guard = rules.off(self._limits, self._guard, now_seconds=at_seconds)

    def _answer(self) -> None:
        self.pass_time()
        now = self._clock.monotonic_seconds()
        if now < self.gone_until_seconds:
            raise RelayError("the relay's guardian cannot be reached")
        if now < self.slow_until_seconds:
            self._clock.advance(0.5)
            self.pass_time()
            raise RelayError("the guardian does not answer as it should, so the door stays shut")


class GuardedRelay:
    """:class:`~device.ports.Relay` at a :class:`Pin`, as a daemon's; ``dead`` once that daemon was killed."""

    def __init__(self, pin: Pin) -> None:
        self._pin, self.dead = pin, False
        if pin.answers():
            pin.off()

    @property
    def is_on(self) -> bool:
        return not self.dead and self._pin.is_on

    def probe(self) -> bool:
        return self._pin.answers()

    def pulse(self, *, open_seconds: float) -> None:
        check_open_seconds(open_seconds)
        if not self.dead and not self._pin.is_on:
            self._pin.pulse(open_seconds)

    def off(self) -> None:
        if not self.dead:
            self._pin.off()

    def close(self) -> None:
        if not self.dead:
            was_on = self.is_on
            self._pin.hang_up()
            if was_on:
                self._pin.off()

    def die(self) -> None:
        """The daemon is killed: the kernel closes its connection."""
        self.dead = True
        self._pin.hang_up()


class Disk:
    """Stands before the event log: full, or read-only. A real file system is in ``test_disk_and_bundle``."""

    def __init__(self) -> None:
        self.full = self.read_only = self._in_the_middle = False

    def refuse(self, statement: str) -> None:
        """Raise as SQLite does: at the beginning of a change, or (every other time) when it is to be kept."""
        if self.read_only and statement.startswith(("BEGIN", "CREATE", "INSERT")):
            raise _refusal("attempt to write a readonly database", sqlite3.SQLITE_READONLY)
        if self.full and statement.startswith("INSERT"):
            self._in_the_middle = not self._in_the_middle
        if self.full and statement.startswith("INSERT" if self._in_the_middle else "COMMIT"):
            raise _refusal("database or disk is full", sqlite3.SQLITE_FULL)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        if self.read_only:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return os.open(path, flags, mode)

    def replace(self, old: Any, new: Any) -> None:
        if self.full or self.read_only:
            raise OSError(errno.ENOSPC, "No space left on device", str(new))
        os.replace(old, new)

    def connect(self, *arguments: Any, **more: Any) -> sqlite3.Connection:
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
                disk.refuse(statement)
                return super().execute(statement, *values)

        return sqlite3.connect(*arguments, **more, factory=Connection)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module in (log_files, event_table, audit):
                patch.setattr(module, "os", _Instead(os, open=self.open, replace=self.replace))
            patch.setattr(event_table, "sqlite3", _Instead(sqlite3, connect=self.connect))
            yield


class _Instead:
    """A module of which some names are replaced."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _refusal(text: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class Acknowledging:
    """:class:`~device.ports.EventSink` on the shipped one; ``acknowledged`` holds what was taken and not lost."""

    def __init__(self, inner: FileEvents, acknowledged: list[dict[str, object]]) -> None:
        self.inner, self.acknowledged, self.dead = inner, acknowledged, False

    def record(self, event: Event) -> None:
        if self.dead:
            return
        lost = self.inner.lost
        self.inner.record(event)
        if self.inner.lost == lost:
            self.acknowledged.append(as_table(event))

    def close(self) -> None:
        if not self.dead:
            self.inner.close()
