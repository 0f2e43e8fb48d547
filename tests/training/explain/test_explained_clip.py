"""One visit of the demo explained from the command line to the page."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import AudioFormatError, ConfigError
from device.sound.logmel import LogMel
from device.sound.pcm import Clip
from device.sound.wavfile import read_wav
from device.verdict.bundle import Bundle, load_bundle
from device.verdict.scorer import Scorer
from device.verdict.values import Decision, Outcome, ResidentScore, Score
from tests.conftest import ROOT
from training.cli import main
from training.corpus.index import silent
from training.explain.explanation import Explanation, make_maps
from training.explain.neighbours import Surrounding, surrounding
from training.explain.page import Told, to_html
from training.explain.summary import summary, summary_html
from training.explain.visit import Judged, choose, hear
from training.stages import Stages
from training.tracking import JsonLines

EVENING = ROOT / "device" / "simulated" / "evening"
VISIT, RESIDENT = "bruno.wav", "Bruno"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(ROOT / "models" / "demo")


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> Scorer:
    return Scorer(bundle)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``explain`` as a user calls it, without weights and recordings."""
    out = tmp_path_factory.mktemp("explained") / "anna"
    words = ["explain", str(EVENING / VISIT), "--bundle", str(ROOT / "models" / "demo")]
    assert main([*words, "--masks", "60", "--out", str(out), "--runs", str(out.parent / "runs")]) == 0
    return out


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "explain.json").read_text())
    return found


def test_the_explanation_is_of_the_clip_and_the_score_that_the_door_had(
    told: dict[str, Any], bundle: Bundle, scorer: Scorer
) -> None:
    heard = hear(EVENING / VISIT, bundle, scorer)
    assert [each["outcome"] for each in told["clips"]] == [each.decision.outcome.value for each in heard]
    assert (told["outcome"], told["resident"]) == ("open", RESIDENT)
    best = heard[told["clip"] - 1].score.best
    assert told["llr"] == pytest.approx(best.llr)
    assert told["deletion"]["whole"] == pytest.approx(best.llr)
    assert told["thresholds"]["open_llr"] == bundle.thresholds.open_llr


def test_occlusion_of_the_int8_network_is_true_of_it(told: dict[str, Any], bundle: Bundle, scorer: Scorer) -> None:
    assert told["deletion"]["occlusion"]["faithful"]
    assert told["deletion"]["occlusion"]["area"] < told["deletion"]["random"]["lowest"]
    # One patch taken away by hand falls as the map says.
    clip = hear(EVENING / VISIT, bundle, scorer)[told["clip"] - 1].clip
    features = LogMel(bundle.frontend)(clip.samples)
    features[59:79, 16:24] = features.mean(axis=0)[16:24]
    from device.verdict.interpreter import Interpreter

    without = scorer.judge_embedding(Interpreter(bundle.model).embed(features), speech_share=1.0)
    theirs = next(each for each in without.residents if each.resident == RESIDENT)
    assert told["maps"]["occlusion"][3][2] == pytest.approx(told["llr"] - theirs.llr, abs=1e-4)
    assert told["grid"]["seconds"][3] == pytest.approx((59 * 160 + 176) / 16_000, abs=1e-4)


def test_the_score_of_another_resident_can_be_asked_for(bundle: Bundle, scorer: Scorer, tmp_path: Path) -> None:
    words = ["explain", "clip", str(EVENING / VISIT), "--bundle", str(bundle.path), "--resident", "Clara", "--masks"]
    assert main([*words, "20", "--number", "1", "--out", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "explain.json").read_text())
    clara = next(each for each in hear(EVENING / VISIT, bundle, scorer)[0].score.residents if each.resident == "Clara")
    assert (told["resident"], told["clip"]) == ("Clara", 1)
    assert told["llr"] == told["deletion"]["whole"] == pytest.approx(clara.llr)
    assert f"it is most like {RESIDENT}" in (tmp_path / "explain.html").read_text()


