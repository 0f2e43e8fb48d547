"""Every recording below a folder, opened once.

The layout::

    ROOT/allowed/<person>/[<session>/]*.wav      the household; sessions sort by name, so dates work
    ROOT/others/<speaker>/[<session>/]*.wav      people to learn voices and thresholds from
    ROOT/strangers/<speaker>/[<session>/]*.wav   optional: people met only in the final test
    ROOT/crowd/*.wav                             optional: speech of unknown people, for a teacher only
    ROOT/noise/**, ROOT/rir/**                   optional: sounds and room responses for augmentation
    .../evaluate-only/...                        a folder of this name keeps noise or rooms out of training

wav, flac and ogg (Vorbis or Opus), any common rate, any number of channels (averaged). Recordings directly below a
person are session ``1``. Links to files and folders of files are followed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import soundfile

from device.errors import DataError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.resample import resample
from training.corpus.inspection import Facts, Known, read_cache, write_cache
from training.corpus.inspection import know as _inspect

Role = Literal["allowed", "others", "strangers", "crowd", "noise", "rir"]
ROLES: tuple[Role, ...] = get_args(Role)
SUFFIXES = (".wav", ".flac", ".ogg")
# Sound that people do bring along, and that would otherwise be missed without a word.
FOREIGN_SUFFIXES = (".mp3", ".m4a", ".aac", ".wma", ".opus", ".aiff", ".aif", ".amr", ".3gp", ".mp4", ".webm", ".caf")
EVALUATE_ONLY = "evaluate-only"
SHORTEST_SECONDS = 0.3
LAYOUT = "allowed/<person>/[<session>/]*.wav|flac|ogg, others/<speaker>/..., noise/..., rir/..."

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One usable recording; ``path`` is relative to the root, with forward slashes.

    ``speaker`` is the folder's name (empty for noise and rir, ``unknown`` for the crowd); ``sha256`` is that of the
    file, ``sound_sha256`` that of the decoded samples.
    """

    path: str
    role: Role
    speaker: str
    session: str
    seconds: float
    sample_rate_hz: int
    sha256: str
    sound_sha256: str

    @property
    def evaluate_only(self) -> bool:
        return EVALUATE_ONLY in self.path.split("/")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """All recordings in path order, and what was left out."""

    root: Path
    recordings: tuple[Recording, ...]
    rejected: tuple[Rejected, ...]

    def of(self, role: Role) -> tuple[Recording, ...]:
        return tuple(each for each in self.recordings if each.role == role)

    def data_sha256(self) -> str:
        """Names the data: who said what, by content; independent of file names, order and dates."""
        rows = sorted((each.role, each.speaker, each.session, each.sha256) for each in self.recordings)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def silent(_label: str, _done: int, _total: int) -> None:
    """A progress report to nobody."""


def index_folder(root: Path, *, cache: Path | None = None, progress: Progress = silent) -> Index:
    """Index ``root``. ``cache`` (JSON lines) spares unchanged files a second opening; it is replaced atomically, and
    also when an error is raised, so that a second try is quick.

    Raises :class:`DataError` when ``allowed/`` is missing, nothing is usable, a recording stands outside a speaker's
    folder, or the same sound stands under two people.
    """
    if not (root / "allowed").is_dir():
        raise DataError(
            "no folder of allowed people here",
            where=str(root),
            allowed=LAYOUT,
            next_step="put each resident's recordings below allowed/<name>/<date>/",
        )
    files, rejected = _files(root)
    people = {name: _who(name) for name in files}
    found = _inspect_all(root, files, cache, progress)
    recordings: list[Recording] = []
    for name, known in found.items():
        role, speaker, session = people[name]
        reason = _why_not(role, known.facts)
        if reason:
            rejected.append(Rejected(name, reason))
            continue
        recordings.append(
            Recording(
                path=name,
                role=role,
                speaker=speaker,
                session=session,
                seconds=known.facts.seconds,
                sample_rate_hz=known.facts.sample_rate_hz,
                sha256=known.facts.sha256,
                sound_sha256=known.facts.sound_sha256,
            )
        )
    kept, repeated = _without_repeats(recordings)
    if not any(each.role == "allowed" for each in kept):
        reasons = "; ".join(f"{each.path}: {each.reason}" for each in rejected[:3])
        raise DataError(
            "no usable recording of an allowed person",
            where=str(root / "allowed"),
            received=reasons or "no sound files",
            allowed=LAYOUT,
            next_step="record each resident for a minute on two different days",
        )
    return Index(root, tuple(kept), tuple(rejected + repeated))


