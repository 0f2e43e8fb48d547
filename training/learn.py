"""From split recordings to an int8 backbone: clips, teacher, examples, fit, whitened, int8. Each is kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.logmel import LogMel
from training.backbone import BackboneArtefact, read_backbone, write_backbone
from training.clips import Cutter, SpokenClip
from training.conditions import SPEECH_SECONDS, shortened
from training.corpus.index import Index, Progress
from training.corpus.split import Split, speaker_hash
from training.door_copies import NOTHING_RECORDED, door_copies
from training.fit import ValidationClips, fit_backbone
from training.material import Material, gather
from training.networks.weights import load_weights, save_weights
from training.quantize import convert
from training.recipe import Recipe
from training.stages import Stages
from training.tracking import Tracker
from training.voices import Embedder
from training.whitening import whiten_network, whitening_of

MIN_SPEAKERS = 20
VALIDATION_CLIPS_PER_SPEAKER = 12
CALIBRATION_CLIPS = 300
WHITENING_CLIPS = 8000


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """The int8 backbone; the Keras ``network`` for whole clips it was made from, and the file of its ``weights``; what
    it learnt from; the folder of the fit, with its epochs and its weights before whitening."""

    artefact: BackboneArtefact
    network: Any
    weights: Path
    material: Material
    fit_folder: Path


def learn(recipe: Recipe, index: Index, parts: Split, stages: Stages, tracker: Tracker, progress: Progress) -> Learnt:
    """Everything from clips to int8; what is kept from earlier runs is not done again.

    Raises :class:`DataError` for fewer than 20 speakers to learn from.
    """
    settings, cutter = recipe.backbone, Cutter(index.root, recipe.vad, recipe.segmenter)
    speakers = {each.speaker for each in parts.backbone}
    if len(speakers) < MIN_SPEAKERS:
        raise DataError(
            "too few speakers to learn voices from",
            where="others/",
            received=len(speakers),
            allowed=f"at least {MIN_SPEAKERS}, better hundreds",
            next_step='set backbone.source = "models/backbone" to use the shipped network',
        )
    material = gather(recipe, parts, cutter, stages, progress)

    held_out = cutter.cut(parts.validation, progress=progress, label="validation clips")
    judged_by = [each.sha256 for each in parts.validation]
    start = Path(settings.start_from)
    begun_from = hashlib.sha256(start.read_bytes()).hexdigest() if settings.start_from and start.is_file() else ""
    with stages.kept("fit", material.key, settings.learnt_by(), judged_by, begun_from) as fit:
        network = fit_backbone(
            material,
            validation_clips(held_out, recipe),
            settings=settings,
            seed=recipe.data.seed,
            folder=fit.folder,
            tracker=tracker,
            progress=progress,
            compute=recipe.compute,
        )

    weights, made_of = fit.folder / "best.weights.h5", fit.key
    if settings.whitening:
        with stages.kept("whitened", fit.key, settings.whitening) as stage:
            weights, made_of = stage.folder / "best.weights.h5", stage.key
            whitened(network, material, settings.whitening, np.random.default_rng(recipe.data.seed), weights)

    # The number is that of the way it is quantized.
    with stages.kept("int8", 3, made_of, settings.converted_to, list(recipe.publish.licences)) as stage:
        if not stage.complete:
            write_backbone(
                stage.folder / "backbone",
                _quantized(recipe, index, parts, network, material.shards, cutter, held_out, progress),
            )
        artefact = read_backbone(stage.folder / "backbone")
    return Learnt(artefact, network, weights, material, fit.folder)


def whitened(network: Any, material: Material, share: float, rng: np.random.Generator, weights: Path) -> None:
    """Whiten ``network`` by what it hears of clips it learnt from, unless ``weights`` hold it whitened already."""
    if not weights.exists():
        features = representative(material.shards, rng, most=WHITENING_CLIPS)
        raw = np.asarray(network.predict(features, batch_size=64, verbose=0), dtype=np.float32)
        whiten_network(network, whitening_of(raw, share=share))
        save_weights(network, weights)
    load_weights(network, weights)


def _quantized(
    recipe: Recipe,
    index: Index,
    parts: Split,
    network: Any,
    shards: Sequence[Path],
    cutter: Cutter,
    held_out: list[SpokenClip],
    progress: Progress,
) -> BackboneArtefact:
    """The int8 network, with the cohort and the validation strangers as it hears them."""
    rng = np.random.default_rng(recipe.data.seed)
    model = convert(network, recipe.backbone.converted_to, representative(shards, rng))
    embedder = Embedder(model, recipe.frontend)
    return BackboneArtefact(
        model=model,
        frontend=recipe.frontend,
        vad=recipe.vad,
        segmenter=recipe.segmenter,
        cohort=embedder.cohort(cutter.each(parts.backbone, progress=progress, label="cohort")),
        validation=embedder.voices(
            held_out,
            progress=progress,
            label="validation",
            copies=door_copies(held_out, NOTHING_RECORDED, recipe.augment, rng),
        ),
        validation_short=embedder.voices(with_little_speech(held_out, rng), progress=progress, label="short speech"),
        manifest={
            "training_speakers": sorted({speaker_hash(each.speaker) for each in parts.backbone}),
            # Files mixed in while learning, so that no figure "in noise" is made with them.
            "training_sounds": sorted(each.sha256[:16] for each in (*parts.train_noise, *parts.train_rir)),
            "validation_speakers": sorted({speaker_hash(each.speaker) for each in parts.validation}),
            "recipe_sha256": recipe.sha256(),
            "data_sha256": index.data_sha256(),
            "licences": list(recipe.publish.licences),
            "network": {**asdict(recipe.backbone), "conversion": recipe.backbone.converted_to},
        },
    )


def representative(
    shards: Sequence[Path], rng: np.random.Generator, *, most: int = CALIBRATION_CLIPS
) -> NDArray[np.float32]:
    """Features to quantize or to whiten by, ``(n, frames, bands)``, at most ``most``: clips drawn from all speakers,
    each in a condition drawn from those it was learnt in, the clean one among them."""
    stored = [np.load(path, mmap_mode="r") for path in shards]
    sizes = np.array([len(shard) for shard in stored])
    drawn = np.sort(rng.choice(int(sizes.sum()), min(most, int(sizes.sum())), replace=False))
    places = [(int(np.searchsorted(np.cumsum(sizes), row, side="right")), int(row)) for row in drawn]
    before = np.concatenate([[0], np.cumsum(sizes)])
    return np.stack(
        [stored[shard][row - before[shard], rng.integers(stored[shard].shape[1])] for shard, row in places]
    ).astype(np.float32)


def with_little_speech(clips: Sequence[SpokenClip], rng: np.random.Generator) -> list[SpokenClip]:
    """Each clip with 1 to 2 s of its speech, drawn evenly; one that holds less already stays as it is."""
    found = []
    for each in clips:
        seconds = float(rng.uniform(min(SPEECH_SECONDS), max(SPEECH_SECONDS)))
        found.append(each if each.clip.speech_seconds <= seconds else shortened(each, seconds, rng))
    return found


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