def test_every_map_has_its_grid_and_every_method_its_area(told: dict[str, Any]) -> None:
    times, bands = len(told["grid"]["seconds"]) - 1, len(told["grid"]["hz"]) - 1
    assert set(told["maps"]) == {"occlusion", "lime"}
    for name, each in told["maps"].items():
        assert np.shape(each) == (times, bands)
        assert np.isfinite(told["deletion"][name]["area"])
    assert len(told["occlusion_times"]["falls"]) == len(told["occlusion_times"]["seconds"]) - 1
    assert len(told["occlusion_bands"]["falls"]) == len(told["occlusion_bands"]["hz"]) - 1


def test_the_page_needs_nothing_else_and_says_what_is_missing(folder: Path, told: dict[str, Any]) -> None:
    html = (folder / "explain.html").read_text()
    assert not re.search(r"https?:|@import|<script|<link|src=\"(?!data:)|href=\"(?!#|data:)", html)
    assert html.count("<audio") == 2
    assert ("repeated to fill 3 s" in html) == told["clips"][told["clip"] - 1]["filled"]
    for spot in told["strongest"]:
        assert f"{spot['from_seconds']:.1f} to {spot['to_seconds']:.1f} s" in html
    assert "Why did it open?" in html
    assert "No gradient maps" in html
    assert "No recordings were given" in html
    for name in ("occlusion", "lime", "random"):
        assert f"{told['deletion'][name]['area']:+.2f}" in html
    assert "prefers-color-scheme: dark" in html


def test_what_mattered_can_be_played_and_is_part_of_the_clip(folder: Path, told: dict[str, Any]) -> None:
    heard = read_wav(folder / "heard.wav")
    assert heard.shape == (48_000,)
    begin = round(told["clips"][told["clip"] - 1]["from_seconds"] * 16_000)
    clip = read_wav(EVENING / VISIT)[begin : begin + 48_000]
    length = min(len(clip), len(heard))
    assert 0.02 < np.square(heard[:length], dtype=float).sum() / np.square(clip[:length], dtype=float).sum() < 0.9


def clip_of(*outcomes: Outcome) -> list[Judged]:
    clip = Clip(np.zeros(48_000, dtype=np.int16), 3.0, False, 0, 0.0, 3.0)
    score = Score((ResidentScore("Anna", 1.0, 0.5),), 1.0)
    return [Judged(clip, score, Decision(each, "Anna", 1.0, 1, "so")) for each in outcomes]


def test_the_clip_that_settled_it_is_explained_unless_a_number_says_otherwise() -> None:
    more, opened, refused, cooling = Outcome.SAY_MORE, Outcome.OPEN, Outcome.REFUSE, Outcome.COOLING_DOWN
    assert choose(clip_of(more, opened, cooling), None, where="x") == 1
    assert choose(clip_of(refused, more, opened), None, where="x") == 2
    assert choose(clip_of(more, refused, refused), None, where="x") == 1
    assert choose(clip_of(more, more), None, where="x") == 1
    assert choose(clip_of(more, opened), 1, where="x") == 0
    for number in (0, 3):
        with pytest.raises(ConfigError, match="1 to 2"):
            choose(clip_of(more, opened), number, where="x")


def test_a_recording_without_speech_is_refused(bundle: Bundle, scorer: Scorer) -> None:
    with pytest.raises(AudioFormatError, match="hears no speech"):
        hear(EVENING / "silence.wav", bundle, scorer)


@pytest.fixture(scope="module")
def near(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Surrounding, Path]:
    """Anna on two days, one of them this very visit; Bruno; three strangers."""
    home = tmp_path_factory.mktemp("home")
    places = {
        "allowed/Anna/1": "anna.wav", "allowed/Anna/2": "anna-then-courier.wav", "allowed/Bruno/1": "bruno.wav",
        "others/courier/1": "courier.wav", "strangers/collector/1": "collector.wav", "strangers/friend/1": "friend.wav",
    }  # fmt: skip
    for place, name in places.items():
        (home / "data" / place).mkdir(parents=True)
        shutil.copy(EVENING / name, home / "data" / place)
    stages = Stages(home / "runs", JsonLines(home / "runs" / "log.jsonl"))
    return surrounding(home / "data", bundle, stages, cache=home / "index.jsonl", progress=silent), home / "data"


