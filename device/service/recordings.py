"""Recordings made at the door, in the layout that training reads, below the daemon's state directory.

``recordings/<role>/<person>/<date>/NN.wav`` with the roles allowed, others and strangers; the background of the door in
``recordings/noise/<date>/NN.wav``. Readable by the daemon's user alone. Nothing that is there is ever overwritten.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.enrolment.progress import ROLES, Day, Progress, Role, in_order
from device.errors import AudioFormatError, DataError, StateError
from device.names import normalise, person_name, same_name
from device.ownership import give_to_owner_of_folder
from device.service.privacy import RECORDINGS, make_private
from device.sound.pcm import FRAME_SECONDS, SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import frames_of
from device.sound.vad import VadSpec, WebRtcDetector
from device.sound.wavfile import read_wav, write_wav

LONGEST_NAME = 60
_NUMBER = re.compile(r"(\d+)\.wav")
# Words of the command line, and folders of the layout: `forget` looks for folders by name.
RESERVED = frozenset({*ROLES, "crowd", "rir", "status", "evaluate-only"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A file below the recordings: ``path`` relative to them, with forward slashes; ``sha256`` in hex."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The recordings below the state directory ``state``. ``seconds`` counts what a file of a role has."""

    state: Path
    seconds: Callable[[Path, Role], float] = field(default_factory=lambda: counted_seconds, compare=False)

    @property
    def folder(self) -> Path:
        return self.state / RECORDINGS

    def keep(self, samples: Samples, role: Role, person: str, day: str) -> Path:
        """Write int16 ``(n,)`` at 16 kHz as the next number of that day; ``person`` is not looked at for noise.

        Raises :class:`StateError` when it cannot be written.
        """
        parts = [self.folder, self.folder / role]
        parts += [folder_of(parts[-1], person)] if role != "noise" else []
        folder = parts[-1] / day
        try:
            for each in (*parts, folder):
                if not each.exists():
                    make_private(each)
                    self._hand_over(each)
            numbers = [int(found[1]) for path in folder.iterdir() if (found := _NUMBER.fullmatch(path.name))]
            path = folder / f"{max(numbers, default=0) + 1:02d}.wav"
            write_wav(path, samples)
            path.chmod(0o600)
            self._hand_over(path)
        except OSError as error:
            raise StateError(
                "the recording cannot be written", where=str(folder), received=error,
                next_step="run it as the daemon's user, as the command voicelatch does; or look at the disk",
            ) from error  # fmt: skip
        return path

    def progress(self) -> tuple[Progress, ...]:
        """What there is of everybody, counted anew from the files by the door's own detector.

        Raises :class:`StateError` where the folder may not be read, :class:`AudioFormatError` for a damaged recording.
        """
        found = []
        for role in ROLES:
            names = {normalise(name) for name, _ in self._folders(self.folder / role)} if role != "noise" else {""}
            found += [progress for name in sorted(names) if (progress := self.of(role, name)).days]
        return in_order(found)

    def of(self, role: Role, person: str) -> Progress:
        """What there is of one person, empty where there is nothing yet."""
        above = self._folders(self.folder / role) if role != "noise" else []
        folders = [path for name, path in above if same_name(name, person)] if role != "noise" else [self.folder / role]
        days = dict[str, Day]()
        for name, path in (day for folder in folders for day in self._folders(folder)):
            one, before = _day(name, path, role, self.seconds), days.get(name, Day(name, 0, 0.0))
            days[name] = Day(name, before.takes + one.takes, round(before.seconds + one.seconds, 2))
        taken = tuple(days[name] for name in sorted(days) if days[name].takes)
        return Progress(role, normalise(person) if role != "noise" else "", taken)

    def paths(self) -> dict[str, Path]:
        """Every recording by its path below the recordings. Links are left out: what they name is not below them."""
        if not self._is_there(self.folder):
            return {}
        return {
            path.relative_to(self.folder).as_posix(): path
            for path in sorted(self.folder.rglob("*.wav"))
            if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
        }

    def files(self) -> Iterator[Kept]:
        """The same with what is in them."""
        for inside, path in self.paths().items():
            content = path.read_bytes()
            yield Kept(inside, len(content), hashlib.sha256(content).hexdigest())

    def _folders(self, folder: Path) -> list[tuple[str, Path]]:
        if not self._is_there(folder):
            return []
        return sorted((each.name, each) for each in folder.iterdir() if each.is_dir() and not each.is_symlink())

    def _is_there(self, folder: Path) -> bool:
        try:
            os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError as error:
            raise StateError(
                "the recordings may not be read", where=str(folder), received=error,
                next_step="run it as the daemon's user, as the command voicelatch does",
            ) from error  # fmt: skip
        return True

    def _hand_over(self, path: Path) -> None:
        """What root writes in the daemon's stead belongs to the daemon."""
        give_to_owner_of_folder(path)


def check_person(name: str) -> str:
    """The name as a folder is called, or :class:`DataError`."""
    clean = person_name(name)
    if len(clean) > LONGEST_NAME or clean[0] in "._-~" or clean.lower() in RESERVED:
        raise DataError(
            "not a person's name", received=repr(name),
            allowed=f"1 to {LONGEST_NAME} printable characters without '/', not beginning with '.', '_', '-' or '~', "
            f"and none of {', '.join(sorted(RESERVED))}",
        )  # fmt: skip
    return clean


def folder_of(parent: Path, person: str) -> Path:
    """The folder of ``person`` in ``parent``: the one that is there, also where its name's letters are composed
    otherwise, as in a copy from another machine; else the one to be made."""
    there = sorted(path for path in parent.iterdir() if same_name(path.name, person)) if parent.is_dir() else []
    return next((path for path in there if path.is_dir()), parent / normalise(person))


def _day(name: str, folder: Path, role: Role, seconds: Callable[[Path, Role], float]) -> Day:
    paths = sorted(path for path in folder.rglob("*.wav") if not path.name.startswith("."))
    return Day(name, len(paths), round(sum(seconds(path, role) for path in paths), 2))


def counted_seconds(path: Path, role: Role) -> float:
    """Net speech by the door's detector; of noise, all of it. A damaged file is named."""
    try:
        samples = read_wav(path)
    except AudioFormatError as error:
        raise AudioFormatError(
            error.what, where=error.where, received=error.received, next_step="remove this file, then go on"
        ) from error
    return len(samples) / SAMPLE_RATE_HZ if role == "noise" else net_speech_seconds(samples)


def net_speech_seconds(samples: Samples) -> float:
    """What the door's own detector calls speech in int16 ``(n,)`` at 16 kHz."""
    return float(speech_marks(samples).sum()) * FRAME_SECONDS


def speech_marks(samples: Samples) -> NDArray[np.bool_]:
    """Its word on each frame, bool ``(n // 320,)``, from a fresh start: as training, too, counts a recording."""
    detector = WebRtcDetector(VadSpec())
    return np.array([detector.is_speech(frame) for frame in frames_of(samples)], dtype=bool)
