"""Uncertainty: what answers disagree on, and a band that helps only where disagreement tells something."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import DataError
from device.sound.pcm import CLIP_SAMPLES
from tests.training.study.test_trials import drawn, pack
from training.study.uncertainty.band import DEDUCTION, LIMIT, Heard, applied, choose, threshold, with_limit
from training.study.uncertainty.carry_out import NO_BAND_NAME, SHUFFLED, Told, all_draws, outcomes
from training.study.uncertainty.measures import MEASURES, Answers, more_uncertain, together
from training.study.uncertainty.outsiders import noise_clips, other_languages
from training.study.uncertainty.page import page
from training.study.uncertainty.summary import comparisons, groups, telling

BANDS = (LIMIT, DEDUCTION)


def test_answers_that_agree_leave_only_the_clip_s_own_uncertainty() -> None:
    agreed = together(np.tile([0.0, 2.0, -50.0], (4, 1)))
    assert agreed.score == pytest.approx([0.0, 2.0, -50.0])
    assert agreed.entropy == pytest.approx([1.0, 0.527, 0.0], abs=1e-3)
    assert agreed.expected == pytest.approx(agreed.entropy)
    for measure in (agreed.mutual, agreed.variance, agreed.spread):
        assert measure == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_certain_answers_that_contradict_each_other_are_all_mutual_information() -> None:
    split = together(np.array([[30.0], [-30.0]]))
    assert split.score == pytest.approx([0.0], abs=1e-6)
    assert (split.entropy[0], split.mutual[0]) == pytest.approx((1.0, 1.0))
    assert split.expected[0] < 1e-6
    assert split.variance[0] == pytest.approx(0.25)
    assert split.spread[0] == pytest.approx(30.0)


def test_certain_scores_keep_their_order() -> None:
    """As probabilities both are 1.0 to the last digit."""
    sure = together(np.array([[60.0, 80.0], [70.0, 90.0]]))
    assert sure.score[0] < sure.score[1]


def test_how_often_one_side_is_the_more_uncertain() -> None:
    assert more_uncertain(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert more_uncertain(np.array([1.0]), np.array([0.0, 1.0, 2.0])) == 0.5
    assert np.isnan(more_uncertain(np.array([]), np.array([1.0])))


def sides(seed: int = 3, *, number: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Scores of residents and strangers that overlap."""
    rng = np.random.default_rng(seed)
    return rng.normal(1.5, 1.0, number), rng.normal(0.0, 1.0, number)


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_a_constant_uncertainty_chooses_no_band_and_changes_nothing(band) -> None:  # type: ignore[no-untyped-def]
    inside, outside = sides()
    residents, strangers = Heard(inside, np.full(400, 0.3)), Heard(outside, np.full(400, 0.3))
    number = choose(band, residents, strangers, target_far=0.01)
    assert np.isnan(number)
    assert applied(band, residents, number).tolist() == inside.tolist()


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_an_uncertainty_that_tells_strangers_is_used_and_lowers_the_far(band) -> None:  # type: ignore[no-untyped-def]
    inside, outside = sides()
    residents, strangers = Heard(inside, np.full(400, 0.1)), Heard(outside, np.full(400, 3.0))
    number = choose(band, residents, strangers, target_far=0.01)
    assert not np.isnan(number)
    fresh_inside, fresh_outside = sides(seed=4)
    with_band = [applied(band, Heard(scores, uncertainty), number) for scores, uncertainty in (
        (fresh_inside, np.full(400, 0.1)), (fresh_outside, np.full(400, 3.0)))]  # fmt: skip
    same_frr = np.sort(with_band[0])[40], np.sort(fresh_inside)[40]
    assert (with_band[1] >= same_frr[0]).mean() < (fresh_outside >= same_frr[1]).mean() / 2


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.name)
def test_a_shuffled_uncertainty_brings_nothing_to_those_who_did_not_choose(band) -> None:  # type: ignore[no-untyped-def]
    """Over many choices: now and then chance chooses a band, which then does not lower the FAR at equal FRR."""
    gains = []
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        chosen = [Heard(scores, rng.gamma(2.0, 0.5, 60)) for scores in sides(seed, number=60)]
        number = choose(band, *chosen, target_far=0.05)
        inside, outside = sides(1000 + seed)
        plain = (outside >= np.sort(inside)[80]).mean()
        told = [applied(band, Heard(scores, rng.gamma(2.0, 0.5, 400)), number) for scores in (inside, outside)]
        gains.append(plain - (told[1] >= np.sort(told[0])[80]).mean())
    assert np.mean(gains) < 0.005


