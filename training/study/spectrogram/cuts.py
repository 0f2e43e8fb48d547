"""Clips of other lengths, with silence and without it, of the same people on the same days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.pcm import CLIP_SAMPLES, CLIP_SECONDS, SAMPLE_RATE_HZ, Clip, Samples
from training.benchmark.pack import Pack, read_rows, read_sound
from training.clips import SpokenClip, stack
from training.corpus.survey_voices import as_recorded
from training.study.spectrogram.settings import BLIND, DOOR, Setting

_Sessions = dict[tuple[str, str], Samples]
# A pack says whose each clip is; the sound of another length stands beside it.
_NO_SOUND = Clip(np.zeros(CLIP_SAMPLES, dtype=np.int16), CLIP_SECONDS, False, 0, 0.0, CLIP_SECONDS)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """``samples`` int16 ``(n, length)``, and ``pack``, whose row ``n`` says who spoke piece ``n`` and on which day.
    Of a cut other than the door's, the sound in ``pack`` itself is empty."""

    samples: NDArray[np.int16]
    pack: Pack


def cut(setting: Setting, pack: Pack, folder: Path) -> Pieces:
    """``pack`` (of the recordings in ``folder``) cut as ``setting`` says. Every person and day of the pack is there."""
    if setting.cut == DOOR:
        return Pieces(stack(pack.clips), pack)
    sessions = blind(folder, pack) if setting.cut == BLIND else joined_speech(pack)
    return in_pieces(sessions, pack, seconds=setting.seconds)


def joined_speech(pack: Pack) -> _Sessions:
    """What the door cut out of each session, one clip after the other, without the repetition that fills short ones."""
    parts: Mapping[tuple[str, str], list[Samples]] = defaultdict(list)
    for each in pack.clips:
        parts[each.speaker, each.session].append(as_recorded(each))
    return {key: np.concatenate(sounds) for key, sounds in parts.items()}


def blind(folder: Path, pack: Pack) -> _Sessions:
    """Each session's recordings as they are, one after the other; only sessions in which the door heard somebody."""
    heard = {(each.speaker, each.session) for each in pack.clips}
    paths: Mapping[tuple[str, str], list[Path]] = defaultdict(list)
    for row in read_rows(folder):
        if row.kind == "speech" and (row.speaker, row.session) in heard:
            paths[row.speaker, row.session].append(row.path)
    return {key: np.concatenate([read_sound(path) for path in sorted(found)]) for key, found in paths.items()}


def in_pieces(sessions: _Sessions, pack: Pack, *, seconds: float) -> Pieces:
    """Every ``seconds`` of each session; the remainder is left out, a session shorter than one piece is repeated.

    Raises :class:`DataError` for a session without sound.
    """
    length = round(seconds * SAMPLE_RATE_HZ)
    samples, spoken = [], []
    for speaker, session in sorted(sessions):
        sound = sessions[speaker, session]
        if not len(sound):
            raise DataError("a session without sound", where=f"{speaker}, session {session}")
        whole = sound if len(sound) >= length else np.resize(sound, length)
        count = len(whole) // length
        samples.append(whole[: count * length].reshape(count, length))
        spoken += [SpokenClip(speaker, session, _NO_SOUND)] * count
    return Pieces(np.concatenate(samples), Pack(spoken, pack.corpus, pack.sex, [], []))
