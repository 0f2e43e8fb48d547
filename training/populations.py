"""On whom thresholds are chosen: the backbone's strangers and the household's own. And whom no test may hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from device.errors import DataError
from training.backbone import BackboneArtefact
from training.calibrate import visits
from training.clips import Cutter, SpokenClip
from training.corpus.index import Index, Progress
from training.corpus.split import Recordings, Split, speaker_hash
from training.stages import Stages
from training.voices import Voices, cohort_of, joined, read_voices, write_voices

# Below so many visits of strangers even "none was let in" leaves more than one in ten possible (3 / 30); and visits of
# one person are hardly more than one.
FEWEST_VISITS, FEWEST_PEOPLE = 30, 4


def with_own_strangers(
    artefact: BackboneArtefact, index: Index, parts: Split, stages: Stages, progress: Progress, *, max_clips: int,
    own_visits: int,
) -> tuple[BackboneArtefact, list[Voices]]:  # fmt: skip
    """A shipped backbone meets this folder's ``others/``: one part joins the cohort, the other joins the validation
    strangers. Where they are enough for the target by themselves (``own_visits``) they are one more population, which
    must keep it as well; so must the backbone's own with little speech. Returns the populations thresholds are chosen
    on. A few guests alone carry no bound: with 8 visits it would be 31 %.

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
        populations[0] = joined(artefact.validation, unknown)
        if len(visits(unknown.speakers, unknown.sessions, max_clips=max_clips)) >= own_visits:
            populations.append(unknown)
    return artefact, populations


def carry_a_figure(strangers: Sequence[SpokenClip], *, max_clips: int) -> bool:
    """Whether these clips of strangers are enough people and visits for a share of those let in to mean anything."""
    who = [each.speaker for each in strangers], [each.session for each in strangers]
    return len(set(who[0])) >= FEWEST_PEOPLE and len(visits(*who, max_clips=max_clips)) >= FEWEST_VISITS


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
