"""What a scan found, in a folder: a recording's results appear whole or not at all, and a scan that was killed goes on.

``results.csv`` has a row a stretch, ``files.csv`` a row a recording (the last thing that is written of it: only then is
it finished), ``scan.json`` what the scan was made with. They say who was where and when: for their owner alone.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TextIO

from device.errors import ConfigError, StateError, VoicelatchError
from device.service.scan_runs import Stretch

RESULTS = ("file", "start_seconds", "end_seconds", "who", "peak_llr", "threshold_llr", "decision", "clips")
STRANGER = "stranger"
_ELSE = "name another folder with --out, or remove this one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that was scanned to its end. ``file`` as it was named; size and time of change tell whether it is
    still the same. ``events`` counts those of all residents, ``residents`` each one's, as JSON."""

    file: str
    size_bytes: int
    modified_ns: int
    seconds: float
    clips: int
    too_short: int
    openings: int
    events: int
    events_per_hour: float
    residents: str


_FILES = tuple(each.name for each in fields(Recording))


@dataclass(slots=True)
class ScanFolder:
    """Open it with :func:`scan_folder`. ``finished`` is every recording it has results of, by file."""

    folder: Path
    finished: dict[str, Recording] = field(default_factory=dict)

    @property
    def _part(self) -> Path:
        return self.folder / ".rows.part"

    def is_finished(self, path: Path) -> bool:
        """Whether there are results of this file as it is now."""
        known = self.finished.get(str(path))
        return known is not None and _unchanged(known)

    @contextmanager
    def rows(self, file: str, *, threshold_llr: float) -> Iterator[Rows]:
        """Where the results of one recording wait until it is finished; they are gone if it never is."""
        try:
            with _for_its_owner(self._part) as out:
                yield Rows(file, threshold_llr, out, self)
        finally:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def forget_all_but(self, kept: Mapping[str, Recording]) -> None:
        """Drop what is no longer right, and the rows of a recording that was never finished."""
        with _replaced(self.folder / "results.csv") as out:
            writer = csv.writer(out)
            writer.writerow(RESULTS)
            if (self.folder / "results.csv").exists():
                writer.writerows(
                    [row[each] for each in RESULTS] for row in _read(self.folder / "results.csv", RESULTS)
                    if row["file"] in kept
                )  # fmt: skip
        with _replaced(self.folder / "files.csv") as out:
            writer = csv.writer(out)
            writer.writerow(_FILES)
            writer.writerows(asdict(each).values() for each in kept.values())
        self.finished = dict(kept)

    def finish(self, recording: Recording) -> None:
        """Publish one recording: its rows, then that it is finished."""
        with _appended(self.folder / "results.csv") as out, _readable(self._part) as rows:
            shutil.copyfileobj(rows, out)
        with _appended(self.folder / "files.csv") as out:
            csv.writer(out).writerow(asdict(recording).values())
        self.finished[recording.file] = recording


@dataclass(frozen=True, slots=True)
class Rows:
    """The results of one recording, written as they come."""

    file: str
    threshold_llr: float
    out: TextIO
    folder: ScanFolder

    def add(self, found: Stretch) -> None:
        """One more row."""
        times = (f"{found.started_at_seconds:.2f}", f"{found.ended_at_seconds:.2f}")
        scores = (f"{found.peak_llr:.3f}", f"{self.threshold_llr:.3f}")
        who = STRANGER if found.resident is None else found.resident
        csv.writer(self.out).writerow((self.file, *times, who, *scores, found.decision.value, found.clips))

    def publish(self, recording: Recording) -> None:
        """That was all: the recording is finished."""
        self.out.flush()
        self.folder.finish(recording)


@contextmanager
def scan_folder(folder: Path, made_with: Mapping[str, object]) -> Iterator[ScanFolder]:
    """The folder for a scan made with these settings (ready for JSON), alone in it.

    Raises :class:`ConfigError` where another scan runs in it, or where it holds results made with other settings;
    :class:`StateError` when it cannot be written, or what is in it was altered.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError("another scan runs in this folder", where=str(folder),
                                  next_step="wait for it, or name another folder with --out") from error  # fmt: skip
            opened = ScanFolder(folder)
            _agree(folder / "scan.json", made_with)
            finished = _finished(folder / "files.csv")
            if finished and not (folder / "results.csv").exists():
                raise StateError("the results are gone, the list of finished recordings is not",
                                 where=str(folder / "results.csv"), next_step=_ELSE)  # fmt: skip
            opened.forget_all_but({file: each for file, each in finished.items() if _unchanged(each)})
            yield opened
    except OSError as error:
        if isinstance(error, VoicelatchError):
            raise
        raise StateError("the results cannot be written", where=str(folder), received=error,
                         next_step="check disk and permissions, or name another with --out") from error  # fmt: skip


def identity(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in ns. Raises OSError."""
    told = path.stat()
    return told.st_size, told.st_mtime_ns


def _unchanged(recording: Recording) -> bool:
    try:
        return identity(Path(recording.file)) == (recording.size_bytes, recording.modified_ns)
    except OSError:
        # Not to be reached from here: what was found in it is still true.
        return True


def _agree(path: Path, made_with: Mapping[str, object]) -> None:
    text = json.dumps(made_with, indent=1, sort_keys=True)
    if not path.exists():
        with _replaced(path) as out:
            out.write(text)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        other = sorted(key for key in {*before, *made_with} if before.get(key) != json.loads(text).get(key))
    except (ValueError, AttributeError, TypeError) as error:
        raise StateError("not what a scan wrote", where=str(path), received=error, next_step=_ELSE) from error
    if other:
        raise ConfigError("this folder holds a scan that was made otherwise", where=str(path),
                          received=f"other {', '.join(other)}", next_step=_ELSE)  # fmt: skip


def _finished(path: Path) -> dict[str, Recording]:
    if not path.exists():
        return {}
    found = {}
    for row in _read(path, _FILES):
        try:
            whole = {key: int(row[key]) for key in _FILES[1:3] + _FILES[4:8]}
            found[row["file"]] = Recording(file=row["file"], seconds=float(row["seconds"]), **whole,
                                           events_per_hour=float(row["events_per_hour"]),
                                           residents=row["residents"])  # fmt: skip
        except ValueError as error:
            raise StateError("not what a scan wrote", where=str(path), received=error, next_step=_ELSE) from error
    return found


def _read(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    with _readable(path) as file:
        try:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != columns:
                raise StateError("not what a scan wrote", where=str(path), received=rows.fieldnames, next_step=_ELSE)
            for row in rows:
                if None in row or None in row.values():
                    raise StateError("not what a scan wrote", where=f"{path}, line {rows.line_num}", next_step=_ELSE)
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise StateError("not what a scan wrote", where=str(path), received=error, next_step=_ELSE) from error


def _readable(path: Path) -> TextIO:
    # Names of files are bytes: what is no UTF-8 in them must come back as it was.
    return path.open(encoding="utf-8", errors="surrogateescape", newline="")


def _for_its_owner(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="")


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """A fresh file that takes the place of ``path`` when it is complete."""
    fresh = path.with_name(f".{path.name}.new")
    with _for_its_owner(fresh) as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)


@contextmanager
def _appended(path: Path) -> Iterator[TextIO]:
    """The same, after all that ``path`` holds so far. Copying it is little beside listening to a recording."""
    with _replaced(path) as out:
        with _readable(path) as before:
            shutil.copyfileobj(before, out)
        yield out
