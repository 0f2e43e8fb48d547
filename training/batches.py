"""Batches to learn from: random variants of all clips, cropped in time and masked, in a new order each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.examples import NO_SPEAKER


class Batches:
    """Random variants of all clips, in a new order each epoch, cropped in time and masked (Park et al. 2019).

    With a ``speaker_balance`` above 0 clips are drawn instead, those of people with few clips more often. A batch is
    ``{"features": (b, crop, bands), "teacher": (b, d)}`` and labels ``(b,)``; draws depend on seed, epoch and step
    alone, so that an interrupted run goes on as it would have. ``rows``: which clips are used, ``(m,)``; all where
    left out. An epoch is once through them, or ``steps_per_epoch`` batches. ``clean``: the share of clips taken as
    recorded whatever is drawn, at the first and at the last step of ``epochs``.
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
        rows: NDArray[np.int64] | None = None,
        steps_per_epoch: int = 0,
        clean: tuple[float, float] = (0.0, 0.0),
        epochs: int = 1,
    ) -> None:
        self._shards = [np.load(path, mmap_mode="r") for path in shards]
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        self._labels, self._teacher = labels, teacher
        self._rows = np.arange(len(labels)) if rows is None else rows
        self._batch_size, self._crop, self._seed = batch_size, crop_frames, seed
        self._chances = chances(labels[self._rows], speaker_balance) if speaker_balance > 0 else None
        self._steps = steps_per_epoch or len(self._rows) // batch_size
        self._clean, self._all_steps = clean, self._steps * epochs
        self._orders: dict[int, NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return self._steps

    def batch(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Features, teacher and labels of one step, counted from the first epoch's first."""
        epoch, index = divmod(int(step), len(self))
        rng = np.random.default_rng([self._seed, epoch, index])
        rows = self._order(epoch)[index * self._batch_size : (index + 1) * self._batch_size]
        clean = self.clean_share(int(step))
        features = np.stack([self._example(int(row), rng, clean) for row in rows])
        return features, self._teacher[rows], self._labels[rows]

    def clean_share(self, step: int) -> float:
        """The share of clips taken as recorded at one step, 0..1."""
        first, last = self._clean
        return first + (last - first) * min(1.0, step / max(1, self._all_steps - 1))

    def dataset(self, *, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """All batches from ``first_epoch`` to the end, made ahead of their use on all cores."""
        steps = tf.data.Dataset.range(first_epoch * len(self), epochs * len(self))
        bands, size = self._shards[0].shape[3], self._teacher.shape[1]

        def load(step: Any) -> Any:
            features, teacher, labels = tf.numpy_function(self.batch, [step], (tf.float32, tf.float32, tf.int64))
            features.set_shape((self._batch_size, self._crop, bands))
            teacher.set_shape((self._batch_size, size))
            labels.set_shape((self._batch_size,))
            return {"features": features, "teacher": teacher}, labels

        made = steps.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
        # Several workers: each makes all batches and takes its part of every one.
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        return made.with_options(options)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            rng, count = np.random.default_rng([self._seed, epoch]), self._steps * self._batch_size
            if self._chances is not None:
                order = rng.choice(self._rows, size=count, p=self._chances)
            else:
                times = -(-count // len(self._rows))
                order = np.concatenate([rng.permutation(self._rows) for _ in range(times)])[:count]
            # Batches are made ahead: those of two epochs may be under way at once.
            self._orders = {epoch - 1: self._orders.get(epoch - 1, order), epoch: order}
        return self._orders[epoch]

    def _example(self, row: int, rng: np.random.Generator, clean: float) -> NDArray[np.float32]:
        place = int(np.searchsorted(self._ends, row, side="right"))
        shard = self._shards[place]
        # The first variant is the clip as recorded.
        variant = 0 if clean > 0.0 and rng.random() < clean else int(rng.integers(shard.shape[1]))
        start = int(rng.integers(shard.shape[2] - self._crop + 1))
        features = shard[row - self._ends[place] + len(shard), variant, start : start + self._crop].astype(np.float32)
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
