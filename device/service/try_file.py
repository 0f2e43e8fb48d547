"""What visits have cost, kept over restarts: one small file in the state directory, without names.

Read once at the start, written by a thread of its own after each judged visit; the door waits for neither. Nothing here
forgives by accident: time counts only where the kernel says that it has passed, a process that did not end by itself
pays for one visit that it may not have written down, and where the file cannot be read or written the door begins as
if every visit had been spent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from device.errors import ConfigError, StateError
from device.ports import Clock
from device.service.background import Background
from device.service.boot import BootClock, BootTime, boot_time, elapsed_seconds
from device.service.status import StatusFile
from device.settings import settings_from, why_unreadable
from device.verdict.policy import Standing
from device.verdict.tries import Tries, TryLimits, charged, eased, spent

_LOG = logging.getLogger(__name__)
NAME = "visits.json"
# What the file is called once a count could not be written: as far as it goes it is too low.
BEHIND = "visits.behind"
MOST_BYTES = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The file: both counts (see :class:`~device.verdict.tries.Tries`) as they stood ``boot_seconds`` into ``boot``,
    and whether the process that wrote it was ``running``."""

    used: float
    failures: float
    boot: str
    boot_seconds: float
    running: bool

    def __post_init__(self) -> None:
        if not all(0.0 <= each < math.inf for each in (self.used, self.failures, self.boot_seconds)):
            raise ConfigError("not a count", where="used, failures, boot_seconds", received=self,
                              allowed="0 or more")  # fmt: skip


@dataclass(slots=True, kw_only=True)
class TryFile:
    """A :class:`~device.verdict.guards.VisitMemory`. ``path`` None: nothing is kept, as without a state directory.

    ``first`` is what the door begins with, ``problem`` why that is not known, empty where it is.
    """

    path: Path | None
    clock: Clock
    status: StatusFile = field(default_factory=lambda: StatusFile(None))
    boot: BootClock = boot_time
    background: Background = field(default_factory=Background)
    first: Tries = field(default_factory=Tries)
    problem: str = ""
    _latest: Tries = field(default_factory=Tries)
    _wanted: Kept | None = None

    def begin(self, limits: TryLimits) -> None:
        """Read what was spent before, and make sure that it can be written. Raises nothing."""
        now_seconds = self.clock.monotonic_seconds()
        self.first = Tries(at_seconds=now_seconds)
        if self.path is None:
            _LOG.warning("there is no state directory: a restart forgets how many visits failed")
            return
        try:
            if os.path.lexists(self.path.with_name(BEHIND)):
                raise StateError("visits could not be written before", where=str(self.path.with_name(BEHIND)))
            kept = _read(self.path)
            if kept is not None:
                self.first = _taken_up(kept, limits, now=self.boot(), now_seconds=now_seconds)
        except (OSError, StateError) as error:
            self._begin_spent(limits, now_seconds, error)
        self._latest = self.first
        try:
            _write(self.path, self._kept(self.first, running=True))
            self.path.with_name(BEHIND).unlink(missing_ok=True)
        except OSError as error:
            # Else each restart would begin where the last file that could be written stands.
            self._begin_spent(limits, now_seconds, error)
        self._latest = self.first

    def remember(self, tries: Tries, standing: Standing) -> None:
        """Have it written soon, and the status told; at once, whatever becomes of it."""
        self._latest = tries
        wall = self.clock.wall_time()
        again, usual = (
            (wall + timedelta(seconds=seconds)).isoformat(timespec="seconds") if seconds > 0.0 else ""
            for seconds in (standing.wait_seconds, standing.strict_seconds)
        )
        self._submit(running=True, waits_until=again, strict_until=usual)

    def close(self) -> None:
        """The process ends by itself: what it knew is whole."""
        self._submit(running=False)
        self.background.close()

    def _begin_spent(self, limits: TryLimits, now_seconds: float, error: Exception) -> None:
        self.first, self.problem = spent(limits, now_seconds=now_seconds), str(error)
        _LOG.error("how many visits failed before is not known, the door begins as after many: %s", error)

    def _submit(self, *, running: bool, waits_until: str = "", strict_until: str = "") -> None:
        path = self.path
        if path is not None:
            self._wanted = self._kept(self._latest, running=running)

        def write() -> None:
            # The newest, should several wait: an older one must never come last.
            wanted = self._wanted
            if path is not None and wanted is not None:
                _write_or_mark(path, wanted)
            if running:
                self.status.visits(waits_until=waits_until, strict_until=strict_until)

        self.background.submit(write)

    def _kept(self, tries: Tries, *, running: bool) -> Kept:
        now = self.boot()
        # As of when they were counted, should that have been a while ago.
        ago = max(0.0, self.clock.monotonic_seconds() - tries.at_seconds) if math.isfinite(tries.at_seconds) else 0.0
        return Kept(used=tries.used, failures=tries.failures, boot=now.boot,
                    boot_seconds=max(0.0, now.seconds - ago), running=running)  # fmt: skip


def _taken_up(kept: Kept, limits: TryLimits, *, now: BootTime, now_seconds: float) -> Tries:
    away_seconds = elapsed_seconds(BootTime(kept.boot, kept.boot_seconds), now)
    tries = eased(limits, Tries(kept.used, kept.failures, now_seconds - away_seconds), now_seconds=now_seconds)
    # It was killed, or the power failed: one visit may have begun that is not written down.
    return charged(limits, tries) if kept.running else tries


def _read(path: Path) -> Kept | None:
    """What is kept; None where there is no file yet. Raises :class:`StateError` for one that says nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        if len(content) > MOST_BYTES:
            raise ValueError("too large")
        table = json.loads(content.decode("utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not a table")
        return settings_from(table, Kept, where=str(path))
    except (ConfigError, ValueError, RecursionError) as error:
        raise StateError("the count of visits cannot be read", where=str(path), received=why_unreadable(error),
                         next_step="look who changed it; the door goes on and writes it anew") from error  # fmt: skip


def _write_or_mark(path: Path, kept: Kept) -> None:
    """Write it; where that cannot be done, see that nobody begins with the older file. Raises :class:`OSError`."""
    behind = path.with_name(BEHIND)
    try:
        _write(path, kept)
    except OSError:
        # A full disk still takes a new name for what is there.
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, behind)
        raise
    behind.unlink(missing_ok=True)


def _write(path: Path, kept: Kept) -> None:
    """Whole or not at all, and on the disk when it returns. Raises :class:`OSError`."""
    fresh = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(kept), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
