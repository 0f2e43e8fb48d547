"""The decision, step by step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.verdict.policy import PolicySpec, PolicyState, forget, judge, withhold
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
    locked = refused_visits(2)
    assert judge(SPEC, forget(locked), score(9.0), now_seconds=26.0)[1].outcome is Outcome.LOCKED_OUT


def test_nothing_opens_during_the_cool_down() -> None:
    state, _ = visit(9.0)
    _, decision = judge(SPEC, state, score(9.0), now_seconds=4.9)
    assert decision.outcome is Outcome.COOLING_DOWN
    assert judge(SPEC, state, score(9.0), now_seconds=5.1)[1].opens


def refused_visits(count: int, *, apart_seconds: float = 20.0) -> PolicyState:
    state = PolicyState()
    for number in range(count):
        state, _ = judge(SPEC, state, score(-5.0), now_seconds=number * apart_seconds)
    return state


def test_a_lock_out_grows_with_each_further_refused_visit() -> None:
    state = refused_visits(2)
    assert state.locked_until_seconds == pytest.approx(50.0)
    state, _ = judge(SPEC, state, score(-5.0), now_seconds=60.0)
    assert state.locked_until_seconds == pytest.approx(120.0)


def test_a_lock_out_ends_and_an_opening_forgives() -> None:
    state, decision = judge(SPEC, refused_visits(2), score(9.0), now_seconds=51.0)
    assert decision.opens
    assert state.refusals == 0


def test_time_forgives_too() -> None:
    state, _ = judge(SPEC, refused_visits(1), score(-5.0), now_seconds=2000.0)
    assert state.refusals == 1


def test_a_talkative_stranger_is_one_refusal_and_residents_are_not_locked_out() -> None:
    state, told = visit(*[-5.0] * 8)
    assert {each.outcome for each in told} == {Outcome.REFUSE}
    assert state.refusals == 1
    assert judge(SPEC, state, score(9.0), now_seconds=40.0)[1].opens


def test_five_refused_visits_lock_the_shipped_door_for_half_a_minute() -> None:
    spec, state = PolicySpec(open_llr=5.0, refuse_llr=-2.0), PolicyState()
    for number in range(5):
        state, _ = judge(spec, state, score(-5.0), now_seconds=20.0 * number)
        assert (state.locked_until_seconds > 20.0 * number) == (number == 4)
    assert state.locked_until_seconds == pytest.approx(110.0)


def test_who_never_falls_silent_is_counted_anew_every_half_minute() -> None:
    state, told = visit(*[-5.0] * 13)
    assert state.refusals == 2
    assert told[-1].outcome is Outcome.LOCKED_OUT


def test_a_gap_does_not_end_a_visit() -> None:
    state, _ = visit(-5.0)
    state, _ = judge(SPEC, forget(state), score(-5.0), now_seconds=3.0)
    assert state.refusals == 1


def withheld(outcome: Outcome) -> tuple[PolicyState, Decision]:
    before = refused_visits(1)
    _, decision = judge(SPEC, before, score(9.0), now_seconds=20.0)
    assert decision.opens
    return withhold(SPEC, before, decision, outcome=outcome, reason="no", now_seconds=20.0)


def test_a_replay_counts_as_a_refused_visit() -> None:
    state, decision = withheld(Outcome.REPLAY)
    assert not decision.opens
    assert (state.refusals, state.locked_until_seconds) == (2, pytest.approx(50.0))


@pytest.mark.parametrize("outcome", [Outcome.SECOND_FACTOR_MISSING, Outcome.OUTSIDE_SCHEDULE])
def test_a_right_voice_without_its_further_condition_is_neither_punished_nor_forgiven(outcome: Outcome) -> None:
    state, decision = withheld(outcome)
    assert not decision.opens
    assert (state.refusals, state.evidence) == (1, ())
    assert state.cool_down_until_seconds < 20.0
    assert "sounds like Anna" in decision.reason


@given(st.lists(st.tuples(st.floats(0.02, 40.0), st.sampled_from([-5.0, 0.0, 9.0])), min_size=1, max_size=80))
def test_nothing_opens_before_a_lock_out_has_ended(steps: list[tuple[float, float]]) -> None:
    state, now = PolicyState(), 0.0
    for pause, llr in steps:
        now += pause
        locked_until = state.locked_until_seconds
        state, decision = judge(SPEC, state, score(llr), now_seconds=now)
        assert not (decision.opens and now < locked_until)


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
