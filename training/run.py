"""The training path on one screen: recordings -> bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from device.verdict.bundle import Bundle, point_current
from training.above_noise import above_noise
from training.augment import Surroundings
from training.backbone import BackboneArtefact, read_backbone, write_backbone
from training.calibrate import choose_thresholds, fit_calibration, validation_trials, visits_needed
from training.clips import Cutter, SpokenClip
from training.corpus.index import Index, Progress, index_folder, load_samples
from training.corpus.layouts import parse_source
from training.corpus.split import Recordings, Split, split
from training.corpus.table import describe_files, write_tables
from training.door_copies import NOTHING_RECORDED, door_copies
from training.effects import Sound, to_sound
from training.enrol import enrol
from training.evaluate import Figures, TestSet, evaluate
from training.keys import signer_of
from training.networks.weights import save_weights
from training.outlook import Household, outlook_of
from training.populations import (
    FEWEST_PEOPLE,
    FEWEST_VISITS,
    carry_a_figure,
    refuse_known_people,
    with_own_strangers,
)
from training.publish import Draft, write_verified
from training.recipe import Recipe
from training.report import reports_of
from training.residents import changes_in_words, leave_out, refuse_unusable, residents_in_service, with_enough_speech
from training.rivals import Rivals, compare
from training.stages import Stages
from training.tracking import Tracker, followers
from training.versions import next_sequence, prune
from training.voices import Voices, joined

UNSIGNED = "not signed ([publish] key is empty): doors will refuse this bundle; python -m training sign signs it"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run left: the verified bundle, its figures (empty where there was nobody to test on), how each resident is
    likely to fare, and how long each stage took."""

    bundle: Bundle
    figures: Figures
    outlook: Figures
    stages: list[str]


def run(
    recipe: Recipe, *, runs: Path, progress: Progress, say: Callable[[str], None], force: bool = False,
    without: Sequence[str] = (),
) -> Outcome:  # fmt: skip
    """Everything, in order. Raises a :class:`~device.errors.VoicelatchError` at the first thing that is wrong.

    The run's own folder is ``runs/run-<hash of the recipe>``: tables of the recordings, log, the bundle before it is
    published. ``force`` publishes a bundle that is worse than the one in service; ``without`` names residents who are
    not to be enrolled though their folders are there.
    """
    own = runs / f"run-{recipe.sha256()[:12]}"
    tracker = followers(recipe.tracking, own, name=own.name, say=say)
    try:
        tracker.tell("run", {"recipe_sha256": recipe.sha256(), "name": recipe.publish.name})
        return _run(recipe, runs, own, tracker, progress, say, force, without)
    finally:
        tracker.close()


def _run(
    recipe: Recipe, runs: Path, own: Path, tracker: Tracker, progress: Progress, say: Callable[[str], None],
    force: bool, without: Sequence[str],
) -> Outcome:  # fmt: skip
    stages, models, decision = Stages(runs, tracker), Path(recipe.publish.models), recipe.decision
    # First: a wrong key must not be found after hours of training.
    signer = signer_of(recipe.publish.key)
    in_service = residents_in_service(models)
    with stages.timed("index"):
        index = index_folder(
            Path(recipe.data.folder), layout=recipe.data.layout, allowed=recipe.data.allowed,
            corpora=[parse_source(each) for each in recipe.data.corpora], cache=runs / "index.jsonl", progress=progress,
        )  # fmt: skip
        index = leave_out(index, without, in_service)
        write_tables(index, own)
    describe_files(index, say)
    refuse_unusable(index, in_service, say)
    every_day = recipe.enrol.sessions == "all"
    parts = split(
        index, seed=recipe.data.seed, validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction, enrol_sessions="but_last" if every_day else "first",
        least_speech_seconds=recipe.enrol.min_speech_seconds,
    )  # fmt: skip
    describe(parts, say)

    artefact, network = obtain_backbone(recipe, index, parts, stages, tracker, progress)
    cutter = Cutter(index.root, artefact.vad, artefact.segmenter)
    populations = [artefact.validation, artefact.validation_short]
    strangers = cutter.cut(parts.test, progress=progress, label="stranger clips")
    if strangers and not carry_a_figure(strangers, max_clips=decision.max_clips):
        strangers, parts = [], too_few_to_test(parts, say, joining=bool(recipe.backbone.source))
    if recipe.backbone.source:
        refuse_known_people(artefact, parts)
        artefact, populations = with_own_strangers(
            artefact, index, parts, stages, progress, max_clips=decision.max_clips,
            own_visits=visits_needed(decision.target_far),
        )  # fmt: skip
    with stages.timed("enrol"):
        residents = cutter.cut(parts.enrol, progress=progress, label="enrolment clips")
        later = cutter.cut(parts.resident_test, progress=progress, label="resident test clips")
        people = with_enough_speech(
            [*residents, *later] if every_day else residents, {each.speaker for each in parts.enrol},
            min_speech_seconds=recipe.enrol.min_speech_seconds, in_service=in_service, say=say,
        )  # fmt: skip
        parts = only(parts, people)
        residents, later = ([each for each in clips if each.speaker in people] for clips in (residents, later))
        trials = validation_trials(
            artefact.validation, artefact.validation_short, artefact.cohort,
            cohort_top=decision.cohort_top, prototypes=recipe.enrol.prototypes,
        )  # fmt: skip
        calibration = fit_calibration(trials, cohort_top=decision.cohort_top)
        as_met = copier(recipe, index, parts)
        embedder = artefact.embedder()
        voices = embedder.voices(residents, progress=progress, label="enrol", copies=as_met(residents))
        heard = embedder.voices(later, progress=progress, label="enrol later days", copies=as_met(later))

    def drafted(enrolled: Voices, recordings: Recordings) -> Draft:
        head = enrol(enrolled, artefact.cohort, calibration, prototypes=recipe.enrol.prototypes)
        thresholds = choose_thresholds(
            head, populations, trials, target_far=decision.target_far, max_clips=decision.max_clips
        )
        thresholds = above_noise(thresholds, head, artefact.embedder(), artefact.segmenter)
        told = provenance(recipe, index, recordings, artefact)
        return Draft(artefact, head, thresholds, recipe.publish.name, next_sequence(models), told)

    judged = drafted(voices, parts.enrol)
    # Only a bundle that the door's own check has accepted is evaluated; nothing is published yet.
    with stages.timed("candidate"):
        candidate = write_verified(own / "candidate", judged.files({}))
    figures: Figures = {}
    tested = test_set(index, parts, later, strangers)
    if later and strangers:
        with stages.timed("evaluate"):
            figures = evaluate(candidate, tested, float_network=network, seed=recipe.data.seed, progress=progress)
        tracker.tell("result", told_briefly(figures))
    else:
        say("not evaluated: that needs strangers, and a second session of the residents")
    with stages.timed("compare"):
        rivals = Rivals(models, index, parts, residents, later, strangers, recipe)
        compare(candidate, rivals, as_met, force=force, progress=progress, say=say)
    draft = drafted(joined(voices, heard), parts.enrol + parts.resident_test) if every_day and later else judged
    with stages.timed("outlook"):
        home = Household(clips=[*residents, *later], voices=joined(voices, heard), cohort=artefact.cohort,
                         head=draft.head, thresholds=draft.thresholds, prototypes=recipe.enrol.prototypes)  # fmt: skip
        outlook = outlook_of(home, figures, populations)
    reports = reports_of(f"{recipe.publish.name}: {len(people)} residents", figures, outlook, asdict(draft.thresholds))
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
        for change in changes_in_words(in_service, bundle.residents):
            say(change)
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


