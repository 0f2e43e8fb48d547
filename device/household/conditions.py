"""Strangers in many acoustic conditions: whom cohort and thresholds are taken from, whatever the household's door.

Everybody at a door is heard through one microphone and in one room, so two different people sound more alike there than
two people recorded elsewhere. The same strangers are therefore stored in several conditions (as recorded, through
telephone bands, in rooms, in noise), as int8 with one scale, and the ones that fit the household's door are used
(:mod:`device.household.nearest_condition`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.verdict.interpreter import Embedding, unit_length
from device.verdict.npz import npz_arrays, npz_bytes

Owners = NDArray[np.int64]

FEWEST_PEOPLE = 8
MOST_CONDITIONS, MOST_CLIPS, MOST_DIMENSIONS = 64, 20_000, 1024
# 14 conditions of 900 clips take 2.4 MB; a file of more than this is no such file.
MOST_BYTES = 64 << 20
# Quantised to 8 bits a vector of 192 components keeps its direction to a cosine of 0.999.
LENGTH_TOLERANCE = 0.02
_STEPS = 127
_NAMES = ("conditions", "embeddings", "owners", "scale")


@dataclass(frozen=True, slots=True, eq=False)
class StrangersByCondition:
    """``conditions``: their names, ``(c,)``; ``embeddings`` float32 ``(c, n, d)`` of length 1: the same ``n`` clips in
    every condition; ``owners`` int ``(n,)``, 0..p-1: whose each clip is, the clips of one person in a row.

    Raises :class:`BundleError` where these do not fit each other.
    """

    conditions: tuple[str, ...]
    embeddings: Embedding
    owners: Owners
    # One vector for each person and condition, (c, p, d): the cohort.
    cohorts: Embedding = field(init=False, repr=False)

    def __post_init__(self) -> None:
        reason = _why_unfit(self.conditions, self.embeddings, self.owners)
        if reason:
            raise _unfit(reason)
        sums = np.zeros((len(self.conditions), self.people, self.embeddings.shape[2]), dtype=np.float32)
        for condition, clips in enumerate(self.embeddings):
            np.add.at(sums[condition], self.owners, clips)
        object.__setattr__(self, "cohorts", unit_length(sums))

    @property
    def people(self) -> int:
        """How many people they are."""
        return int(self.owners.max()) + 1

    @property
    def dimensions(self) -> int:
        """The length of an embedding."""
        return int(self.embeddings.shape[2])

    def means(self) -> Embedding:
        """The mean direction of each condition, float32 ``(c, d)`` of length 1."""
        return unit_length(self.embeddings.mean(axis=1))

    def without(self, condition: int) -> StrangersByCondition:
        """The others, where one condition plays the door."""
        others = [n for n in range(len(self.conditions)) if n != condition]
        names = tuple(self.conditions[n] for n in others)
        return StrangersByCondition(names, self.embeddings[others], self.owners)

    def of_people(self, chosen: NDArray[np.int64]) -> StrangersByCondition:
        """Some of the people, numbered anew in the order of their numbers here."""
        rows = np.isin(self.owners, chosen)
        owners = np.unique(self.owners[rows], return_inverse=True)[1].astype(np.int64)
        return StrangersByCondition(self.conditions, self.embeddings[:, rows], owners)

    def to_npz(self) -> bytes:
        """The content of a file, int8 with one scale; :func:`strangers_from_npz` reads it."""
        scale = float(np.abs(self.embeddings).max()) / _STEPS
        return npz_bytes(
            conditions=np.array(self.conditions),
            embeddings=np.rint(self.embeddings / scale).astype(np.int8),
            owners=self.owners.astype(np.int32),
            scale=np.array(scale, dtype=np.float64),
        )


def strangers_from_npz(content: bytes) -> StrangersByCondition:
    """What :meth:`StrangersByCondition.to_npz` wrote. Nothing in the file is executed; its size is bounded.

    Raises :class:`BundleError` for anything else.
    """
    try:
        arrays = npz_arrays(content, max_bytes=MOST_BYTES)
    except ValueError as error:
        raise _unfit(str(error)) from error
    if sorted(arrays) != sorted(_NAMES):
        raise _unfit(f"arrays {', '.join(sorted(arrays)) or 'none'}")
    names, steps, owners, scale = (arrays[name] for name in _NAMES)
    if names.dtype.kind != "U" or steps.dtype != np.int8 or owners.dtype.kind != "i" or scale.dtype.kind != "f":
        raise _unfit(f"types {names.dtype}, {steps.dtype}, {owners.dtype}, {scale.dtype}")
    if names.ndim != 1 or steps.ndim != 3 or scale.size != 1 or not 0.0 < float(scale.reshape(-1)[0]) <= 1.0:
        raise _unfit(f"shapes {names.shape}, {steps.shape}, scale {scale}")
    size = float(scale.reshape(-1)[0])
    lengths = np.linalg.norm(steps.astype(np.float32) * size, axis=2)
    if steps.size == 0 or np.abs(lengths - 1.0).max() > LENGTH_TOLERANCE:
        raise _unfit("vectors that are not of length 1")
    vectors = unit_length(steps.astype(np.float32) * np.float32(size))
    return StrangersByCondition(tuple(str(name) for name in names), vectors, owners.astype(np.int64))


def _why_unfit(conditions: tuple[str, ...], embeddings: Embedding, owners: Owners) -> str:
    if embeddings.ndim != 3 or owners.shape != embeddings.shape[1:2] or len(conditions) != len(embeddings):
        return f"{len(conditions)} conditions, embeddings {embeddings.shape}, owners {owners.shape}"
    if len(set(conditions)) != len(conditions) or not all(conditions):
        return "names of conditions that are empty or occur twice"
    within = (
        2 <= len(conditions) <= MOST_CONDITIONS
        and 1 <= embeddings.shape[1] <= MOST_CLIPS
        and 2 <= embeddings.shape[2] <= MOST_DIMENSIONS
    )
    if not within:
        return f"embeddings {embeddings.shape}"
    if owners[0] != 0 or not np.isin(np.diff(owners), (0, 1)).all():
        return "owners that are not 0, 1, 2, ... with the clips of one person in a row"
    if owners[-1] + 1 < FEWEST_PEOPLE:
        return f"{owners[-1] + 1} people"
    if not np.isfinite(embeddings).all():
        return "a component that is no finite number"
    if np.abs(np.linalg.norm(embeddings, axis=2) - 1.0).max() > LENGTH_TOLERANCE:
        return "vectors that are not of length 1"
    return ""


def _unfit(received: str) -> BundleError:
    return BundleError(
        "the strangers by condition are not usable",
        where="strangers.npz",
        received=received,
        allowed=f"2 to {MOST_CONDITIONS} conditions of the same clips, {FEWEST_PEOPLE} people or more, length 1",
        next_step="make the file again with the training pipeline",
    )
