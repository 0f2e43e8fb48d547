"""On whom thresholds are chosen: the backbone's strangers and the household's own. And whom no test may hold."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

import numpy as np

from device.errors import DataError
from training.backbone import BackboneArtefact
from training.clips import Cutter
from training.corpus.index import Index, Progress
from training.corpus.split import Recordings, Split, speaker_hash
from training.stages import Stages
from training.voices import Voices, cohort_of, read_voices, write_voices


def with_own_strangers(
    artefact: BackboneArtefact, index: Index, parts: Split, stages: Stages, progress: Progress
) -> tuple[BackboneArtefact, list[Voices]]:
    """A shipped backbone meets this folder's ``others/``: one part joins the cohort, the other is one more population
    of validation strangers, which must keep the target as well; so must the backbone's own with little speech. Returns
    the populations thresholds are chosen on.

    People the backbone was learnt from sound nearer to it than strangers do: they choose no threshold.
    """
    known = frozenset(artefact.manifest["training_speakers"])
    held_out = tuple(each for each in parts.validation if speaker_hash(each.speaker) not in known)
    populations = [artefact.validation, artefact.validation_short]
    nearby = heard_by(artefact, index, parts.backbone, stages, progress)
    if nearby.names:
        artefact = replace(artefact, cohort=np.concatenate([artefact.cohort, cohort_of(nearby)]))
    unknown = heard_by(artefact, index, held_out, stages, progress)
    if unknown.names:
        populations.append(unknown)
    return artefact, populations


def heard_by(
    artefact: BackboneArtefact, index: Index, recordings: Recordings, stages: Stages, progress: Progress
) -> Voices:
    """Embeddings of recordings, kept by what was heard and by whom."""
    cutter = Cutter(index.root, artefact.vad, artefact.segmenter)
    # The number is that of the kept file's own form.
    specs = [2, asdict(artefact.frontend), asdict(artefact.vad), asdict(artefact.segmenter)]
    spoken = [[each.sha256, each.speaker, each.session] for each in recordings]
    with stages.kept("voices", hashlib.sha256(artefact.model).hexdigest(), specs, spoken) as stage:
        path = stage.folder / "voices.npz"
        if not stage.complete:
            clips = cutter.cut(recordings, progress=progress, label="clips")
            write_voices(path, artefact.embedder().voices(clips, progress=progress, label="voices"))
        return read_voices(path)


def refuse_known_people(artefact: BackboneArtefact, parts: Split) -> None:
    """Raise :class:`DataError` when the test holds somebody the backbone was learnt from or chosen by."""
    met = {*artefact.manifest["training_speakers"], *artefact.manifest["validation_speakers"]}
    people = {each.speaker for each in (*parts.test, *parts.resident_test)}
    familiar = sorted(name for name in people if speaker_hash(name) in met)
    if familiar:
        raise DataError(
            "the test holds people whom the backbone has met before",
            where="backbone.source",
            received=", ".join(familiar[:5]) + (f" and {len(familiar) - 5} more" if len(familiar) > 5 else ""),
            allowed="strangers and residents it was neither learnt from nor chosen by",
            next_step="leave them out of strangers/ and others/, or learn a backbone without them",
        )
