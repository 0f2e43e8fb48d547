"""A case: features once, a network learnt and judged in int8 on the rows that count, and how settings are chosen."""

from pathlib import Path

import numpy as np
import pytest

from device.errors import RuntimeMissingError
from device.sound.logmel import FrontendSpec
from device.sound.pcm import CLIP_SAMPLES, Clip
from training.benchmark.pack import Pack
from training.classifier import Classifier, ClassifierRecipe
from training.clips import SpokenClip
from training.study.cases import Cases, LearningRanAwayError, learn_case, scored, validation_eer
from training.study.households import Trials

SMALL = FrontendSpec(hop_samples=400, mel_bands=16)


def cases(people: int = 10, clips: int = 5, draws: int = 2) -> Cases:
    """People who hum, each a tone of their own."""
    rng = np.random.default_rng(1)
    made = []
    for person in range(people):
        tone = np.sin(2 * np.pi * (300 + 150 * person) * np.arange(CLIP_SAMPLES) / 16_000)
        for session in ("1", "2"):
            for _ in range(clips):
                sound = (4000 * tone + rng.normal(0, 300, CLIP_SAMPLES)).astype(np.int16)
                made.append(SpokenClip(f"p{person}", session, Clip(sound, 3.0, False, 0, 0.0, 3.0)))
    names = {each.speaker: "c" for each in made}
    pack = Pack(made, names, dict.fromkeys(names, "f"), [], [])
    return Cases(pack, Trials(Path("pack"), draws=draws, residents=3, enrol_seconds=30.0, seed=3))


def test_features_are_computed_once_a_front_end() -> None:
    of = cases(draws=1)
    first = of.features(SMALL)
    assert first.shape == (len(of.pack.clips), *SMALL.shape)
    assert of.features(SMALL) is first
    assert of.features(FrontendSpec(hop_samples=400, mel_bands=16, scale="linear")) is not first


def test_only_the_rows_that_judge_or_choose_have_scores() -> None:
    of = cases(draws=1)
    made = of.trials[0]
    asked: list[np.ndarray] = []

    def scores_of(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return np.ones(len(rows))

    scores = scored(made, len(of.pack.clips), scores_of)
    assert not set(asked[0]) & set(made.learnt)
    assert np.isnan(scores[made.learnt]).all()
    assert np.isfinite(scores[np.concatenate([made.seen, made.choosing, made.tried, made.judging])]).all()


def test_settings_are_chosen_by_neither_the_judging_strangers_nor_the_other_day() -> None:
    of = cases(draws=1)
    made = of.trials[0]
    scores = np.where(made.allowed, 1.0, -1.0)
    scores[made.judging], scores[made.tried] = 9.0, -9.0
    assert validation_eer(made, scores) == 0.0
    scores[made.choosing] = 2.0
    assert validation_eer(made, scores) == 1.0


def test_a_case_is_learnt_quantized_and_judged_the_same_way_for_the_same_seed() -> None:
    pytest.importorskip("tensorflow")
    of = cases(draws=1)
    recipe = ClassifierRecipe(classifier=Classifier(width=2, epochs=2, learning_rate=1e-2), frontend=SMALL)
    first, again, other = (learn_case(recipe, of, 0, seed=seed) for seed in (1, 1, 2))
    assert (first.figures, first.validation_eer, first.bytes) == (again.figures, again.validation_eer, again.bytes)
    assert first.figures != other.figures or first.validation_eer != other.validation_eer
    assert 1_000 < first.bytes < 50_000
    assert first.multiply_adds > 0


def test_learning_that_runs_away_is_told_and_not_judged() -> None:
    pytest.importorskip("tensorflow")
    wild = Classifier(width=2, epochs=8, batch_size=2, learning_rate=10.0, weight_decay=1.0, optimiser="sgd")
    with pytest.raises(LearningRanAwayError, match="not finite"):
        learn_case(ClassifierRecipe(classifier=wild, frontend=SMALL), cases(draws=1), 0, seed=1)


@pytest.mark.parametrize("broken", ["weights", "runtime"])
def test_weights_that_int8_cannot_hold_are_told_from_a_runtime_that_does_not_work(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    pytest.importorskip("tensorflow")

    def refuse(*_: object) -> np.ndarray:
        raise RuntimeMissingError("the runtime cannot run this model here")

    monkeypatch.setattr("training.study.cases.int8_scores", refuse)
    if broken == "runtime":
        monkeypatch.setattr("training.study.cases.Interpreter", refuse)
    recipe = ClassifierRecipe(classifier=Classifier(width=2, epochs=1), frontend=SMALL)
    expected = LearningRanAwayError if broken == "weights" else RuntimeMissingError
    with pytest.raises(expected):
        learn_case(recipe, cases(draws=1), 0, seed=1)
