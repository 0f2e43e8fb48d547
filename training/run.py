"""The training path on one screen: recordings -> bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from device.sound.pcm import FULL_SCALE
from device.verdict.bundle import Bundle
from training.augment import Sound
from training.backbone import BackboneArtefact, Embedder, Voices, cohort_of, read_backbone, write_backbone
from training.calibrate import choose_thresholds, fit_calibration, validation_trials
from training.clips import Cutter
from training.corpus.index import Index, Progress, index_folder, load_samples
from training.corpus.split import Recordings, Split, speaker_hash, split
from training.enrol import check_enough_speech, enrol
from training.evaluate import Figures, evaluate
from training.publish import publish
from training.recipe import Recipe
from training.report import Report

CALIBRATION_CLIPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run left: the verified bundle, and its figures (empty where there was nobody to test on)."""

    bundle: Bundle
    figures: Figures


def run(recipe: Recipe, *, runs: Path, progress: Progress, say: Callable[[str], None]) -> Outcome:
    """Everything, in order. Raises a :class:`~device.errors.VoicelatchError` at the first thing that is wrong."""
    index = index_folder(Path(recipe.data.folder), cache=runs / "index.jsonl", progress=progress)
    parts = split(
        index,
        seed=recipe.data.seed,
        validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction,
        enrol_sessions=recipe.enrol.sessions,
    )
    describe(index, parts, say)

    artefact, network = obtain_backbone(recipe, index, parts, runs, progress)
    artefact, populations = with_own_strangers(
        artefact, index, parts, learnt_here=network is not None, progress=progress
    )
    cutter = Cutter(index.root, artefact.vad, artefact.segmenter)
    residents = cutter.cut(parts.enrol, progress=progress, label="enrolment clips")
    people = sorted({each.speaker for each in parts.enrol})
    check_enough_speech(residents, people, min_speech_seconds=recipe.enrol.min_speech_seconds)

    decision = recipe.decision
    same_speaker, different = validation_trials(
        artefact.validation, artefact.cohort, cohort_top=decision.cohort_top, prototypes=recipe.enrol.prototypes
    )
    calibration = fit_calibration(same_speaker, different, cohort_top=decision.cohort_top)
    voices = artefact.embedder().voices(residents, progress=progress, label="enrol")
    head = enrol(voices, artefact.cohort, calibration, prototypes=recipe.enrol.prototypes)
    thresholds = choose_thresholds(
        head, populations, same_speaker, target_far=decision.target_far, max_clips=decision.max_clips
    )

    def publish_with(figures: Figures, *, current: bool) -> Bundle:
        title = f"{recipe.publish.name}: {len(people)} residents"
        files: dict[str, bytes] = {}
        if figures:
            report = Report(title, figures, asdict(thresholds))
            files = {"report.json": report.to_json().encode(), "report.html": report.to_html().encode()}
        return publish(
            artefact, head, thresholds, models=Path(recipe.publish.models), name=recipe.publish.name,
            extra=provenance(recipe, index, artefact), reports=files, make_current=current,
        )  # fmt: skip

    # Published without the pointer first: only a bundle that the door's scorer has accepted is evaluated.
    bundle = publish_with({}, current=False)
    tested = cutter.cut(parts.resident_test, progress=progress, label="resident test clips")
    strangers = cutter.cut(parts.test, progress=progress, label="stranger clips")
    figures: Figures = {}
    if tested and strangers:
        figures = evaluate(
            bundle, tested, strangers, float_network=network, noises=sounds(index, parts.test_noise),
            rooms=sounds(index, parts.test_rir), seed=recipe.data.seed, progress=progress,
        )  # fmt: skip
    else:
        say("not evaluated: that needs strangers, and a second session of the residents")
    return Outcome(publish_with(figures, current=recipe.publish.make_current), figures)


