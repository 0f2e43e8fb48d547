"""Real speech through the whole workshop, in miniature: a network learnt, a household refreshed, old against new."""

import csv
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import BundleError, DataError
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import Bundle, load_bundle, resolve_current
from device.verdict.scorer import Scorer
from tests.conftest import ROOT
from training import rivals
from training import run as module
from training.clips import Cutter
from training.compare import Held, hold_test
from training.corpus.household import build_household
from training.corpus.index import index_folder
from training.corpus.split import speaker_hash, split
from training.learning_settings import Backbone
from training.populations import refuse_known_people
from training.recipe import Augment, Data, DecisionSettings, Enrol, Publish, Recipe
from training.run import run

# speechocean762 has enough clips of each person; LibriSpeech has the residents' other days.
WANTED = {("evaluate", "librispeech"): (6, 40), ("train", "speechocean762"): (48, 20)}
# Two residents, and strangers enough to calibrate on half of them.
JUDGED = {("evaluate", "librispeech"): (2, 40), ("evaluate", "speechocean762"): (26, 16)}
Wanted = dict[tuple[str, str], tuple[int, int]]


def part_of(speech_pack: Path, pack: Path, wanted: Wanted) -> Path:
    """Some people of the pack, by use and corpus: how many, and of each so many files; some noise and rooms; links."""
    with (speech_pack / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    kept: list[dict[str, str]] = []
    files: dict[tuple[str, str], int] = defaultdict(int)
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    sounds: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["kind"] != "speech":
            sounds[row["kind"]] += 1
            kept += [row] if sounds[row["kind"]] <= 14 else []
            continue
        most_people, most_files = wanted.get((row["use"], row["corpus"]), (0, 0))
        known, person = people[row["use"], row["corpus"]], (row["corpus"], row["speaker"])
        if files[person] < most_files and (row["speaker"] in known or len(known) < most_people):
            known.add(row["speaker"])
            files[person] += 1
            kept.append(row)
    for row in kept:
        place = pack / row["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(speech_pack / row["path"])
    with (pack / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, kept[0])
        writer.writeheader()
        writer.writerows(kept)
    return pack


@pytest.fixture(scope="module")
def home(speech_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two residents with two sessions, four strangers, 48 others, some noise and rooms."""
    folder = tmp_path_factory.mktemp("homes") / "home"
    build_household(part_of(speech_pack, tmp_path_factory.mktemp("pack"), WANTED), folder, residents=2, seed=3)
    return folder


def recipe(home: Path, models: Path, **changes: object) -> Recipe:
    parts: dict[str, object] = {
        "data": Data(folder=str(home), validation_fraction=0.4),
        "augment": Augment(pitch_probability=0.0, pace_probability=0.0),
        "backbone": Backbone(
            network="lean", width=4, embedding_size=32, crop_frames=100, epochs=1, variants=1, speeds=(1.0,)
        ),
        "enrol": Enrol(min_speech_seconds=5.0),
        "decision": DecisionSettings(target_far=0.2, cohort_top=10),
        "publish": Publish(name="home", models=str(models), keep=2, backbone="backbone", licences=("CC BY 4.0",)),
    }
    return Recipe(**parts | changes)  # type: ignore[arg-type]


def assert_nobody_of_the_test_was_learnt_from(home: Path, runs: Path) -> None:
    """No clip that the network learnt from, and so no augmented copy of one, is a clip of anybody held out."""
    learnt = {row.tobytes() for row in np.load(next(runs.glob("clips-*")) / "clips.npy")}
    parts = split(index_folder(home), seed=7, validation_fraction=0.4, test_fraction=0.15, enrol_sessions="first")
    cutter = Cutter(home, VadSpec(), SegmenterSpec())
    held_out = cutter.cut([*parts.validation, *parts.test, *parts.enrol, *parts.resident_test])
    assert len(learnt) > 100
    assert len(held_out) > 100
    assert not learnt & {each.clip.samples.tobytes() for each in held_out}
    assert learnt == {each.clip.samples.tobytes() for each in cutter.cut([*parts.backbone, *parts.crowd])}


def kept(lines: list[str]) -> set[str]:
    return {line.split()[0] for line in lines if line.endswith("(kept)")}


def test_a_network_is_learnt_quantized_enrolled_evaluated_and_published_and_then_refreshed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    models, runs, said = tmp_path / "models", tmp_path / "runs", []

    def once_more(each: Recipe, *, force: bool = False) -> module.Outcome:
        said.clear()
        return run(each, runs=runs, progress=lambda *_: None, say=said.append, force=force)

    first = once_more(recipe(home, models))
    assert kept(first.stages) == set()
    assert resolve_current(models).name == "home-1"
    assert load_bundle(models).manifest["licences"] == ["CC BY 4.0"]
    report = json.loads((models / "home-1" / "report.json").read_text())
    assert report["counts"]["residents"] == 2
    assert {"int8", "float", "door", "long", "conditions", "outlook"} <= set(report)
    assert {each["left_out"]["kind"] for each in report["outlook"]["residents"]} == {"session"}
    assert report["long"]["strangers"]["hours"] > 0
    assert 0.0 < report["int8"]["clip"]["eer"]["value"] < 0.6
    assert_nobody_of_the_test_was_learnt_from(home, runs)
    log = next(runs.glob("run-*/log.jsonl")).read_text().splitlines()
    assert {json.loads(line)["kind"] for line in log} == {"run", "stage", "epoch", "result"}
    assert (next(runs.glob("run-*")) / "index.csv").exists()

    # Another threshold: nothing is cut, drawn or learnt again, and old and new meet on the same test.
    laxer = recipe(home, models, decision=DecisionSettings(target_far=0.19, cohort_top=10))
    second = once_more(laxer, force=True)
    assert {"clips", "examples", "fit", "int8"} <= kept(second.stages)
    assert any(line.startswith("old  home #1") for line in said)
    assert any(line.startswith("new  home #2") for line in said)

    # A refresh on the shipped-like backbone needs no TensorFlow, and a worse bundle is not published.
    refresh = replace(laxer, backbone=Backbone(source=str(models / "backbone")))
    with pytest.raises(DataError, match="too few strangers"):
        once_more(replace(refresh, decision=DecisionSettings(target_far=1e-4, cohort_top=10)))

    def perfect(bundle: Bundle, *rest: Any) -> Held:
        visits = hold_test(bundle, *rest)
        if bundle.sequence != 2:
            return visits
        inside = tuple(replace(each, opened=True) for each in visits.residents)
        return replace(
            visits, residents=inside, strangers=tuple(replace(each, opened=False) for each in visits.strangers)
        )

    monkeypatch.setattr(rivals, "hold_test", perfect)
    with pytest.raises(BundleError, match="worse than the one in service"):
        once_more(refresh)
    assert resolve_current(models).name == "home-2"
    monkeypatch.undo()
    third = once_more(refresh, force=True)
    assert resolve_current(models).name == "home-3"
    assert [path.name for path in sorted(models.glob("home-*"))] == ["home-2", "home-3"]
    Scorer(third.bundle)


def test_a_backbone_is_not_tested_on_people_it_was_learnt_from(home: Path, tmp_path: Path) -> None:
    from training.backbone import read_backbone

    index = index_folder(home)
    parts = split(index, seed=7, validation_fraction=0.4, test_fraction=0.15, enrol_sessions="first")
    backbone = read_backbone(ROOT / "models" / "backbone")
    refuse_known_people(backbone, parts)
    met = {*backbone.manifest["training_speakers"], speaker_hash(parts.test[0].speaker)}
    with pytest.raises(DataError, match="met before") as caught:
        refuse_known_people(replace(backbone, manifest={**backbone.manifest, "training_speakers": met}), parts)
    assert parts.test[0].speaker in str(caught.value)


def test_a_study_learns_and_judges_each_run_and_keeps_what_is_done(
    home: Path, speech_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    from training.study import runs as study
    from training.study.plan import Run
    from training.study.plan_command import table

    whole = recipe(home, tmp_path / "models")
    few = replace(whole, backbone=replace(whole.backbone, most_speakers=24))
    plan = [Run("all", whole, "speakers"), Run("few", few, "speakers"), Run("again", whole, "")]
    judged = part_of(speech_pack, tmp_path / "pack", JUDGED)
    trials = study.Trials(judged, draws=2, residents=2, enrol_seconds=9.0)
    said: list[str] = []

    def carry_out() -> dict[str, dict[str, object]]:
        said.clear()
        return study.carry_out(plan, trials, folder=tmp_path / "runs", out=tmp_path / "study.json",
                               progress=lambda *_: None, say=said.append)  # fmt: skip

    told = carry_out()
    assert told["few"]["speakers"] == 24
    assert told["all"]["speakers"] > 24
    assert told["all"]["hours"] > told["few"]["hours"]
    assert told["all"]["int8"] == told["again"]["int8"] != told["few"]["int8"]
    assert all(0.0 <= rate <= 1.0 for each in told.values() for rate in each["int8"].values())
    assert "again" in table(told)
    monkeypatch.setattr(study, "_learn", None)
    assert carry_out() == told
    assert said == ["all: kept", "few: kept", "again: kept"]
