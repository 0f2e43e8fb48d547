"""From split recordings to a trained backbone network: clips, teacher, examples, fit. Each stage is kept on disk."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.logmel import LogMel
from device.sound.pcm import FULL_SCALE
from training.augment import Surroundings
from training.clips import Cutter, SpokenClip, stack
from training.corpus.index import Progress, load_samples
from training.corpus.split import Recordings, Split
from training.examples import NO_SPEAKER, Source, make_examples
from training.fit import ValidationClips, fit_backbone
from training.recipe import Recipe, digest
from training.teacher import teach

MIN_SPEAKERS = 20
VALIDATION_CLIPS_PER_SPEAKER = 12


def learn(recipe: Recipe, parts: Split, cutter: Cutter, runs: Path, progress: Progress) -> Any:
    """The Keras backbone for whole clips. Raises :class:`DataError` for fewer than 20 speakers to learn from."""
    settings = recipe.backbone
    speakers = sorted({each.speaker for each in parts.backbone})
    if len(speakers) < MIN_SPEAKERS:
        raise DataError(
            "too few speakers to learn voices from",
            where="others/",
            received=len(speakers),
            allowed=f"at least {MIN_SPEAKERS}, better hundreds",
            next_step='set backbone.source = "models/backbone" to use the shipped network',
        )
    names = [each.sha256 for each in (*parts.backbone, *parts.crowd, *parts.train_noise, *parts.train_rir)]
    cut_by = [asdict(recipe.vad), asdict(recipe.segmenter), settings.speeds]
    clips_folder = runs / f"clips-{digest([names, cut_by])[:12]}"
    source = _gather(parts, cutter, settings.speeds, clips_folder, progress)
    teacher = np.zeros((len(source.labels), settings.embedding_size), dtype=np.float32)
    if settings.teacher:
        taught = teach(source.clips, clips_folder / f"{settings.teacher}.npy")
        # Centred, so that the angle between two people is spread over the sphere instead of one corner of it.
        taught = taught - taught.mean(axis=0)
        teacher = taught / np.linalg.norm(taught, axis=1, keepdims=True)
    made_by = [clips_folder.name, asdict(recipe.augment), asdict(recipe.frontend), settings.variants, recipe.data.seed]
    examples_folder = runs / f"examples-{digest(made_by)[:12]}"
    shards = make_examples(
        source,
        _surroundings(parts, cutter, source),
        spec=recipe.augment,
        frontend=recipe.frontend,
        variants=settings.variants,
        seed=recipe.data.seed,
        folder=examples_folder,
        progress=progress,
    )
    validation = validation_clips(cutter.cut(parts.validation, progress=progress, label="validation"), recipe)
    fit_by = [examples_folder.name, asdict(settings), [each.sha256 for each in parts.validation]]
    return fit_backbone(
        shards,
        source.labels,
        teacher,
        validation,
        settings=settings,
        seed=recipe.data.seed,
        folder=runs / f"fit-{digest(fit_by)[:12]}",
    )


def validation_clips(clips: list[SpokenClip], recipe: Recipe) -> ValidationClips:
    """Up to 12 clips of each validation speaker, as features."""
    log_mel = LogMel(recipe.frontend)
    counts: dict[str, int] = {}
    features, speakers = [], []
    for each in clips:
        counts[each.speaker] = counts.get(each.speaker, 0) + 1
        if counts[each.speaker] <= VALIDATION_CLIPS_PER_SPEAKER:
            features.append(log_mel(each.clip.samples))
            speakers.append(each.speaker)
    return ValidationClips(np.stack(features), tuple(speakers))


def _gather(parts: Split, cutter: Cutter, speeds: tuple[float, ...], folder: Path, progress: Progress) -> Source:
    """All clips to learn from, in one file; a class is a speaker at a speed."""
    clips_path, labels_path = folder / "clips.npy", folder / "labels.npy"
    if not labels_path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        number = {name: count for count, name in enumerate(sorted({each.speaker for each in parts.backbone}))}
        stacks: list[NDArray[np.int16]] = []
        labels: list[int] = []
        for offset, speed in enumerate(speeds):
            known = cutter.cut(parts.backbone, speed=speed, progress=progress, label=f"clips at {speed:g}x")
            unknown = cutter.cut(parts.crowd, speed=speed, progress=progress, label=f"crowd at {speed:g}x")
            stacks += [stack(known), stack(unknown)]
            labels += [number[each.speaker] * len(speeds) + offset for each in known]
            labels += [NO_SPEAKER] * len(unknown)
        _save(clips_path, np.concatenate(stacks))
        _save(labels_path, np.array(labels, dtype=np.int64))
    return Source(clips_path, np.load(labels_path))


def _surroundings(parts: Split, cutter: Cutter, source: Source) -> Surroundings:
    def sounds(recordings: Recordings) -> list[NDArray[np.float32]]:
        return [(load_samples(cutter.root, each) / FULL_SCALE).astype(np.float32) for each in recordings]

    clips = np.load(source.clips, mmap_mode="r")
    return Surroundings(
        sounds(parts.train_noise), sounds(parts.train_rir), np.asarray(clips[:: max(1, len(clips) // 300)])
    )


def _save(path: Path, array: NDArray[Any]) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        np.save(file, array)
    os.replace(fresh, path)