def obtain_backbone(
    recipe: Recipe, index: Index, parts: Split, runs: Path, progress: Progress
) -> tuple[BackboneArtefact, Any | None]:
    """The int8 backbone, read from ``backbone.source`` or learnt here (then with its Keras network)."""
    if recipe.backbone.source:
        return read_backbone(Path(recipe.backbone.source)), None
    # TensorFlow is loaded only where a network is learnt: a refresh does without.
    from training.learn import learn, validation_clips
    from training.quantize import quantize

    cutter = Cutter(index.root, recipe.vad, recipe.segmenter)
    network = learn(recipe, parts, cutter, runs, progress)
    held_out = cutter.cut(parts.validation, progress=progress, label="validation clips")
    learnt_from = cutter.cut(parts.backbone, progress=progress, label="cohort clips")
    calibration = validation_clips(learnt_from, recipe).features
    rng = np.random.default_rng(recipe.data.seed)
    chosen = rng.choice(len(calibration), min(CALIBRATION_CLIPS, len(calibration)), replace=False)
    model = quantize(network, calibration[chosen])
    embedder = Embedder(model, recipe.frontend)
    artefact = BackboneArtefact(
        model=model,
        frontend=recipe.frontend,
        vad=recipe.vad,
        segmenter=recipe.segmenter,
        cohort=cohort_of(embedder.voices(learnt_from, progress=progress, label="cohort")),
        validation=embedder.voices(held_out, progress=progress, label="validation"),
        manifest={
            "training_speakers": sorted({speaker_hash(each.speaker) for each in parts.backbone}),
            "validation_speakers": sorted({speaker_hash(each.speaker) for each in parts.validation}),
            "recipe_sha256": recipe.sha256(),
            "data_sha256": index.data_sha256(),
            "licences": list(recipe.publish.licences),
            "network": asdict(recipe.backbone),
        },
    )
    if recipe.publish.backbone:
        write_backbone(Path(recipe.publish.models) / recipe.publish.backbone, artefact)
    return artefact, network


def with_own_strangers(
    artefact: BackboneArtefact, index: Index, parts: Split, *, learnt_here: bool, progress: Progress
) -> tuple[BackboneArtefact, list[Voices]]:
    """A shipped backbone meets this folder's ``others/``: one part joins the cohort, the other is a second population
    of validation strangers, which must keep the target as well. Returns the populations thresholds are chosen on."""
    populations = [artefact.validation]
    if learnt_here:
        return artefact, populations
    cutter, embedder = Cutter(index.root, artefact.vad, artefact.segmenter), artefact.embedder()
    nearby = cutter.cut(parts.backbone, progress=progress, label="cohort clips")
    if nearby:
        known = cohort_of(embedder.voices(nearby, progress=progress, label="cohort"))
        artefact = replace(artefact, cohort=np.concatenate([artefact.cohort, known]))
    held_out = cutter.cut(parts.validation, progress=progress, label="validation clips")
    if held_out:
        populations.append(embedder.voices(held_out, progress=progress, label="validation"))
    return artefact, populations


def sounds(index: Index, recordings: Recordings) -> list[Sound]:
    """Recordings as float32, full scale 1."""
    return [(load_samples(index.root, each) / FULL_SCALE).astype(np.float32) for each in recordings]


def provenance(recipe: Recipe, index: Index, artefact: BackboneArtefact) -> dict[str, Any]:
    """What a bundle says of where it comes from."""
    inherited = ("training_speakers", "validation_speakers", "licences")
    return {
        "recipe_sha256": recipe.sha256(),
        "data_sha256": index.data_sha256(),
        "backbone_recipe_sha256": artefact.manifest["recipe_sha256"],
        **{key: artefact.manifest[key] for key in inherited},
    }


def describe(index: Index, parts: Split, say: Callable[[str], None]) -> None:
    """What went in, in a few lines."""
    for rejected in index.rejected:
        say(f"left out {rejected.path}: {rejected.reason}")
    for name in ("enrol", "resident_test", "backbone", "validation", "test", "crowd"):
        recordings: Recordings = getattr(parts, name)
        people = len({each.speaker for each in recordings})
        minutes = sum(each.seconds for each in recordings) / 60
        say(f"{name:14s} {people:4d} people  {len(recordings):5d} recordings  {minutes:6.1f} min")
