"""What the running daemon says of itself, in one small file: for people, and for a deployment that waits for it.

The file is written at start, after each reload and at the end, never while sound is heard. It holds no names of
people: a refusal is told in short, the journal has it in full.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from device.errors import ConfigError, VoicelatchError
from device.settings import one_of, settings_from, why_unreadable, within

_LOG = logging.getLogger(__name__)
NAME = "status.json"
# Where the unit's RuntimeDirectory= is, for whoever asks from outside the unit.
DEFAULT_FOLDER = Path("/run/voicelatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReload:
    """``count`` reloads since the start, refused ones included; of the last: accepted or not, why not, when (ISO)."""

    ok: bool = True
    reason: str = ""
    at: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The daemon's state. ``digest`` is the SHA-256 (hex) of the SHA256SUMS file of the bundle in service, so two
    doors with one digest hold the same bundle; it and ``bundle`` are empty until one was loaded at ``loaded_at``
    (ISO time)."""

    state: str
    pid: int
    bundle: str = ""
    sequence: int = 0
    digest: str = ""
    loaded_at: str = ""
    last_reload: LastReload = field(default_factory=LastReload)

    def __post_init__(self) -> None:
        one_of("state", self.state, ("starting", "listening", "stopped"))
        within("pid", self.pid, 1, 2**31 - 1)


class StatusFile:
    """The daemon's side: keeps :class:`Status` and writes it into ``folder`` (None: nowhere, as without systemd).

    A write that fails is logged; the door goes on.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.status = Status(state="starting", pid=os.getpid())

    def starting(self) -> None:
        self._write(replace(self.status, state="starting"))

    def loaded(self, *, bundle: str, sequence: int, digest: str, at: datetime) -> None:
        """Remember the bundle that serves from now on; written with the next change of state."""
        self.status = replace(
            self.status, bundle=bundle, sequence=sequence, digest=digest, loaded_at=at.isoformat(timespec="seconds")
        )

    def listening(self) -> None:
        self._write(replace(self.status, state="listening"))

    def reloaded(self, *, at: datetime, refused: str = "") -> None:
        """A reload was accepted, or ``refused`` for a reason."""
        told = LastReload(
            ok=not refused,
            reason=refused,
            at=at.isoformat(timespec="seconds"),
            count=self.status.last_reload.count + 1,
        )
        self._write(replace(self.status, last_reload=told))

    def stopped(self) -> None:
        self._write(replace(self.status, state="stopped"))

    def _write(self, status: Status) -> None:
        self.status = status
        if self._folder is None:
            return
        path = self._folder / NAME
        fresh = path.with_name(f"{NAME}.new")
        try:
            fresh.write_text(json.dumps(asdict(status), indent=1) + "\n", encoding="utf-8")
            # The unit's UMask would hide it from the person who asks.
            fresh.chmod(0o644)
            os.replace(fresh, path)
        except OSError as error:
            _LOG.error("the status cannot be written to %s, the door goes on: %s", path, error)


def in_short(error: Exception) -> str:
    """An error in a line that names no person: what was wrong and the file, without what was received."""
    if not isinstance(error, VoicelatchError):
        return f"a defect: {type(error).__name__}"
    what = error.what.splitlines()[0]
    file = error.where.rsplit("/", maxsplit=1)[-1]
    return f"{what} ({file})" if file else what


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What somebody who looks finds: the last status written, whether its process lives, or what the problem is."""

    status: Status | None = None
    alive: bool = False
    problem: str = ""

    @property
    def listening(self) -> bool:
        return self.status is not None and self.status.state == "listening" and self.alive

    def as_table(self) -> dict[str, object]:
        """Ready for JSON: ``listening``, ``alive``, ``problem`` and, where there is one, the fields of the status."""
        told = asdict(self.status) if self.status is not None else {}
        return {"listening": self.listening, "alive": self.alive, "problem": self.problem, **told}

    def as_text(self) -> str:
        if self.status is None:
            return self.problem
        last = self.status.last_reload
        lines = [f"{self.status.state}, process {self.status.pid}"]
        if self.status.digest:
            lines.append(
                f"bundle {self.status.bundle} #{self.status.sequence} ({self.status.digest[:12]}), "
                f"loaded {self.status.loaded_at}"
            )
        if last.count:
            verdict = "accepted" if last.ok else f"refused: {last.reason}"
            lines.append(f"{last.count} reloads, the last at {last.at} {verdict}")
        return "\n".join([*lines, *([self.problem] if self.problem else [])])


def runtime_folder(asked: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder asked for, or systemd's ``$RUNTIME_DIRECTORY``, or None."""
    named = environment.get("RUNTIME_DIRECTORY")
    return asked or (Path(named) if named else None)


def look(folder: Path) -> Sighting:
    """Read the status a daemon left in ``folder`` and see whether it still runs."""
    path = folder / NAME
    try:
        status = settings_from(json.loads(path.read_text(encoding="utf-8")), Status, where=str(path))
    except FileNotFoundError:
        return Sighting(problem=f"{path}: no daemon has left its status here; is it running?")
    except (OSError, AttributeError, ConfigError, ValueError) as error:
        return Sighting(problem=f"{path}: the status cannot be read: {why_unreadable(error)}")
    alive = _is_alive(status.pid)
    gone = status.state != "stopped" and not alive
    problem = f"process {status.pid} is gone without a word; see the journal" if gone else ""
    return Sighting(status=status, alive=alive, problem=problem)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It runs as another user, as it should.
        return True
    return True
