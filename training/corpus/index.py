"""Every recording opened once: who, which session, how long, how loud, how noisy, or why it was rejected.

The layouts are those of ``layouts``, the forms those of ``audio_file``: by content, any common rate, any number of
channels. Links to files and folders of files are followed. A folder called ``evaluate-only`` keeps noise or rooms out
of training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import AudioFormatError, DataError
from device.names import normalise
from device.sound.pcm import Samples
from training.corpus.audio_file import open_audio
from training.corpus.inspection import Facts, Known, read_cache, write_cache
from training.corpus.inspection import know as _inspect
from training.corpus.layouts import EVALUATE_ONLY, LAYOUT, Place, Role, Source, find_recordings

SHORTEST_SECONDS = 0.3

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One usable recording; ``path`` is relative to the root, with forward slashes (``../`` for further corpora).

    ``speaker`` is the folder's name (empty for noise and rir, ``unknown`` for the crowd); ``sha256`` is that of the
    file, ``sound_sha256`` that of the decoded samples; the measures are those of ``measures.Measures``, with
    ``speech_seconds`` 0 where nobody should be speaking.
    """

    path: str
    role: Role
    speaker: str
    session: str
    seconds: float
    sample_rate_hz: int
    sha256: str
    sound_sha256: str
    level_dbfs: float = -120.0
    clipped_share: float = 0.0
    snr_db: float = 0.0
    speech_seconds: float = 0.0

    @property
    def evaluate_only(self) -> bool:
        return EVALUATE_ONLY in self.path.split("/")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that cannot be used, and why; ``resident``: whose it would be, empty for all others."""

    path: str
    reason: str
    resident: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """All recordings in path order, and what was left out; ``notes``: path and sentence of those that are read in a way
    somebody should know of; ``residents``: everybody whose folder stands in ``allowed/``, or who is named."""

    root: Path
    recordings: tuple[Recording, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[tuple[str, str], ...] = ()
    residents: tuple[str, ...] = ()

    def of(self, role: Role) -> tuple[Recording, ...]:
        return tuple(each for each in self.recordings if each.role == role)

    def data_sha256(self) -> str:
        """Names the data: who said what, by content; independent of file names, order and dates."""
        rows = sorted((each.role, each.speaker, each.session, each.sha256) for each in self.recordings)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def silent(_label: str, _done: int, _total: int) -> None:
    """A progress report to nobody."""


def index_folder(
    root: Path,
    *,
    layout: str = "folder",
    allowed: Collection[str] = (),
    corpora: Sequence[Source] = (),
    cache: Path | None = None,
    progress: Progress = silent,
) -> Index:
    """Index ``root``, and further ``corpora`` whose speakers are others (unless named in ``allowed``).

    ``cache`` (JSON lines) spares unchanged files a second opening; it is replaced atomically, and also when an error is
    raised, so that a second try is quick. Raises :class:`DataError` when a folder is missing, an allowed person is
    nowhere, nothing is usable, a recording stands outside a speaker's folder, or two people have the same sound.
    """
    if layout == "folder" and not (root / "allowed").is_dir():
        raise DataError(
            "no folder of allowed people here",
            where=str(root),
            allowed=LAYOUT,
            next_step="put each resident's recordings below allowed/<name>/<date>/",
        )
    places: dict[str, Place] = {}
    rejected: list[Rejected] = []
    residents = {normalise(each) for each in allowed}
    for source in (Source(layout, root), *corpora):
        found = find_recordings(source, root=root, allowed=allowed)
        places |= found.places
        residents |= found.residents
        rejected += [Rejected(name, reason, _resident_of(name)) for name, reason in found.left_out.items()]
    recordings: list[Recording] = []
    notes: list[tuple[str, str]] = []
    for name, known in _inspect_all(root, list(places), cache, progress).items():
        place, reason = places[name], _why_not(places[name].role, known.facts)
        if reason:
            rejected.append(Rejected(name, reason, place.speaker if place.role == "allowed" else ""))
        else:
            recordings.append(_recording(name, place, known.facts))
            notes += [(name, known.facts.note)] if known.facts.note else []
    kept, repeated = _without_repeats(recordings)
    if not any(each.role == "allowed" for each in kept):
        reasons = "; ".join(f"{each.path}: {each.reason}" for each in rejected[:3])
        raise DataError(
            "no usable recording of an allowed person",
            where=str(root / "allowed"),
            received=reasons or "no sound files",
            allowed=LAYOUT,
            next_step="record each resident for a minute on two different days"
            if layout == "folder"
            else "name the residents in data.allowed, or --allowed",
        )
    _check_allowed(allowed, kept, root)
    return Index(root, tuple(kept), tuple(rejected + repeated), tuple(notes), tuple(sorted(residents)))


def load_samples(root: Path, recording: Recording) -> Samples:
    """The recording as int16 ``(n,)``, mono, 16 kHz. Raises :class:`DataError` when it cannot be read any more."""
    return np.concatenate(list(load_blocks(root, recording)))


def load_blocks(root: Path, recording: Recording) -> Iterator[Samples]:
    """The same block by block: a recording may be hours long."""
    path = root / recording.path
    try:
        yield from open_audio(path).blocks()
    except AudioFormatError as error:
        raise DataError("cannot be read any more", where=str(path), received=error.received or error.what,
                        next_step="index again") from error  # fmt: skip


def _resident_of(name: str) -> str:
    """Whose a left-out file in our own layout would be."""
    parts = name.split("/")
    return normalise(parts[1]) if parts[0] == "allowed" and len(parts) > 2 else ""


def _recording(name: str, place: Place, facts: Facts) -> Recording:
    measures = facts.measures
    spoken = place.role not in ("noise", "rir")
    return Recording(
        path=name,
        role=place.role,
        speaker=place.speaker,
        session=place.session,
        seconds=facts.seconds,
        sample_rate_hz=facts.sample_rate_hz,
        sha256=facts.sha256,
        sound_sha256=facts.sound_sha256,
        level_dbfs=measures.level_dbfs,
        clipped_share=measures.clipped_share,
        snr_db=measures.snr_db,
        speech_seconds=measures.speech_seconds if spoken else 0.0,
    )


def _check_allowed(allowed: Collection[str], recordings: Sequence[Recording], root: Path) -> None:
    here = {each.speaker for each in recordings if each.role == "allowed"}
    lost = sorted(set(map(normalise, allowed)) - here)
    if lost:
        raise DataError(
            "nobody of this name has a recording here",
            where=str(root),
            received=", ".join(lost),
            allowed=f"speakers as the index names them, such as {sorted({each.speaker for each in recordings})[:3]}",
            next_step="mend data.allowed in the recipe",
        )


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
