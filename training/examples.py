"""Training examples: the features of every training clip, clean and augmented, as shards on disk.

A shard that exists is complete (it was renamed into place), so an interrupted run goes on where it was; a shard's draws
depend on the seed and its own number alone. Features are float16: a tenth of a decibel is far below what matters.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, LogMel
from training.atomic import write_array
from training.augment import Surroundings, augment
from training.corpus.index import Progress
from training.recipe import Augment

SHARD_CLIPS = 256
NO_SPEAKER = -1


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Clips to learn from: ``clips`` names a ``.npy`` of int16 ``(n, 48000)``; ``labels`` int ``(n,)``, the class of
    each, or :data:`NO_SPEAKER` where nobody knows who speaks."""

    clips: Path
    labels: NDArray[np.int64]


def make_examples(
    source: Source,
    surroundings: Surroundings,
    *,
    spec: Augment,
    frontend: FrontendSpec,
    variants: int,
    seed: int,
    folder: Path,
    progress: Progress,
) -> list[Path]:
    """Write the shards that are missing below ``folder``; return all, in order.

    Shard ``k`` is ``(clips, 1 + variants, frames, bands)`` float16 for clips ``256 k`` to ``256 k + 255``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(source.labels), SHARD_CLIPS)
    paths = [folder / f"shard-{start // SHARD_CLIPS:05d}.npy" for start in starts]
    missing = [(start, path) for start, path in zip(starts, paths, strict=True) if not path.exists()]
    # Fresh processes: in a copy of one that has learnt before (as in a study), TensorFlow's threads are missing, and
    # librosa's compiler crashes.
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        waiting = [
            pool.submit(_write_shard, source.clips, start, path, surroundings, spec, frontend, variants, seed)
            for start, path in missing
        ]
        for count, done in enumerate(as_completed(waiting), start=1):
            done.result()
            progress("examples", count, len(waiting))
    return paths


def _write_shard(
    clips: Path,
    start: int,
    path: Path,
    surroundings: Surroundings,
    spec: Augment,
    frontend: FrontendSpec,
    variants: int,
    seed: int,
) -> None:
    rng = np.random.default_rng([seed, start])
    log_mel = LogMel(frontend)
    taken = np.load(clips, mmap_mode="r")[start : start + SHARD_CLIPS]
    features = np.empty((len(taken), 1 + variants, *frontend.shape), dtype=np.float16)
    for row, samples in enumerate(np.asarray(taken)):
        features[row, 0] = log_mel(samples)
        for variant in range(variants):
            features[row, 1 + variant] = log_mel(augment(samples, surroundings, spec, rng))
    write_array(path, features)