def test_who_sounds_near_is_found_but_not_in_the_session_that_is_explained(
    near: tuple[Surrounding, Path], bundle: Bundle, scorer: Scorer
) -> None:
    from device.verdict.interpreter import Interpreter

    around, _ = near
    log_mel, interpreter = LogMel(bundle.frontend), Interpreter(bundle.model)
    embedding = interpreter.embed(log_mel(hear(EVENING / "anna.wav", bundle, scorer)[0].clip.samples))
    residents = around.nearest_residents(embedding, EVENING / "anna.wav")
    assert (residents[0].speaker, residents[0].session) == ("Anna", "2")
    assert not any((each.speaker, each.session) == ("Anna", "1") for each in residents)
    strangers = around.nearest_strangers(embedding, EVENING / "anna.wav")
    assert sorted(each.speaker for each in strangers) == ["collector", "courier", "friend"]
    for found in (residents, strangers):
        assert [each.cosine for each in found] == sorted((each.cosine for each in found), reverse=True)
        for each in found:
            assert interpreter.embed(log_mel(each.samples)) @ embedding == pytest.approx(each.cosine, abs=1e-5)


def test_a_stranger_who_is_explained_is_not_their_own_neighbour(near: tuple[Surrounding, Path], bundle: Bundle) -> None:
    around, _ = near
    own = around.strangers.embeddings[around.strangers.of("courier")[0]]
    found = around.nearest_strangers(own, EVENING / "courier.wav")
    assert sorted(each.speaker for each in found) == ["collector", "friend"]


def explanation_of(bundle: Bundle, scorer: Scorer, judge: Any) -> Told:
    heard = hear(EVENING / VISIT, bundle, scorer)
    samples = heard[0].clip.samples
    features = LogMel(bundle.frontend)(samples)
    maps = make_maps(judge, features, gradients={}, masks=20, seed=1, progress=silent)
    explanation = Explanation(
        heard[0], heard[0].score.best, features, features, np.zeros(4, dtype=np.float32), maps,
        np.zeros(48_000, dtype=np.int16), np.zeros(maps.grid.shape, dtype=bool), 0,
    )  # fmt: skip
    return Told(VISIT, bundle, heard, 0, explanation, [], [], "command")


def test_the_page_of_a_score_that_nothing_changes_says_that_its_maps_are_flat(bundle: Bundle, scorer: Scorer) -> None:
    html = to_html(explanation_of(bundle, scorer, lambda _heard: 2.0))
    assert "The map is flat" in html
    assert "Flat: it points nowhere" in html
    assert "The score never varied" in html
    assert "nothing to listen to" in html
    assert html.count("<td>flat</td>") == 2
    assert "<td>yes</td>" not in html
    assert "no other resident" in html


def test_names_cannot_change_the_page(bundle: Bundle, scorer: Scorer) -> None:
    told = replace(explanation_of(bundle, scorer, lambda _heard: 2.0), name="<script>x", command="<script>y")
    html = to_html(told)
    assert "<script>" not in html
    assert "&lt;script&gt;x" in html


def test_a_summary_holds_clips_together_and_tells_opened_from_refused(told: dict[str, Any]) -> None:
    shut = json.loads(json.dumps(told)) | {"outcome": "refuse"}
    shut["deletion"]["lime"] |= {"area": told["deletion"]["lime"]["area"] + 2.0, "faithful": False}
    shut["occlusion_bands"]["falls"] = [0.0] * 15 + [4.0]
    found = summary([told, shut])
    assert found["methods"]["lime"]["area"] == pytest.approx(told["deletion"]["lime"]["area"] + 1.0)
    assert found["methods"]["lime"]["faithful"] == int(told["deletion"]["lime"]["faithful"])
    assert found["methods"]["occlusion"]["faithful"] == 2
    assert found["bands"]["opened"]["falls"] == pytest.approx(told["occlusion_bands"]["falls"])
    assert found["bands"]["not opened"]["falls"][-1] == 4.0
    html = summary_html(found, ["a&b", "c"], "command")
    assert 'href="a%26b/explain.html"' in html
    assert "2 clips explained" in html
