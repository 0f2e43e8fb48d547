"""A backbone learnt by others: GE2E's weights from the user's installed resemblyzer, as Keras layers, in float16.

More accurate than a network learnt here from little data, ten times slower, and not ours to ship: its weights are read
from the teacher's environment at training time. Head, bundle, scorer and benchmark are the same.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from training.backbone import BackboneArtefact, read_backbone, write_backbone
from training.clips import Cutter
from training.corpus.index import Index, Progress
from training.corpus.split import Split, speaker_hash
from training.door_copies import NOTHING_RECORDED, door_copies
from training.learn import with_little_speech
from training.networks.ge2e import FRONTEND, ge2e
from training.quantize import to_float16
from training.recipe import Recipe
from training.stages import Stages
from training.teacher import teacher_weights
from training.voices import Embedder


def import_ge2e(recipe: Recipe, index: Index, parts: Split, stages: Stages, progress: Progress) -> BackboneArtefact:
    """The imported backbone with a cohort and validation strangers of this folder. Its own speakers are not known by
    name: nobody can be refused as met. Raises :class:`~device.errors.RuntimeMissingError` without the teacher."""
    people = [[each.sha256, each.speaker] for each in (*parts.backbone, *parts.validation)]
    specs = [asdict(recipe.vad), asdict(recipe.segmenter), FRONTEND.fingerprint()]
    with stages.kept("import", "ge2e", 2, people, specs, recipe.data.seed, list(recipe.publish.licences)) as stage:
        if not stage.complete:
            network = ge2e(teacher_weights(stage.folder / "weights.npz"))
            model = to_float16(network, FRONTEND.shape)
            artefact = _with_voices(model, recipe, index, parts, progress)
            write_backbone(stage.folder / "backbone", artefact)
        return read_backbone(stage.folder / "backbone")


def _with_voices(model: bytes, recipe: Recipe, index: Index, parts: Split, progress: Progress) -> BackboneArtefact:
    cutter, embedder = Cutter(index.root, recipe.vad, recipe.segmenter), Embedder(model, FRONTEND)
    held_out = cutter.cut(parts.validation, progress=progress, label="validation clips")
    short = with_little_speech(held_out, np.random.default_rng(recipe.data.seed))
    return BackboneArtefact(
        model=model,
        frontend=FRONTEND,
        vad=recipe.vad,
        segmenter=recipe.segmenter,
        cohort=embedder.cohort(cutter.each(parts.backbone, progress=progress, label="cohort")),
        validation=embedder.voices(
            held_out,
            progress=progress,
            label="validation",
            copies=door_copies(held_out, NOTHING_RECORDED, recipe.augment, np.random.default_rng(recipe.data.seed)),
        ),
        validation_short=embedder.voices(short, progress=progress, label="short speech"),
        manifest={
            "training_speakers": [],
            "training_sounds": [],
            "validation_speakers": sorted({speaker_hash(each.speaker) for each in parts.validation}),
            "recipe_sha256": recipe.sha256(),
            "data_sha256": index.data_sha256(),
            "licences": list(recipe.publish.licences),
            "network": {"network": "ge2e", "weights": "resemblyzer"},
        },
    )