def load_samples(root: Path, recording: Recording) -> Samples:
    """The recording as int16 ``(n,)``, mono, 16 kHz. Raises :class:`DataError` when it cannot be read any more."""
    path = root / recording.path
    try:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError("cannot be read any more", where=str(path), received=error, next_step="index again") from error
    # Float files may exceed full scale, and +1.0 has no int16: clip, do not wrap.
    mono = np.clip(np.rint(sound.mean(axis=1) * 32768.0), -32768, 32767).astype(np.int16)
    return mono if rate_hz == SAMPLE_RATE_HZ else resample(mono, from_hz=int(rate_hz))


def _files(root: Path) -> tuple[list[str], list[Rejected]]:
    """Names of sound files in path order, and what looks like recordings but will not be read."""
    found: list[str] = []
    missed: list[Rejected] = []
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and folder.name not in ROLES and not folder.name.startswith((".", "_")):
            missed.append(Rejected(folder.name, f"not one of the folders {', '.join(ROLES)}"))
    for role in ROLES:
        for path in _walk(root / role):
            name = path.relative_to(root).as_posix()
            suffix = path.suffix.lower()
            if suffix in FOREIGN_SUFFIXES and not path.name.startswith("."):
                missed.append(Rejected(name, f"{suffix[1:]} is not read: convert it to flac or wav"))
            elif suffix in SUFFIXES:
                found.append(name)
    return found, missed


def _walk(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` in path order. A link to a folder above itself is not followed: it never ends."""
    paths: list[Path] = []
    for base, folders, names in os.walk(folder, followlinks=True):
        here = Path(base).resolve()
        folders[:] = [name for name in folders if not here.is_relative_to(Path(base, name).resolve())]
        paths += [Path(base, name) for name in names]
    yield from sorted(paths)


def _who(name: str) -> tuple[Role, str, str]:
    parts = name.split("/")[1:]
    role = next(each for each in ROLES if name.startswith(each + "/"))
    if role in ("noise", "rir"):
        return role, "", ""
    if role == "crowd":
        return role, "unknown", "1"
    if len(parts) == 1 and not parts[0].startswith("._"):
        raise DataError(
            "a recording must stand in its speaker's folder",
            where=name,
            allowed=LAYOUT,
            next_step=f"move it to {role}/<speaker>/",
        )
    return role, parts[0], "/".join(parts[1:-1]) or "1"


def _inspect_all(root: Path, files: list[str], cache: Path | None, progress: Progress) -> dict[str, Known]:
    """Every file's facts, by name. Only files that the cache does not know by size and time are opened."""
    # One cache may serve several folders: entries of the others stay.
    entries = read_cache(cache)
    mine = f"{root.resolve().as_posix()}/"
    found: dict[str, Known] = {}
    try:
        for count, name in enumerate(files, start=1):
            path = root / name
            known = entries.get(mine + name)
            found[name] = known if known is not None and known.still_describes(path) else _inspect(path)
            progress("index", count, len(files))
    finally:
        # Interrupted, nothing known is forgotten; finished, files that are gone are.
        finished = len(found) == len(files)
        kept = {path: known for path, known in entries.items() if not (finished and path.startswith(mine))}
        fresh = kept | {mine + name: known for name, known in found.items()}
        if fresh != entries:
            write_cache(cache, fresh)
    return found


def _why_not(role: Role, facts: Facts) -> str:
    # Room responses may be short; everything else this short holds no usable speech or noise.
    too_short = not facts.reason and role != "rir" and facts.seconds < SHORTEST_SECONDS
    return f"only {facts.seconds:.2f} s long" if too_short else facts.reason


def _without_repeats(recordings: list[Recording]) -> tuple[list[Recording], list[Rejected]]:
    """The first of every sound; one that is kept out of training stays kept out."""
    first: dict[str, Recording] = {}
    repeated: list[Rejected] = []
    for each in sorted(recordings, key=lambda one: not one.evaluate_only):
        earlier = first.setdefault(each.sound_sha256, each)
        if earlier is each:
            continue
        if (earlier.role, earlier.speaker) != (each.role, each.speaker):
            raise DataError(
                "the same sound stands under two people",
                where=each.path,
                received=earlier.path,
                allowed="each recording under one person",
                next_step="delete the wrong one",
            )
        repeated.append(Rejected(each.path, f"the same sound as {earlier.path}"))
    return [each for each in recordings if first[each.sound_sha256] is each], repeated
