"""A pack of recordings for judging: who speaks, in which session, of which corpus, cut by the door's own segmenter.

A pack is a folder with ``manifest.csv``: path, kind (speech, noise, rir), corpus, speaker, session, and optionally sex
and use. Rows whose ``use`` is ``train`` are left out; without that column every row counts.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import AudioFormatError, DataError
from device.sound.pcm import Samples
from device.sound.segmenter import SegmenterSpec, cut_clips
from device.sound.vad import VadSpec
from training.clips import SpokenClip
from training.corpus.audio_file import read_audio
from training.corpus.index import Progress
from training.effects import Sound, to_sound

COLUMNS = ("path", "kind", "corpus", "speaker", "session")
NOBODY = ("", "unlabelled")


@dataclass(frozen=True, slots=True)
class Row:
    """One recording of the manifest; ``speaker`` is unique in the whole pack: corpus and speaker."""

    path: Path
    kind: str
    corpus: str
    speaker: str
    session: str
    sex: str


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """``clips`` in order of speaker and session; ``corpus`` and ``sex`` by speaker; sounds for the conditions."""

    clips: list[SpokenClip]
    corpus: dict[str, str]
    sex: dict[str, str]
    noises: list[Sound]
    rooms: list[Sound]

    def sessions(self, speaker: str) -> list[str]:
        """The speaker's sessions in which the door heard a clip, earliest first."""
        return sorted({each.session for each in self.clips if each.speaker == speaker})

    @property
    def speakers(self) -> list[str]:
        return sorted({each.speaker for each in self.clips})

    def rows(self, speaker: str, session: str | None = None) -> NDArray[np.int64]:
        """Which clips are of one speaker (in one session)."""
        return np.array(
            [n for n, each in enumerate(self.clips) if each.speaker == speaker and session in (None, each.session)],
            dtype=np.int64,
        )


def read_rows(pack: Path) -> list[Row]:
    """The rows that count. Raises :class:`DataError` for a pack without a manifest or with columns missing."""
    path = pack / "manifest.csv"
    if not path.is_file():
        raise DataError("this is not a pack of recordings", where=str(path), received="no such file",
                        next_step="give the folder that holds manifest.csv")  # fmt: skip
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [each for each in COLUMNS if each not in (reader.fieldnames or ())]
        if missing:
            raise DataError("columns are missing", where=str(path), received=", ".join(missing),
                            allowed=", ".join(COLUMNS))  # fmt: skip
        return [
            Row(pack / row["path"], row["kind"], row["corpus"], f"{row['corpus']}-{row['speaker']}",
                row["session"] or "1", row.get("sex") or "")
            for row in reader
            if row.get("use") != "train" and not (row["kind"] == "speech" and row["speaker"] in NOBODY)
        ]  # fmt: skip


def read_pack(
    pack: Path,
    *,
    vad: VadSpec,
    segmenter: SegmenterSpec,
    sounds_heard: Collection[str],
    file_hash: dict[Path, str],
    progress: Progress,
) -> Pack:
    """Cut all of ``pack``. Noises and rooms whose hash (16 digits, by path in ``file_hash``) is in ``sounds_heard``
    were used in training and are left out. Raises :class:`DataError` when nobody speaks."""
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    corpus, sex = {}, {}
    noises: list[Sound] = []
    rooms: list[Sound] = []
    for row in read_rows(pack):
        if row.kind == "speech":
            groups[row.speaker, row.session].append(row.path)
            corpus[row.speaker], sex[row.speaker] = row.corpus, row.sex
        elif file_hash.get(row.path, "") not in sounds_heard:
            (noises if row.kind == "noise" else rooms).append(to_sound(read_sound(row.path)))
    clips = list(_cut(groups, vad, segmenter, progress))
    if not clips:
        raise DataError("nobody speaks in this pack", where=str(pack), allowed="speech rows that are not for training")
    return Pack(clips, corpus, sex, noises, rooms)


def _cut(
    groups: dict[tuple[str, str], list[Path]], vad: VadSpec, segmenter: SegmenterSpec, progress: Progress
) -> Iterator[SpokenClip]:
    for count, ((speaker, session), paths) in enumerate(sorted(groups.items()), start=1):
        sound = np.concatenate([read_sound(path) for path in sorted(paths)])
        yield from (SpokenClip(speaker, session, clip) for clip in cut_clips(sound, vad, segmenter))
        progress("clips", count, len(groups))


def read_sound(path: Path) -> Samples:
    """A recording as everything here hears it, int16 ``(n,)``. Raises :class:`DataError` where it cannot be read."""
    try:
        return read_audio(path)
    except AudioFormatError as error:
        raise DataError("cannot be read", where=str(path), received=error.received or error.what,
                        next_step="fetch the pack again") from error  # fmt: skip
