"""Residents' clips to prototypes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.verdict.head import Calibration, Head
from device.verdict.interpreter import Embedding, unit_length
from training.voices import Voices


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
