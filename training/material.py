"""What a network learns from: at each speed clips, their teacher's embeddings and their examples, each kept on its own.

So a recipe with one more speed cuts, teaches and augments that one alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.atomic import write_array
from training.augment import Surroundings
from training.clips import ClipFile, Cutter
from training.corpus.index import Progress, load_samples
from training.corpus.split import Recordings, Split
from training.effects import Sound, to_sound
from training.examples import NO_SPEAKER, Source, make_examples
from training.recipe import Recipe
from training.stages import Stages
from training.teacher import teach
from training.whitening import whitening_of

BABBLE_CLIPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """``shards`` hold the features of all clips, in order; ``labels`` int ``(n,)``: the class of each, a speaker at a
    speed, or :data:`~training.examples.NO_SPEAKER`; ``teacher`` float32 ``(n, d)``, length 1 (zeros without one);
    ``rows`` ``(m,)``: the clips to learn from; ``key`` names what it was made of."""

    shards: tuple[Path, ...]
    labels: NDArray[np.int64]
    teacher: NDArray[np.float32]
    rows: NDArray[np.int64]
    key: str


def gather(recipe: Recipe, parts: Split, cutter: Cutter, stages: Stages, progress: Progress) -> Material:
    """Everything the recipe wants to learn from, made where it is missing."""
    settings, count = recipe.backbone, len(recipe.backbone.speeds)
    number = {name: place for place, name in enumerate(sorted({each.speaker for each in parts.backbone}))}
    heard = [[each.sha256, each.speaker] for each in (*parts.backbone, *parts.crowd)]
    mixed_in = [each.sha256 for each in (*parts.train_noise, *parts.train_rir)]
    shards: list[Path] = []
    labels, taught, keys = [], [], []
    surroundings = None
    for offset, speed in enumerate(settings.speeds):
        with stages.kept("clips", heard, asdict(recipe.vad), asdict(recipe.segmenter), speed) as clips:
            if not clips.complete:
                _cut(parts, number, cutter, speed, clips.folder, progress)
            source = Source(clips.folder / "clips.npy", np.load(clips.folder / "speakers.npy"))
        if settings.teacher:
            with stages.kept("teacher", clips.key, settings.teacher) as stage:
                taught.append(teach(source.clips, stage.folder / f"{settings.teacher}.npy"))
        surroundings = surroundings or _surroundings(parts, cutter, source)
        drawn_by = [asdict(recipe.augment), recipe.frontend.fingerprint(), settings.variants, recipe.data.seed, offset]
        with stages.kept("examples", clips.key, mixed_in, drawn_by) as examples:
            shards += make_examples(
                source,
                surroundings,
                spec=recipe.augment,
                frontend=recipe.frontend,
                variants=settings.variants,
                seed=recipe.data.seed + offset,
                folder=examples.folder,
                progress=progress,
            )
        keys.append(examples.key)
        labels.append(np.where(source.labels == NO_SPEAKER, NO_SPEAKER, source.labels * count + offset))
    classes = np.concatenate(labels)
    teacher = np.zeros((len(classes), settings.embedding_size), dtype=np.float32)
    if taught:
        teacher = targets(
            np.concatenate(taught), classes,
            speaker_share=settings.teacher_speaker_share, whitening=settings.teacher_whitening,
        )  # fmt: skip
    rows = chosen(
        classes,
        speeds=count,
        most_speakers=settings.most_speakers,
        share_of_clips=settings.share_of_clips,
        rng=np.random.default_rng(recipe.data.seed),
    )
    return Material(tuple(shards), classes, teacher, rows, "+".join(keys))


def targets(
    taught: NDArray[np.float32], labels: NDArray[np.int64], *, speaker_share: float, whitening: float = 0.0
) -> NDArray[np.float32]:
    """What the student shall come near, float32 ``(n, d)`` of length 1: the teacher's embeddings ``(n, d)``,
    centred, so that the angle between two people is spread over the sphere instead of one corner of it, and
    whitened by a share, so that it is spread over all directions. A ``speaker_share`` of each is the mean over its
    class, which holds less of what was said and more of who said it.
    """
    centred = whitening_of(taught, share=whitening)(taught) if whitening > 0 else taught - taught.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    known = labels != NO_SPEAKER
    if speaker_share > 0 and known.any():
        _, place = np.unique(labels[known], return_inverse=True)
        sums = np.zeros((place.max() + 1, taught.shape[1]), dtype=np.float32)
        np.add.at(sums, place, centred[known])
        means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        centred[known] = (1.0 - speaker_share) * centred[known] + speaker_share * means[place]
    scaled: NDArray[np.float32] = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return scaled


def chosen(
    labels: NDArray[np.int64], *, speeds: int, most_speakers: int, share_of_clips: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The rows to learn from, ``(m,)``, rising: of ``most_speakers`` people drawn at random (0: all), at every speed,
    a share of the clips; unknown people's clips shrink in the same proportion."""
    people = labels // speeds
    names = np.unique(people[labels != NO_SPEAKER])
    kept = rng.permutation(names)[: most_speakers or len(names)]
    share = share_of_clips * len(kept) / max(len(names), 1)
    draws = rng.random(len(labels))
    own = np.isin(people, kept) & (labels != NO_SPEAKER) & (draws < share_of_clips)
    return np.flatnonzero(own | ((labels == NO_SPEAKER) & (draws < share)))


def _cut(parts: Split, number: dict[str, int], cutter: Cutter, speed: float, folder: Path, progress: Progress) -> None:
    """All clips at one speed, in one file, and whose each is."""
    clips, speakers = ClipFile(folder / "clips.npy"), []
    for known in cutter.each(parts.backbone, speed=speed, progress=progress, label=f"clips at {speed:g}x"):
        clips.append(known)
        speakers += [number[each.speaker] for each in known]
    for unknown in cutter.each(parts.crowd, speed=speed, progress=progress, label=f"crowd at {speed:g}x"):
        clips.append(unknown)
        speakers += [NO_SPEAKER] * len(unknown)
    clips.close()
    write_array(folder / "speakers.npy", np.array(speakers, dtype=np.int64))


def _surroundings(parts: Split, cutter: Cutter, source: Source) -> Surroundings:
    def sounds(recordings: Recordings) -> list[Sound]:
        return [to_sound(load_samples(cutter.root, each)) for each in recordings]

    clips = np.load(source.clips, mmap_mode="r")
    return Surroundings(
        sounds(parts.train_noise),
        sounds(parts.train_rir),
        np.asarray(clips[:: max(1, len(clips) // BABBLE_CLIPS)]),
    )
