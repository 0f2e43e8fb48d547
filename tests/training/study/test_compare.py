"""The comparison: what stands beside the networks, what is kept when a killed one goes on, and what the page says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.sound.pcm import CLIP_SAMPLES, Clip
from training.benchmark.pack import Pack
from training.classifier import Classifier, ClassifierRecipe
from training.clips import SpokenClip
from training.study import compare as study
from training.study.baselines import EmbeddingSystem, mfcc_statistics, svm_scores
from training.study.cases import Cases, LearningRanAwayError
from training.study.compare_page import lead, page, table
from training.study.households import Trials
from training.study.trials import Figures, judge

PEOPLE, CLIPS = 50, 6
TRIALS = Trials(Path("none"), draws=2, residents=4, enrol_seconds=18.0, seed=3)


def voiced_pack() -> Pack:
    """Everybody hums a note of their own, with some noise."""
    rng = np.random.default_rng(2)
    made = []
    for person in range(PEOPLE):
        for session in ("1", "2"):
            for _ in range(CLIPS):
                wave = np.sin(2 * np.pi * (120.0 + 60.0 * person) * np.arange(CLIP_SAMPLES) / 16000.0)
                samples = np.rint(6000.0 * wave + rng.normal(0, 300.0, CLIP_SAMPLES)).astype(np.int16)
                made.append(SpokenClip(f"p{person:02d}", session, Clip(samples, 3.0, False, 0, 0.0, 3.0)))
    names = {each.speaker: "c" for each in made}
    return Pack(made, names, dict.fromkeys(names, "f"), [], [])


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases(voiced_pack(), TRIALS)


def test_the_support_vector_machine_learns_the_residents_it_is_given(cases: Cases) -> None:
    pytest.importorskip("librosa")
    statistics = mfcc_statistics(cases.pack.clips)
    assert statistics.shape == (len(cases.pack.clips), 80)
    made = cases.trials[0]
    assert judge(cases.pack, made, svm_scores(statistics, made)).closed_set_f1 > 0.9
    nothing = np.random.default_rng(1).normal(size=statistics.shape)
    assert judge(cases.pack, made, svm_scores(nothing, made)).eer > 0.35


def test_an_embedding_that_knows_voices_admits_residents_alone_and_a_deaf_one_is_at_chance(cases: Cases) -> None:
    rng = np.random.default_rng(4)
    voice = {f"p{person:02d}": rng.normal(size=64) for person in range(PEOPLE)}
    cohort = rng.normal(size=(40, 64))

    def heard(share: float) -> EmbeddingSystem:
        rows = [share * voice[each.speaker] + rng.normal(size=64) for each in cases.pack.clips]
        return EmbeddingSystem(_unit(np.array(rows)), _unit(cohort))

    made = cases.trials[0]
    assert judge(cases.pack, made, heard(2.0).scores(cases.pack, made)).eer < 0.02
    assert judge(cases.pack, made, heard(0.0).scores(cases.pack, made)).eer > 0.3


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def figures(f1: float, frr: float) -> Figures:
    return Figures(f1, 0.2, frr, 0.02, 0.6, 0.1, 0.4)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, cases: Cases) -> list[str]:
    """A comparison in which nothing is learnt; the list of what was measured."""
    done: list[str] = []

    def as_if(kind: str, f1: float, frr: float) -> Any:
        def measure(*_: Any, **__: Any) -> study.Measured:
            done.append(kind)
            return study.Measured(kind=kind, figures=[figures(f1, frr)] * 2, learning_seconds=1.0)

        return measure

    monkeypatch.setattr(study, "read_cases", lambda *_, **__: cases)
    monkeypatch.setattr(study, "end_to_end", as_if("end to end", 0.97, 0.9))
    monkeypatch.setattr(study, "classical", as_if("classical", 0.9, 0.8))
    monkeypatch.setattr(study, "embedding", as_if("embedding", 0.95, 0.1))
    return done


def run(out: Path, **recipes: ClassifierRecipe) -> dict[str, Any]:
    backbone = Path(__file__).parents[3] / "models" / "backbone"
    return study.compare(recipes, TRIALS, backbone=backbone, runs=out.parent, out=out, progress=lambda *_: None,
                         say=lambda _: None)  # fmt: skip


def test_what_was_measured_is_kept_and_a_changed_recipe_is_measured_anew(measured: list[str], tmp_path: Path) -> None:
    out = tmp_path / "compare.json"
    first = run(out, simple=ClassifierRecipe(), broad=ClassifierRecipe(classifier=Classifier(width=32)))
    assert sorted(measured) == ["classical", "embedding", "end to end", "end to end"]
    assert run(out, simple=ClassifierRecipe(), broad=ClassifierRecipe(classifier=Classifier(width=32))) == first
    assert len(measured) == 4
    run(out, simple=ClassifierRecipe(), broad=ClassifierRecipe(classifier=Classifier(width=33)))
    assert len(measured) == 5


def test_a_network_that_cannot_be_learnt_so_is_named_and_the_others_are_compared(
    measured: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run_away(*_: Any, **__: Any) -> study.Measured:
        raise LearningRanAwayError("learning ran away", received="weights that are not finite")

    monkeypatch.setattr(study, "end_to_end", run_away)
    told = run(tmp_path / "compare.json", simple=ClassifierRecipe())
    assert set(told["systems"]) == {"svm on mfcc", "embedding"}
    assert "simple is not in the tables: learning ran away" in page(told, "")


def test_the_page_tells_the_figure_that_misleads_beside_the_one_that_counts(
    measured: list[str], tmp_path: Path
) -> None:
    told = run(tmp_path / "compare.json", simple=ClassifierRecipe())
    assert "simple has the highest closed-set F1, 97.0%" in lead(told)
    assert "refuses 90% of the residents' clips" in lead(told)
    assert "refuses 10%" in lead(told)
    html = page(told, "python -m training study compare --pack <PACK>")
    assert "&lt;PACK&gt;" in html
    assert html.count("<tr>") == 2 * (1 + len(told["systems"]))
    assert len(table(told).splitlines()) == 1 + len(told["systems"])
