"""Backbones learnt by others, taken as they are: published weights of CAM++, or GE2E of the user's resemblyzer.

More accurate than a network learnt here from little data. The people it was learnt from are not known by name, and
none of this folder's is among them: ``backbone`` speakers become the cohort, ``validation`` speakers choose thresholds.
Head, bundle, scorer and benchmark are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from device.sound.logmel import FrontendSpec, LogMel
from training.backbone import BackboneArtefact, read_backbone, write_backbone
from training.begin import load_start
from training.clips import Cutter, SpokenClip
from training.corpus.index import Index, Progress
from training.corpus.split import Split, speaker_hash
from training.door_copies import NOTHING_RECORDED, door_copies
from training.learn import CALIBRATION_CLIPS, with_little_speech
from training.networks.backbone import build
from training.networks.ge2e import FRONTEND, ge2e
from training.quantize import convert, to_float16
from training.recipe import Recipe
from training.stages import Stages
from training.teacher import teacher_weights
from training.voices import Embedder

# Makes the model's bytes in a folder of its own, from clips that are shown to it if it wants them.
Make = Callable[[Path, list[SpokenClip]], bytes]


def import_ge2e(recipe: Recipe, index: Index, parts: Split, stages: Stages, progress: Progress) -> BackboneArtefact:
    """GE2E in float16. Raises :class:`~device.errors.RuntimeMissingError` without the teacher."""

    def make(folder: Path, _clips: list[SpokenClip]) -> bytes:
        return to_float16(ge2e(teacher_weights(folder / "weights.npz")), FRONTEND.shape)

    made_of = ["ge2e", 2]
    network = {"network": "ge2e", "weights": "resemblyzer", "conversion": "float16"}
    return _imported(recipe, index, parts, stages, progress, make, FRONTEND, network, made_of)


def import_published(
    recipe: Recipe, index: Index, parts: Split, stages: Stages, progress: Progress
) -> BackboneArtefact:
    """The recipe's network with the weights it would start from, converted as the recipe says.

    Raises :class:`~device.errors.DataError` when the weights are missing or another network's.
    """
    settings, frontend = recipe.backbone, recipe.frontend
    weights = Path(settings.start_from)

    def make(_folder: Path, clips: list[SpokenClip]) -> bytes:
        network = build(settings.network, frontend.shape, embedding_size=settings.embedding_size, width=settings.width)
        load_start(network, weights)
        log_mel = LogMel(frontend)
        shown = np.linspace(0, len(clips) - 1, min(CALIBRATION_CLIPS, len(clips))).round().astype(int)
        calibration = np.stack([log_mel(clips[row].clip.samples) for row in shown])
        return convert(network, settings.converted_to, calibration)

    sum_of_weights = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
    shape = [settings.network, settings.width, settings.embedding_size]
    network = {**dict(zip(("network", "width", "embedding_size"), shape, strict=True)), "weights": weights.name,
               "weights_sha256": sum_of_weights, "conversion": settings.converted_to}  # fmt: skip
    made_of = ["published", 1, sum_of_weights, *shape, settings.converted_to]
    return _imported(recipe, index, parts, stages, progress, make, frontend, network, made_of)


def _imported(
    recipe: Recipe,
    index: Index,
    parts: Split,
    stages: Stages,
    progress: Progress,
    make: Make,
    frontend: FrontendSpec,
    network: dict[str, Any],
    made_of: list[Any],
) -> BackboneArtefact:
    people = [[each.sha256, each.speaker] for each in (*parts.backbone, *parts.validation)]
    specs = [asdict(recipe.vad), asdict(recipe.segmenter), frontend.fingerprint()]
    with stages.kept("import", *made_of, people, specs, recipe.data.seed, list(recipe.publish.licences)) as stage:
        if not stage.complete:
            cutter = Cutter(index.root, recipe.vad, recipe.segmenter)
            held_out = cutter.cut(parts.validation, progress=progress, label="validation clips")
            artefact = _with_voices(
                make(stage.folder, held_out), recipe, index, parts, progress, cutter, held_out, frontend, network
            )
            write_backbone(stage.folder / "backbone", artefact)
        return read_backbone(stage.folder / "backbone")


def _with_voices(
    model: bytes,
    recipe: Recipe,
    index: Index,
    parts: Split,
    progress: Progress,
    cutter: Cutter,
    held_out: list[SpokenClip],
    frontend: FrontendSpec,
    network: dict[str, Any],
) -> BackboneArtefact:
    embedder, seed = Embedder(model, frontend), recipe.data.seed
    short = with_little_speech(held_out, np.random.default_rng(seed))
    copies = door_copies(held_out, NOTHING_RECORDED, recipe.augment, np.random.default_rng(seed))
    return BackboneArtefact(
        model=model,
        frontend=frontend,
        vad=recipe.vad,
        segmenter=recipe.segmenter,
        cohort=embedder.cohort(cutter.each(parts.backbone, progress=progress, label="cohort")),
        validation=embedder.voices(held_out, progress=progress, label="validation", copies=copies),
        validation_short=embedder.voices(short, progress=progress, label="short speech"),
        manifest={
            "training_speakers": [],
            "training_sounds": [],
            "cohort_speakers": sorted({speaker_hash(each.speaker) for each in parts.backbone}),
            "validation_speakers": sorted({speaker_hash(each.speaker) for each in parts.validation}),
            "recipe_sha256": recipe.sha256(),
            "data_sha256": index.data_sha256(),
            "licences": list(recipe.publish.licences),
            "network": network,
        },
    )
