"""Every recording below a folder, opened once.

The layout::

    ROOT/allowed/<person>/[<session>/]*.wav      the household; sessions sort by name, so dates work
    ROOT/others/<speaker>/[<session>/]*.wav      people to learn voices and thresholds from
    ROOT/strangers/<speaker>/[<session>/]*.wav   optional: people met only in the final test
    ROOT/crowd/*.wav                             optional: speech of unknown people, for a teacher only
    ROOT/noise/**, ROOT/rir/**                   optional: sounds and room responses for augmentation
    .../evaluate-only/...                        a folder of this name keeps noise or rooms out of training

wav, flac and ogg (Vorbis or Opus), any rate, any number of channels (averaged). Recordings directly below a person are
session ``1``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from device.errors import DataError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.resample import resample

ROLES = ("allowed", "others", "strangers", "crowd", "noise", "rir")
SUFFIXES = (".wav", ".flac", ".ogg")
EVALUATE_ONLY = "evaluate-only"
SHORTEST_SECONDS = 0.3
LAYOUT = "allowed/<person>/[<session>/]*.wav|flac|ogg, others/<speaker>/..., noise/..., rir/..."

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One usable recording; ``path`` is relative to the root, with forward slashes."""

    path: str
    role: str
    speaker: str
    session: str
    seconds: float
    sample_rate_hz: int
    sha256: str

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

    def of(self, role: str) -> tuple[Recording, ...]:
        return tuple(each for each in self.recordings if each.role == role)

    def data_sha256(self) -> str:
        """Names the data: who said what, by content; independent of file names, order and dates."""
        rows = sorted((each.role, each.speaker, each.session, each.sha256) for each in self.recordings)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def silent(_label: str, _done: int, _total: int) -> None:
    """A progress report to nobody."""


def index_folder(root: Path, *, cache: Path | None = None, progress: Progress = silent) -> Index:
    """Index ``root``. ``cache`` (JSON lines) spares unchanged files a second opening; it is replaced atomically.

    Raises :class:`DataError` when ``allowed/`` is missing, nothing is usable, or the same sound stands under two
    people.
    """
    if not (root / "allowed").is_dir():
        raise DataError(
            "no folder of allowed people here",
            where=str(root),
            allowed=LAYOUT,
            next_step="put each resident's recordings below allowed/<name>/<date>/",
        )
    known = _read_cache(cache)
    fresh: dict[str, dict[str, Any]] = {}
    recordings: list[Recording] = []
    rejected: list[Rejected] = []
    files = [path for role in ROLES for path in _sound_files(root / role)]
    for count, path in enumerate(files, start=1):
        name = path.relative_to(root).as_posix()
        facts = os.stat(path)
        stamp = [facts.st_size, facts.st_mtime_ns]
        entry = known.get(name)
        if entry is None or entry["stamp"] != stamp:
            entry = {"stamp": stamp, **_inspect(path)}
        fresh[name] = entry
        if "reason" in entry:
            rejected.append(Rejected(name, entry["reason"]))
        else:
            role, speaker, session = _who(name)
            recordings.append(
                Recording(
                    path=name,
                    role=role,
                    speaker=speaker,
                    session=session,
                    seconds=entry["seconds"],
                    sample_rate_hz=entry["rate"],
                    sha256=entry["sha256"],
                )
            )
        progress("index", count, len(files))
    _write_cache(cache, fresh)
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
    mono = np.clip(np.rint(sound.mean(axis=1) * 32768.0), -32768, 32767).astype(np.int16)
    return mono if rate_hz == SAMPLE_RATE_HZ else resample(mono, from_hz=int(rate_hz))


def _sound_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


def _who(name: str) -> tuple[str, str, str]:
    role, *parts = name.split("/")
    if role in ("noise", "rir"):
        return role, "", ""
    if role == "crowd":
        return role, "unknown", "1"
    if len(parts) == 1:
        raise DataError(
            "a recording must stand in its speaker's folder",
            where=name,
            allowed=LAYOUT,
            next_step=f"move it to {role}/<speaker>/",
        )
    return role, parts[0], "/".join(parts[1:-1]) or "1"


def _inspect(path: Path) -> dict[str, Any]:
    if path.name.startswith("._"):
        return {"reason": "a macOS resource file, not a recording"}
    content = path.read_bytes()
    if not content:
        return {"reason": "empty file"}
    try:
        sound, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        return {"reason": f"cannot be decoded: {error}"}
    seconds = len(sound) / rate_hz
    if seconds < SHORTEST_SECONDS:
        # Room responses may be short; everything else this short holds no usable speech.
        if "rir" not in path.parts or not len(sound):
            return {"reason": f"only {seconds:.2f} s long"}
    if not np.isfinite(sound).all():
        return {"reason": "holds values that are not numbers"}
    if not np.abs(sound).max() > 1e-4:
        return {"reason": "digital silence"}
    return {"seconds": round(seconds, 3), "rate": int(rate_hz), "sha256": hashlib.sha256(content).hexdigest()}


def _without_repeats(recordings: list[Recording]) -> tuple[list[Recording], list[Rejected]]:
    first: dict[str, Recording] = {}
    kept: list[Recording] = []
    repeated: list[Rejected] = []
    for each in recordings:
        earlier = first.setdefault(each.sha256, each)
        if earlier is each:
            kept.append(each)
        elif (earlier.role, earlier.speaker) == (each.role, each.speaker):
            repeated.append(Rejected(each.path, f"the same sound as {earlier.path}"))
        else:
            raise DataError(
                "the same sound stands under two people",
                where=each.path,
                received=earlier.path,
                allowed="each recording under one person",
                next_step="delete the wrong one",
            )
    return kept, repeated


def _read_cache(cache: Path | None) -> dict[str, dict[str, Any]]:
    if cache is None or not cache.is_file():
        return {}
    rows = (json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines())
    return {row.pop("path"): row for row in rows}


def _write_cache(cache: Path | None, entries: dict[str, dict[str, Any]]) -> None:
    if cache is None:
        return
    cache.parent.mkdir(parents=True, exist_ok=True)
    fresh = cache.with_suffix(".new")
    fresh.write_text(
        "".join(json.dumps({"path": name, **entry}) + "\n" for name, entry in entries.items()), encoding="utf-8"
    )
    os.replace(fresh, cache)