def test_set(index: Index, parts: Split, later: Sequence[SpokenClip], strangers: Sequence[SpokenClip]) -> TestSet:
    """Everybody and everything kept for the test; ``later``: clips of the residents' sessions that are the test."""
    return TestSet(
        residents=later,
        strangers=strangers,
        noises=sounds(index, parts.test_noise),
        rooms=sounds(index, parts.test_rir),
        speech=(load_samples(index.root, each) for each in parts.test),
        sounds=(load_samples(index.root, each) for each in parts.test_noise),
    )


def copier(recipe: Recipe, index: Index, parts: Split) -> Callable[[Sequence[SpokenClip]], list[list[SpokenClip]]]:
    """What makes copies of enrolment clips as the door will hear them, with the noises and rooms that are not for the
    test; the same copies in every run of a recipe."""
    around = Surroundings(sounds(index, parts.train_noise), sounds(index, parts.train_rir), NOTHING_RECORDED.babble)
    return lambda clips: door_copies(clips, around, recipe.augment, np.random.default_rng(recipe.data.seed))


def sounds(index: Index, recordings: Recordings) -> list[Sound]:
    """Recordings as float32, full scale 1."""
    return [to_sound(load_samples(index.root, each)) for each in recordings]


def provenance(recipe: Recipe, index: Index, enrolled: Recordings, artefact: BackboneArtefact) -> dict[str, Any]:
    """What a bundle says of where it comes from; ``enrolled_recordings`` so that no later test uses them."""
    inherited = ("training_speakers", "validation_speakers", "licences", "network")
    return {
        "recipe_sha256": recipe.sha256(),
        "data_sha256": index.data_sha256(),
        "enrolled_recordings": sorted(each.sha256[:16] for each in enrolled),
        "backbone_recipe_sha256": artefact.manifest["recipe_sha256"],
        **{key: artefact.manifest[key] for key in inherited},
    }


def told_briefly(figures: Figures) -> dict[str, float]:
    """The figures that a chart of many runs wants."""
    clip, door = figures["int8"]["clip"], figures["door"]
    rates = {name: clip[name]["value"] for name in ("eer", "frr_at_far_1pct", "frr_at_far_01pct", "min_dcf", "cllr")}
    return {**rates, "residents_opened": door["residents"]["share"], "strangers_let_in": door["strangers"]["share"]}


def too_few_to_test(parts: Split, say: Callable[[str], None], *, joining: bool) -> Split:
    """A few guests, or a clip that somebody called a stranger's: they are no test of their own. With a backbone from
    elsewhere (``joining``) they help to choose the thresholds, together with the people that brings."""
    people = len({each.speaker for each in parts.test})
    needed = f"it takes {FEWEST_PEOPLE} people and {FEWEST_VISITS} visits"
    joined_to = "; they join those on whom the thresholds are chosen" if joining else ""
    say(f"strangers: {people} people are too few to say how many would be let in ({needed}){joined_to}")
    return replace(parts, validation=parts.validation + (parts.test if joining else ()), test=())


def only(parts: Split, people: Sequence[str]) -> Split:
    """``parts`` with no other residents than ``people``."""
    enrol_, later = (
        tuple(each for each in recordings if each.speaker in people)
        for recordings in (parts.enrol, parts.resident_test)
    )
    return replace(parts, enrol=enrol_, resident_test=later)


def describe(parts: Split, say: Callable[[str], None]) -> None:
    """What went in, in a few lines."""
    for name in ("enrol", "resident_test", "backbone", "validation", "test", "crowd"):
        recordings: Recordings = getattr(parts, name)
        people = len({each.speaker for each in recordings})
        minutes = sum(each.seconds for each in recordings) / 60
        say(f"{name:14s} {people:4d} people  {len(recordings):5d} recordings  {minutes:6.1f} min")
