"""The training path on one screen: recordings -> bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import BundleError
from device.verdict.bundle import Bundle, load_bundle, point_current
from training.augment import Surroundings
from training.backbone import BackboneArtefact, read_backbone, write_backbone
from training.calibrate import choose_thresholds, fit_calibration, validation_trials
from training.clips import Cutter, SpokenClip
from training.compare import hold_test, refuse_a_worse_one, standing, why_not_comparable
from training.corpus.index import Index, Progress, index_folder, load_samples
from training.corpus.layouts import parse_source
from training.corpus.split import Recordings, Split, split
from training.corpus.table import write_tables
from training.door_copies import NOTHING_RECORDED, door_copies
from training.effects import Sound, to_sound
from training.enrol import check_enough_speech, enrol
from training.evaluate import Figures, TestSet, evaluate
from training.keys import signer_of
from training.networks.weights import save_weights
from training.outlook import Household, outlook_of
from training.populations import refuse_known_people, with_own_strangers
from training.publish import Draft, write_verified
from training.recipe import Recipe
from training.report import reports_of
from training.stages import Stages
from training.tracking import Tracker, followers
from training.versions import current_folder, next_sequence, prune
from training.voices import joined

UNSIGNED = "not signed ([publish] key is empty): a door that lists trusted keys will refuse this bundle"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run left: the verified bundle, its figures (empty where there was nobody to test on), how each resident is
    likely to fare, and how long each stage took."""

    bundle: Bundle
    figures: Figures
    outlook: Figures
    stages: list[str]


def run(recipe: Recipe, *, runs: Path, progress: Progress, say: Callable[[str], None], force: bool = False) -> Outcome:
    """Everything, in order. Raises a :class:`~device.errors.VoicelatchError` at the first thing that is wrong.

    The run's own folder is ``runs/run-<hash of the recipe>``: tables of the recordings, log, the bundle before it is
    published. ``force`` publishes a bundle that is worse than the one in service.
    """
    own = runs / f"run-{recipe.sha256()[:12]}"
    tracker = followers(recipe.tracking, own, name=own.name)
    try:
        tracker.tell("run", {"recipe_sha256": recipe.sha256(), "name": recipe.publish.name})
        return _run(recipe, runs, own, tracker, progress, say, force)
    finally:
        tracker.close()


def _run(
    recipe: Recipe, runs: Path, own: Path, tracker: Tracker, progress: Progress, say: Callable[[str], None], force: bool
) -> Outcome:
    stages, models, decision = Stages(runs, tracker), Path(recipe.publish.models), recipe.decision
    # First: a wrong key must not be found after hours of training.
    signer = signer_of(recipe.publish.key)
    with stages.timed("index"):
        index = index_folder(
            Path(recipe.data.folder), layout=recipe.data.layout, allowed=recipe.data.allowed,
            corpora=[parse_source(each) for each in recipe.data.corpora], cache=runs / "index.jsonl", progress=progress,
        )  # fmt: skip
        write_tables(index, own)
    parts = split(
        index, seed=recipe.data.seed, validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction, enrol_sessions=recipe.enrol.sessions,
    )  # fmt: skip
    describe(index, parts, say)

    artefact, network = obtain_backbone(recipe, index, parts, stages, tracker, progress)
    populations = [artefact.validation, artefact.validation_short]
    if recipe.backbone.source:
        refuse_known_people(artefact, parts)
        artefact, populations = with_own_strangers(artefact, index, parts, stages, progress)
    with stages.timed("enrol"):
        cutter = Cutter(index.root, artefact.vad, artefact.segmenter)
        residents = cutter.cut(parts.enrol, progress=progress, label="enrolment clips")
        people = sorted({each.speaker for each in parts.enrol})
        check_enough_speech(residents, people, min_speech_seconds=recipe.enrol.min_speech_seconds)
        trials = validation_trials(
            artefact.validation, artefact.validation_short, artefact.cohort,
            cohort_top=decision.cohort_top, prototypes=recipe.enrol.prototypes,
        )  # fmt: skip
        calibration = fit_calibration(trials, cohort_top=decision.cohort_top)
        as_met = copier(recipe, index, parts)
        voices = artefact.embedder().voices(residents, progress=progress, label="enrol", copies=as_met(residents))
        head = enrol(voices, artefact.cohort, calibration, prototypes=recipe.enrol.prototypes)
        thresholds = choose_thresholds(
            head, populations, trials, target_far=decision.target_far, max_clips=decision.max_clips
        )
    draft = Draft(
        artefact,
        head,
        thresholds,
        recipe.publish.name,
        next_sequence(models),
        provenance(recipe, index, parts, artefact),
    )

    # Only a bundle that the door's own check has accepted is evaluated; nothing is published yet.
    with stages.timed("candidate"):
        candidate = write_verified(own / "candidate", draft.files({}))
    figures: Figures = {}
    tested = test_set(index, parts, cutter, progress)
    if tested.residents and tested.strangers:
        with stages.timed("evaluate"):
            figures = evaluate(candidate, tested, float_network=network, seed=recipe.data.seed, progress=progress)
        tracker.tell("result", told_briefly(figures))
        with stages.timed("compare"):
            compare(candidate, figures, models, tested, parts, force=force, progress=progress, say=say)
    else:
        say("not evaluated, and not compared: that needs strangers, and a second session of the residents")
    with stages.timed("outlook"):
        heard = artefact.embedder().voices(
            tested.residents, progress=progress, label="outlook", copies=as_met(tested.residents)
        )
        home = Household(clips=[*residents, *tested.residents], voices=joined(voices, heard), cohort=artefact.cohort,
                         head=head, thresholds=thresholds, prototypes=recipe.enrol.prototypes)  # fmt: skip
        outlook = outlook_of(home, figures, populations)
    reports = reports_of(f"{recipe.publish.name}: {len(people)} residents", figures, outlook, asdict(thresholds))
    with stages.timed("publish"):
        if recipe.publish.backbone:
            write_backbone(models / recipe.publish.backbone, artefact)
            if recipe.publish.keep_weights and network is not None:
                save_weights(network, models / f"{recipe.publish.backbone}.weights.h5")
        keep = recipe.publish.keep
        folder = models / (f"{draft.name}-{draft.sequence}" if keep else draft.name)
        bundle = write_verified(folder, draft.files(reports), signer=signer)
        say(f"signed by {signer.public.id}" if signer else UNSIGNED)
        if recipe.publish.make_current:
            point_current(models, folder.name)
        for gone in prune(models, draft.name, keep=keep) if keep else []:
            say(f"removed the old version {gone} (publish.keep = {keep})")
    return Outcome(bundle, figures, outlook, stages.table())