def test_what_a_limit_refused_is_never_admitted_by_the_threshold() -> None:
    scores = with_limit(np.array([5.0, 4.0, 3.0]), np.array([1.0, 1.0, 1.0]), 0.5)
    assert not (scores >= threshold(scores, 0.5)).any()


def logits(seed: int, *, better: float) -> dict[str, np.ndarray]:
    of = pack()
    rng = np.random.default_rng(seed)
    allowed = drawn(of).allowed
    voice = np.where(allowed, 2.0, -2.0) + rng.normal(0.0, 2.0, len(allowed))
    several = voice + rng.normal(0.0, 0.3, (5, len(allowed)))
    return {"plain": voice[None, :], "ensemble of 5": several + np.where(allowed, better, -better)}


def drawn_twice(*, better: float) -> Told:
    of = pack()
    return all_draws(of, [drawn(of)] * 2, [logits(seed, better=better) for seed in (1, 2)], seed=1)


def test_every_method_is_compared_with_the_single_network_on_the_same_people() -> None:
    rows = {(row["method"], row["band"]): row for row in comparisons(drawn_twice(better=2.0), seed=1)}
    assert "less_plain" not in rows["plain", NO_BAND_NAME]
    mean = rows["ensemble of 5", NO_BAND_NAME]
    assert mean["less_plain"]["mean"] < 0.0
    assert "less_no_band" not in mean
    banded = [row for row in rows.values() if row["band"] != NO_BAND_NAME]
    assert banded
    assert all(row["in_hindsight"] <= row["far_at_equal_frr"] + 1e-12 for row in banded)
    assert {band for method, band in rows if method == "plain"} == {NO_BAND_NAME}
    assert SHUFFLED in {band for _, band in rows}
    assert all(row["draws"] == 2 for row in rows.values())


def test_a_limit_on_the_entropy_of_the_mean_answer_changes_no_answer_at_equal_frr() -> None:
    """It is a threshold on the same score: those it refuses come in last, in the order they had."""
    of = pack()
    made = drawn(of)
    answers = together(logits(1, better=0.0)["ensemble of 5"])
    open_to = answers.score > 0
    limited = with_limit(answers.score, answers.entropy, float(np.median(answers.entropy[open_to])))
    kept = limited > -1e5
    assert answers.score[kept & open_to].min() >= answers.score[~kept & open_to].max()
    plain, *others = list(outcomes(of, made, answers, several=True, rng=np.random.default_rng(1)))
    assert plain[0] == NO_BAND_NAME
    assert len(others) == 5


def test_groups_hold_everybody_and_sounds_that_only_some_methods_heard() -> None:
    of = pack()
    made = drawn(of)
    told = drawn_twice(better=0.0)
    outside = {"noise": np.arange(len(of.clips), len(of.clips) + 3)}
    found = groups(told, [made, made], outside)
    assert set(found["plain"]) == {
        "residents, the day they were learnt", "residents, another day", "others it has met", "strangers never met",
    }  # fmt: skip
    longer = {name: np.pad(each, ((0, 0), (0, 3)), constant_values=9.0) for name, each in logits(1, better=0.0).items()}
    with_noise = groups(all_draws(of, [made], [longer], seed=1), [made], outside)
    assert with_noise["plain"]["noise"]["admitted"] == 1.0
    assert with_noise["plain"]["noise"]["clips"] == 3.0


