"""Error rates, on predictors whose rates are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import DataError
from training.metrics import (
    bootstrap_by_speaker,
    clopper_pearson_upper,
    eer,
    far_at,
    frr_at,
    frr_at_far,
    log_likelihood_ratio_cost,
    min_dcf,
    roc,
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


@settings(deadline=None)
@given(SCORES, st.floats(0, 1))
def test_the_threshold_for_a_far_keeps_it(nontargets: list[float], far: float) -> None:
    assert far_at(nontargets, threshold_at_far(nontargets, far)) <= far + 1e-9


@settings(deadline=None)
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


def test_scores_tied_between_the_sides_are_accepted_together() -> None:
    # All four thresholds by hand: at 1 both sides pass whole; above 1 half of each; above 2 none.
    far, frr = roc([1.0, 2.0], [1.0, 2.0])
    assert far.tolist() == [1.0, 0.5, 0.0]
    assert frr.tolist() == [0.0, 0.5, 1.0]
    assert threshold_at_far([1.0, 2.0, 2.0, 2.0], 0.5) > 2.0


@settings(deadline=None)
@given(SCORES, SCORES)
def test_false_accepts_fall_and_false_refusals_rise_with_the_threshold(
    targets: list[float], nontargets: list[float]
) -> None:
    far, frr = roc(targets, nontargets)
    assert (far[0], frr[0], far[-1], frr[-1]) == (1.0, 0.0, 0.0, 1.0)
    assert (np.diff(far) <= 0).all()
    assert (np.diff(frr) >= 0).all()


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_detection_cost_never_exceeds_that_of_a_constant_answer(
    targets: list[float], nontargets: list[float]
) -> None:
    assert 0.0 <= min_dcf(targets, nontargets) <= 1.0 + 1e-9


def test_the_detection_cost_of_a_table_made_by_hand() -> None:
    # Refusing the one resident at 0 and accepting nobody else: 0.01 x 0.25; divided by 0.01.
    assert min_dcf([0.0, 2.0, 3.0, 4.0], [-1.0, 1.0]) == pytest.approx(0.25)


def test_cllr_is_one_for_no_idea_small_for_good_ratios_and_above_one_for_misleading_ones() -> None:
    assert log_likelihood_ratio_cost([0.0] * 3, [0.0] * 5) == pytest.approx(1.0)
    assert log_likelihood_ratio_cost([20.0], [-20.0]) < 1e-6
    assert log_likelihood_ratio_cost([-5.0], [5.0]) > 5.0
    assert log_likelihood_ratio_cost([np.log(3.0)], [-np.log(3.0)]) == pytest.approx(np.log2(4.0 / 3.0))


def test_true_likelihood_ratios_cost_less_than_the_same_ones_scaled() -> None:
    rng = np.random.default_rng(5)
    targets, nontargets = rng.normal(2, 2, 20_000), rng.normal(-2, 2, 20_000)
    costs = [log_likelihood_ratio_cost(targets * scale, nontargets * scale) for scale in (0.4, 1.0, 2.5)]
    assert costs[1] == min(costs)


@pytest.mark.parametrize("bad", [[], [float("nan")], [float("inf")]])
def test_no_measure_accepts_nothing_or_what_is_not_finite(bad: list[float]) -> None:
    measures = (eer, min_dcf, log_likelihood_ratio_cost, roc, lambda t, n: frr_at_far(t, n, 0.1))
    for measure in measures:
        for targets, nontargets in ((bad, [1.0]), ([1.0], bad)):
            with pytest.raises(DataError):
                measure(targets, nontargets)


def test_shares_and_counts_out_of_range_are_refused() -> None:
    with pytest.raises(DataError):
        threshold_at_far([1.0], 1.5)
    with pytest.raises(DataError):
        min_dcf([1.0], [0.0], p_target=-0.1)
    for errors, trials in ((1, 0), (3, 2), (-1, 5)):
        with pytest.raises(DataError):
            clopper_pearson_upper(errors, trials)
    with pytest.raises(DataError):
        bootstrap_by_speaker({}, {"a": np.ones(2)}, eer, rng=np.random.default_rng(0))


@settings(deadline=None)
@given(st.integers(1, 400), st.data())
def test_the_bound_holds_the_rate_and_grows_with_errors(trials: int, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, trials - 1))
    bound = clopper_pearson_upper(errors, trials)
    assert errors / trials < bound <= 1.0
    assert clopper_pearson_upper(errors + 1, trials) > bound


def test_no_error_in_n_trials_gives_the_rule_of_three() -> None:
    assert clopper_pearson_upper(0, 1000) == pytest.approx(3.0 / 1000, rel=0.01)


def test_the_bootstrap_repeats_for_a_seed_and_varies_strangers_too() -> None:
    targets = {str(name): np.ones(5) for name in range(5)}
    nontargets = {str(name): np.full(50, 2.0 if name == 0 else 0.0) for name in range(10)}

    def interval(seed: int) -> tuple[float, float]:
        rng = np.random.default_rng(seed)
        return bootstrap_by_speaker(targets, nontargets, lambda _, n: far_at(n, 1.0), rng=rng, draws=300)

    assert interval(1) == interval(1)
    low, high = interval(1)
    assert low == 0.0
    assert 0.2 <= high <= 0.5