def obtain_backbone(
    recipe: Recipe, index: Index, parts: Split, stages: Stages, tracker: Tracker, progress: Progress
) -> tuple[BackboneArtefact, Any | None]:
    """The backbone, read from ``backbone.source``, imported, or learnt here (then with its Keras network)."""
    if recipe.backbone.source:
        return read_backbone(Path(recipe.backbone.source)), None
    if recipe.backbone.network == "ge2e":
        from training.imported import import_ge2e

        return import_ge2e(recipe, index, parts, stages, progress), None
    if recipe.backbone.epochs == 0:
        from training.imported import import_published

        return import_published(recipe, index, parts, stages, progress), None
    # TensorFlow is loaded only where a network is learnt: a refresh does without.
    from training.learn import learn

    learnt = learn(recipe, index, parts, stages, tracker, progress)
    return learnt.artefact, learnt.network


def test_set(index: Index, parts: Split, cutter: Cutter, progress: Progress) -> TestSet:
    """Everybody and everything kept for the test."""
    return TestSet(
        residents=cutter.cut(parts.resident_test, progress=progress, label="resident test clips"),
        strangers=cutter.cut(parts.test, progress=progress, label="stranger clips"),
        noises=sounds(index, parts.test_noise),
        rooms=sounds(index, parts.test_rir),
        speech=(load_samples(index.root, each) for each in parts.test),
        sounds=(load_samples(index.root, each) for each in parts.test_noise),
    )


def compare(
    candidate: Bundle,
    figures: Figures,
    models: Path,
    tested: TestSet,
    parts: Split,
    *,
    force: bool,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """The bundle in service against the candidate, on the same test. Raises BundleError for a worse candidate."""
    folder = current_folder(models)
    if folder is None:
        say("nothing to compare with: no bundle was published here before")
        return
    try:
        old = load_bundle(folder)
    except BundleError as error:
        # A bundle that this version cannot read is no reason not to publish one that it can.
        say(f"not compared with {folder.name}: {error.what} ({error.where})")
        return
    reason = why_not_comparable(old, candidate, [each.sha256 for each in (*parts.resident_test, *parts.test)])
    if reason:
        say(f"not compared with {old.name} #{old.sequence}: {reason}")
        return
    now = standing(candidate, figures["door"])
    refuse_a_worse_one(hold_test(old, tested, progress), now, force=force, say=say)


def copier(recipe: Recipe, index: Index, parts: Split) -> Callable[[Sequence[SpokenClip]], list[list[SpokenClip]]]:
    """What makes copies of enrolment clips as the door will hear them, with the noises and rooms that are not for the
    test; the same copies in every run of a recipe."""
    around = Surroundings(sounds(index, parts.train_noise), sounds(index, parts.train_rir), NOTHING_RECORDED.babble)
    return lambda clips: door_copies(clips, around, recipe.augment, np.random.default_rng(recipe.data.seed))


def sounds(index: Index, recordings: Recordings) -> list[Sound]:
    """Recordings as float32, full scale 1."""
    return [to_sound(load_samples(index.root, each)) for each in recordings]


def provenance(recipe: Recipe, index: Index, parts: Split, artefact: BackboneArtefact) -> dict[str, Any]:
    """What a bundle says of where it comes from; ``enrolled_recordings`` so that no later test uses them."""
    inherited = ("training_speakers", "validation_speakers", "licences", "network")
    return {
        "recipe_sha256": recipe.sha256(),
        "data_sha256": index.data_sha256(),
        "enrolled_recordings": sorted(each.sha256[:16] for each in parts.enrol),
        "backbone_recipe_sha256": artefact.manifest["recipe_sha256"],
        **{key: artefact.manifest[key] for key in inherited},
    }


def told_briefly(figures: Figures) -> dict[str, float]:
    """The figures that a chart of many runs wants."""
    clip, door = figures["int8"]["clip"], figures["door"]
    rates = {name: clip[name]["value"] for name in ("eer", "frr_at_far_1pct", "frr_at_far_01pct", "min_dcf", "cllr")}
    return {**rates, "residents_opened": door["residents"]["share"], "strangers_let_in": door["strangers"]["share"]}


def describe(index: Index, parts: Split, say: Callable[[str], None]) -> None:
    """What went in, in a few lines."""
    for rejected in index.rejected:
        say(f"left out {rejected.path}: {rejected.reason}")
    for name in ("enrol", "resident_test", "backbone", "validation", "test", "crowd"):
        recordings: Recordings = getattr(parts, name)
        people = len({each.speaker for each in recordings})
        minutes = sum(each.seconds for each in recordings) / 60
        say(f"{name:14s} {people:4d} people  {len(recordings):5d} recordings  {minutes:6.1f} min")