def test_the_page_says_the_answer_and_which_sounds_were_absent() -> None:
    of = pack()
    made = drawn(of)
    told = drawn_twice(better=2.0)
    found = page({
        "command": "python -m training study uncertainty <x>", "recipe": "simple", "draws": 2, "residents": 4,
        "pack": {"speakers": 24}, "groups": groups(told, [made, made], {}), "telling": telling(told, [made, made]),
        "comparisons": comparisons(told, seed=1),
    })  # fmt: skip
    assert "1 of 1 lower the strangers" in found
    assert "no rows of: noise, other languages" in found
    assert "&lt;x&gt;" in found
    assert found.count("<svg") == 2
    json.dumps(comparisons(told, seed=1), allow_nan=False)


def test_noise_is_cut_into_clips_and_a_short_one_repeated() -> None:
    long, brief = np.full(2 * CLIP_SAMPLES + 5, 0.5, dtype=np.float32), np.full(100, 0.25, dtype=np.float32)
    found = noise_clips([long, brief])
    assert found.shape == (3, CLIP_SAMPLES)
    assert found.dtype == np.int16
    assert set(found[2].tolist()) == {8192}
    assert noise_clips([]).shape == (0, CLIP_SAMPLES)


def loud(seconds: float) -> np.ndarray:
    """A buzz like a voice's, which the detector takes for speech."""
    time = np.arange(round(seconds * 16000)) / 16000
    buzz = sum(np.sin(2 * np.pi * 130.0 * k * time) / k for k in range(1, 25))
    return 0.1 * np.asarray(buzz) * (1.0 + 0.5 * np.sin(2 * np.pi * 3.0 * time))


def test_other_languages_are_those_the_pack_does_not_judge_even_rows_for_training(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", loud(4.0), 16000)
    row = {"path": "a.wav", "kind": "speech", "use": "evaluate", "corpus": "c", "speaker": "1", "session": "1"}
    rows = [
        row | {"language": "en"},
        row | {"language": "en (first language zh)", "speaker": "2"},
        row | {"language": "ar", "speaker": "3", "use": "train"},
        row | {"language": "", "speaker": "4"},
    ]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    folder = tmp_path / "polski"
    (folder / "ola").mkdir(parents=True)
    soundfile.write(folder / "ola" / "b.wav", loud(7.0), 16000)
    found = other_languages(tmp_path, [folder], lambda *_: None)
    assert set(found) == {"ar", "polski"}
    assert len(found["polski"]) >= 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no sound"):
        other_languages(tmp_path, [tmp_path / "empty"], lambda *_: None)


def test_dropout_goes_on_leaving_out_only_what_was_left_out_while_learning() -> None:
    pytest.importorskip("tensorflow")
    from device.errors import ConfigError
    from training.classifier import Classifier, float_scores, learn_classifier
    from training.study.uncertainty.members import dropout_passes

    rng = np.random.default_rng(1)
    features = rng.normal(0, 5, (24, 20, 16)).astype(np.float32)
    allowed = np.arange(24) % 2 == 0
    settings = Classifier(network="depthwise", width=2, epochs=1, dropout=0.4, noise_db=2.0)
    network = learn_classifier(settings, features, allowed, seed=1)
    asked = dropout_passes(network, features, passes=400, rng=np.random.default_rng(2))
    plain = float_scores(network, features)
    assert asked.shape == (400, 24)
    # The last layer is linear: the mean of many passes is the answer without dropout.
    assert asked.mean(axis=0) == pytest.approx(plain, abs=5.0 * asked.std() / 20.0)
    assert asked.std(axis=0).min() > 0.0
    again = dropout_passes(network, features, passes=400, rng=np.random.default_rng(2))
    assert (again == asked).all()
    without = learn_classifier(Classifier(width=2, epochs=1, dropout=0.0), features, allowed, seed=1)
    with pytest.raises(ConfigError, match="leaves nothing out"):
        dropout_passes(without, features, passes=2, rng=rng)


def test_measures_are_those_of_the_answers() -> None:
    assert set(MEASURES) == set(Answers.__dataclass_fields__) - {"score"}
