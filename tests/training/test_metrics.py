"""Error rates, on predictors whose rates are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import DataError
from training.metrics import (
    bootstrap_by_speaker,
    clopper_pearson_upper,
    eer,
    far_at,
    frr_at,
    frr_at_far,
    min_dcf,
    threshold_at_far,
    trials_between,
)

SCORES = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=60)


def test_a_constant_predictor_knows_nothing() -> None:
    assert eer([1.0] * 30, [1.0] * 70) == pytest.approx(0.5)
    assert frr_at_far([1.0] * 30, [1.0] * 70, 0.01) == 1.0
    assert min_dcf([1.0] * 30, [1.0] * 70) == pytest.approx(1.0)


def test_a_shuffled_predictor_is_at_chance() -> None:
    scores = np.random.default_rng(0).standard_normal(20_000)
    assert eer(scores[:10_000], scores[10_000:]) == pytest.approx(0.5, abs=0.02)
    assert frr_at_far(scores[:10_000], scores[10_000:], 0.01) == pytest.approx(0.99, abs=0.01)


def test_a_perfect_predictor_makes_no_error_and_a_reversed_one_every() -> None:
    assert eer([2.0, 3.0], [0.0, 1.0]) == 0.0
    assert eer([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert min_dcf([2.0, 3.0], [0.0, 1.0]) == 0.0


def test_hand_made_tables() -> None:
    targets, nontargets = [1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 2.5, -1.0]
    assert far_at(nontargets, 2.5) == 0.25
    assert frr_at(targets, 2.5) == 0.5
    assert eer(targets, nontargets) == pytest.approx(0.25)
    assert frr_at_far(targets, nontargets, 0.0) == 0.5


@given(SCORES, st.floats(0, 1))
def test_the_threshold_for_a_far_keeps_it(nontargets: list[float], far: float) -> None:
    assert far_at(nontargets, threshold_at_far(nontargets, far)) <= far + 1e-9


@given(SCORES, SCORES)
def test_only_the_order_of_scores_matters(targets: list[float], nontargets: list[float]) -> None:
    changed = [np.exp(np.asarray(each) / 10) for each in (targets, nontargets)]
    assert eer(targets, nontargets) == pytest.approx(eer(*changed))
    assert 0.0 <= eer(targets, nontargets) <= 1.0


@pytest.mark.parametrize("bad", [[], [float("nan")]])
def test_nothing_to_measure_is_an_error(bad: list[float]) -> None:
    with pytest.raises(DataError):
        eer(bad, [1.0])


@pytest.mark.parametrize(
    ("errors", "trials", "bound"), [(0, 10, 0.2589), (0, 300, 0.00994), (1, 20, 0.2161), (5, 5, 1.0)]
)
def test_the_exact_bound_matches_known_values(errors: int, trials: int, bound: float) -> None:
    assert clopper_pearson_upper(errors, trials) == pytest.approx(bound, abs=2e-4)


def test_the_bootstrap_draws_people_not_clips() -> None:
    rng = np.random.default_rng(1)
    nontargets = {str(name): np.zeros(200) for name in range(10)}
    alike = {str(name): np.repeat([1.0, -1.0], 100) for name in range(10)}
    unlike = {str(name): np.full(200, 1.0 if name < 5 else -1.0) for name in range(10)}
    narrow = bootstrap_by_speaker(alike, nontargets, lambda t, n: frr_at(t, 0.5), rng=rng, draws=200)
    wide = bootstrap_by_speaker(unlike, nontargets, lambda t, n: frr_at(t, 0.5), rng=rng, draws=200)
    assert narrow == (0.5, 0.5)
    assert wide[1] - wide[0] > 0.3


def test_trials_between_speakers_never_try_an_enrolled_clip() -> None:
    embeddings = np.eye(6, dtype=np.float32)
    targets, nontargets = trials_between(embeddings, ["a", "a", "a", "b", "b", "b"], enrolled=2)
    assert {name: len(each) for name, each in targets.items()} == {"a": 1, "b": 1}
    assert max(targets["a"].max(), nontargets["a"].max()) == 0.0
