"""Sounds that are neither a resident nor a stranger of the trial: noise, and speech in other languages.

Both are only asked, never learnt from and never choose anything, so rows of a pack that are kept for training serve
here too: these classifiers learn from the trial's own clips alone.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.pcm import CLIP_SAMPLES, Samples
from device.sound.segmenter import SegmenterSpec, cut_clips, repeat_to_clip
from device.sound.vad import VadSpec
from training.benchmark.pack import NOBODY, read_sound
from training.corpus.index import Progress
from training.corpus.layouts import SUFFIXES
from training.effects import Sound, to_int16

NOISE = "noise"
_Clips = NDArray[np.int16]


def noise_clips(noises: Sequence[Sound]) -> _Clips:
    """Every 3 s of each noise, int16 ``(n, 48000)``; a shorter noise is repeated, a remainder left out."""
    made = []
    for noise in noises:
        sound = to_int16(noise)
        if len(sound) < CLIP_SAMPLES:
            made.append(repeat_to_clip(sound))
        else:
            made += list(sound[: len(sound) // CLIP_SAMPLES * CLIP_SAMPLES].reshape(-1, CLIP_SAMPLES))
    return np.stack(made) if made else np.zeros((0, CLIP_SAMPLES), dtype=np.int16)


def other_languages(pack: Path, folders: Sequence[Path], progress: Progress) -> dict[str, _Clips]:
    """Clips by language, cut by the door's own segmenter from each speaker's joined recordings: the rows of the pack
    whose ``language`` is another than that of the rows it judges, and all sound below each of ``folders``, a folder a
    speaker. Raises :class:`DataError` for a folder without sound."""
    by_language = _in_the_manifest(pack)
    for folder in folders:
        by_language[folder.name] = _in_a_folder(folder)
    found = {}
    for language, speakers in sorted(by_language.items()):
        clips: list[Samples] = []
        for count, (_, paths) in enumerate(sorted(speakers.items()), start=1):
            sound = np.concatenate([read_sound(path) for path in sorted(paths)])
            clips += [each.samples for each in cut_clips(sound, VadSpec(), SegmenterSpec())]
            progress(f"language {language}", count, len(speakers))
        if clips:
            found[language] = np.stack(clips)
    return found


_Speakers = dict[str, list[Path]]


def _in_the_manifest(pack: Path) -> dict[str, _Speakers]:
    with (pack / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "speech" and _language(row)]
    spoken = {_language(row) for row in rows if row.get("use") != "train"}
    found: dict[str, _Speakers] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if _language(row) not in spoken and row["speaker"] not in NOBODY:
            found[_language(row)][row["corpus"] + "-" + row["speaker"]].append(pack / row["path"])
    return dict(found)


def _language(row: dict[str, str]) -> str:
    """The language alone: what follows says who speaks it."""
    return (row.get("language") or "").split(" ")[0]


def _in_a_folder(folder: Path) -> _Speakers:
    found: _Speakers = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            found[path.parent.name].append(path)
    if not found:
        raise DataError("there is no sound in this folder", where=str(folder), allowed=", ".join(sorted(SUFFIXES)))
    return found
