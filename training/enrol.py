"""Residents' clips to prototypes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.verdict.head import Calibration, Head
from device.verdict.interpreter import Embedding, unit_length
from training.clips import SpokenClip
from training.voices import Voices


def check_enough_speech(clips: Sequence[SpokenClip], people: Sequence[str], *, min_speech_seconds: float) -> None:
    """Raise :class:`DataError` naming everybody with less than ``min_speech_seconds`` of net speech to enrol on."""
    seconds: dict[str, float] = defaultdict(float)
    for each in clips:
        seconds[each.speaker] += each.clip.speech_seconds
    short = {person: seconds[person] for person in people if seconds[person] < min_speech_seconds}
    if short:
        raise DataError(
            "too little speech to enrol",
            where="allowed/",
            received=", ".join(f"{person}: {amount:.0f} s" for person, amount in sorted(short.items())),
            allowed=f"at least {min_speech_seconds:.0f} s of speech each (enrol.min_speech_seconds)",
            next_step="record more of these people, best on two different days",
        )


def prototypes_of(embeddings: Embedding, *, count: int) -> Embedding:
    """float32 ``(n, d)`` in the order spoken to at most ``count`` prototypes: means of neighbouring clips."""
    groups = np.array_split(np.arange(len(embeddings)), min(count, len(embeddings)))
    return unit_length(np.stack([embeddings[group].mean(axis=0) for group in groups]))


def _of_one(voices: Voices, rows: NDArray[np.int64], count: int) -> Embedding:
    made = [prototypes_of(voices.embeddings[rows], count=count)]
    for condition in voices.copies if voices.copies is not None else ():
        made.append(prototypes_of(condition[rows], count=max(1, count // 2)))
    return np.concatenate(made)


def enrol(voices: Voices, cohort: Embedding, calibration: Calibration, *, prototypes: int) -> Head:
    """A head that knows everybody in ``voices``: ``prototypes`` of the clips as recorded, and half as many of their
    copies in each further condition."""
    each = [_of_one(voices, voices.of(name), prototypes) for name in voices.names]
    owners = np.concatenate([np.full(len(mine), owner) for owner, mine in enumerate(each)]).astype(np.int64)
    return Head(voices.names, np.concatenate(each), owners, cohort, calibration)
