"""The decision, step by step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.verdict.policy import PolicySpec, PolicyState, forget, judge
from device.verdict.values import Decision, Outcome, ResidentScore, Score

SPEC = PolicySpec(open_llr=5.0, refuse_llr=-2.0, refusals_before_lock_out=2, lock_out_seconds=30.0)


def score(anna: float, bruno: float = -9.0) -> Score:
    return Score((ResidentScore("Anna", anna, 0.0), ResidentScore("Bruno", bruno, 0.0)), 1.0)


def visit(*each: float, start: float = 0.0, state: PolicyState | None = None) -> tuple[PolicyState, list[Decision]]:
    state, told = state or PolicyState(), []
    for count, llr in enumerate(each):
        state, decision = judge(SPEC, state, score(llr), now_seconds=start + 3.0 * count)
        told.append(decision)
    return state, told


def test_enough_evidence_opens() -> None:
    (decision,) = visit(5.0)[1]
    assert decision.outcome is Outcome.OPEN
    assert decision.resident == "Anna"


def test_evidence_of_several_clips_adds_up_per_resident() -> None:
    assert [each.outcome for each in visit(3.0, 2.5)[1]] == [Outcome.SAY_MORE, Outcome.OPEN]
    state, _ = judge(SPEC, PolicyState(), score(4.0, -9.0), now_seconds=0.0)
    _, decision = judge(SPEC, state, score(-9.0, 4.0), now_seconds=3.0)
    assert not decision.opens


def test_low_evidence_refuses_at_once() -> None:
    assert visit(-2.0)[1][0].outcome is Outcome.REFUSE


def test_the_last_clip_must_decide() -> None:
    assert [each.outcome for each in visit(1.0, 1.0, 1.0)[1]][-1] is Outcome.REFUSE


def test_evidence_expires() -> None:
    state, _ = visit(4.0)
    _, decision = judge(SPEC, state, score(4.0), now_seconds=100.0)
    assert decision.outcome is Outcome.SAY_MORE


def test_a_gap_forgets_evidence_but_not_a_lock_out() -> None:
    state, _ = visit(4.0)
    assert judge(SPEC, forget(state), score(4.0), now_seconds=3.0)[1].outcome is Outcome.SAY_MORE
    locked, _ = visit(-5.0, -5.0)
    assert judge(SPEC, forget(locked), score(9.0), now_seconds=6.0)[1].outcome is Outcome.LOCKED_OUT


def test_nothing_opens_during_the_cool_down() -> None:
    state, _ = visit(9.0)
    _, decision = judge(SPEC, state, score(9.0), now_seconds=4.9)
    assert decision.outcome is Outcome.COOLING_DOWN
    assert judge(SPEC, state, score(9.0), now_seconds=5.1)[1].opens


def test_a_lock_out_grows_with_each_further_refusal() -> None:
    state, _ = visit(-5.0, -5.0)
    assert state.locked_until_seconds == pytest.approx(33.0)
    state, _ = judge(SPEC, state, score(-5.0), now_seconds=40.0)
    assert state.locked_until_seconds == pytest.approx(100.0)


def test_a_lock_out_ends_and_an_opening_forgives() -> None:
    state, _ = visit(-5.0, -5.0)
    state, decision = judge(SPEC, state, score(9.0), now_seconds=34.0)
    assert decision.opens
    assert state.refusals == 0


def test_time_running_backwards_voids_evidence() -> None:
    state, _ = visit(4.0, start=50.0)
    assert not judge(SPEC, state, score(4.0), now_seconds=10.0)[1].opens


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
def test_no_sequence_opens_without_a_finite_sum_above_the_threshold(llrs: list[float]) -> None:
    state = PolicyState()
    for count, llr in enumerate(llrs):
        state, decision = judge(SPEC, state, score(llr), now_seconds=3.0 * count)
        if decision.opens:
            assert math.isfinite(decision.evidence)
            assert decision.evidence >= SPEC.open_llr


@given(st.lists(st.floats(-20, 1.6), min_size=1, max_size=60))
def test_clips_that_can_never_reach_the_threshold_never_open(llrs: list[float]) -> None:
    assert not any(each.opens for each in visit(*llrs)[1])


def test_a_refuse_band_above_the_open_threshold_is_refused() -> None:
    with pytest.raises(ConfigError, match="contradict"):
        PolicySpec(open_llr=1.0, refuse_llr=2.0)
