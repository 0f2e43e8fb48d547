"""Batches to learn from: random variants of all clips, cropped in time and masked, in a new order each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.examples import NO_SPEAKER, SHARD_CLIPS


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Random variants of all clips, in a new order each epoch, cropped in time and masked (Park et al. 2019).

    With a ``speaker_balance`` above 0 clips are drawn instead, those of people with few clips more often.
    Yields ``{"features": (b, crop, bands), "labels": (b,), "teacher": (b, d)}``; draws depend on seed and epoch.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        labels: NDArray[np.int64],
        teacher: NDArray[np.float32],
        *,
        batch_size: int,
        crop_frames: int,
        seed: int,
        speaker_balance: float = 0.0,
        first_epoch: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._shards = [np.load(path, mmap_mode="r") for path in shards]
        self._labels, self._teacher = labels, teacher
        self._batch_size, self._crop, self._seed = batch_size, crop_frames, seed
        self._epoch = first_epoch
        self._chances = chances(labels, speaker_balance) if speaker_balance > 0 else None
        self._shuffle()

    def _shuffle(self) -> None:
        rng, count = np.random.default_rng([self._seed, self._epoch]), len(self._labels)
        drawn = self._chances is not None
        self._order = rng.choice(count, size=count, p=self._chances) if drawn else rng.permutation(count)

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._shuffle()

    def __len__(self) -> int:
        return len(self._labels) // self._batch_size

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        features = np.stack([self._example(int(row), rng) for row in rows])
        return {"features": features, "teacher": self._teacher[rows]}, self._labels[rows]

    def _example(self, row: int, rng: np.random.Generator) -> NDArray[np.float32]:
        shard = self._shards[row // SHARD_CLIPS]
        variant = int(rng.integers(shard.shape[1]))
        start = int(rng.integers(shard.shape[2] - self._crop + 1))
        features = shard[row % SHARD_CLIPS, variant, start : start + self._crop].astype(np.float32)
        if rng.random() < 0.5:
            band, width = int(rng.integers(features.shape[1] - 8)), int(rng.integers(1, 9))
            features[:, band : band + width] = 0.0
        if rng.random() < 0.5:
            frame, length = int(rng.integers(self._crop - 20)), int(rng.integers(1, 21))
            features[frame : frame + length] = 0.0
        return features


def chances(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each clip is drawn, ``(n,)``, sum 1: by its speaker's number of clips to the power of ``-balance``.

    At 1 all classes are heard equally often. Clips whose speaker is unknown are drawn as often as the average clip.
    """
    known = labels != NO_SPEAKER
    _, place, counts = np.unique(labels[known], return_inverse=True, return_counts=True)
    weights = np.ones(len(labels))
    if known.any():
        weights[known] = counts[place].astype(np.float64) ** -balance
        weights[known] /= weights[known].mean()
    return weights / weights.sum()
