"""The decision, step by step."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.verdict.policy import PolicySpec, PolicyState, forget, judge, void, withhold
from device.verdict.tries import Tries, TryLimits
from device.verdict.values import Decision, Outcome, ResidentScore, Score

LIMITS = TryLimits(visits_at_once=2, wait_seconds=30.0)
SPEC = PolicySpec(open_llr=5.0, refuse_llr=-2.0, limits=LIMITS)


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


def test_a_gap_forgets_evidence_but_not_what_was_spent() -> None:
    state, _ = visit(4.0)
    assert judge(SPEC, forget(state), score(4.0), now_seconds=3.0)[1].outcome is Outcome.SAY_MORE
    spent = refused_visits(2, apart_seconds=5.0)
    assert judge(SPEC, forget(spent), score(9.0), now_seconds=8.0)[1].outcome is Outcome.LOCKED_OUT


def test_nothing_opens_during_the_cool_down() -> None:
    state, _ = visit(9.0)
    _, decision = judge(SPEC, state, score(9.0), now_seconds=4.9)
    assert decision.outcome is Outcome.COOLING_DOWN
    assert judge(SPEC, state, score(9.0), now_seconds=5.1)[1].opens


def refused_visits(count: int, *, apart_seconds: float = 40.0) -> PolicyState:
    state = PolicyState()
    for number in range(count):
        state, decision = judge(SPEC, state, score(-5.0), now_seconds=number * apart_seconds)
        assert decision.outcome is Outcome.REFUSE
    return state


def test_who_talks_on_after_a_refusal_begins_another_visit_and_pays_for_it() -> None:
    state, told = visit(-5.0, -5.0, -5.0)
    assert [each.outcome for each in told] == [Outcome.REFUSE, Outcome.REFUSE, Outcome.LOCKED_OUT]
    assert state.tries.failures == pytest.approx(2.0, abs=0.01)


def test_the_wait_ends_by_itself_and_is_not_made_longer_by_asking() -> None:
    state, _ = visit(*[-5.0] * 10)
    assert not judge(SPEC, state, score(9.0), now_seconds=29.9)[1].opens
    assert judge(SPEC, state, score(9.0), now_seconds=30.1)[1].opens


def test_one_who_is_asked_to_say_more_and_falls_silent_has_paid_for_a_visit() -> None:
    state, _ = visit(1.0)
    state, _ = judge(SPEC, state, score(1.0), now_seconds=20.0)
    assert judge(SPEC, state, score(9.0), now_seconds=29.0)[1].outcome is Outcome.LOCKED_OUT


def test_the_clips_of_one_visit_cost_one_visit() -> None:
    state, told = visit(1.0, 1.0, 4.0)
    assert told[-1].opens
    assert state.tries.used == pytest.approx(1.0 - 6.0 / 30.0)


def test_a_lost_sound_within_a_visit_ends_it_and_the_next_one_costs_again() -> None:
    state, _ = visit(1.0)
    state, _ = judge(SPEC, forget(state), score(1.0), now_seconds=3.0)
    assert judge(SPEC, forget(state), score(1.0), now_seconds=6.0)[1].outcome is Outcome.LOCKED_OUT


def test_a_visit_whose_answer_comes_too_late_is_paid_for_and_proves_nothing() -> None:
    state = void(SPEC, PolicyState(), now_seconds=3.0)
    assert (state.tries.used, state.tries.failures, state.evidence) == (1.0, 1.0, ())


def failed(count: float) -> PolicyState:
    return PolicyState(tries=Tries(0.0, count, 0.0))


def test_after_five_failed_visits_it_takes_more_evidence_and_the_reason_says_so() -> None:
    assert judge(SPEC, failed(4.0), score(5.0), now_seconds=0.0)[1].opens
    state, decision = judge(SPEC, failed(5.0), score(7.9), now_seconds=0.0)
    assert (decision.outcome, decision.strict) == (Outcome.SAY_MORE, True)
    assert "raised after failed visits" in decision.reason
    assert judge(SPEC, state, score(0.2), now_seconds=3.0)[1].opens, "a resident's next sentence adds up"


def test_the_bar_of_a_visit_is_that_of_its_beginning() -> None:
    state, first = judge(SPEC, failed(4.0), score(1.0), now_seconds=0.0)
    _, second = judge(SPEC, state, score(4.0), now_seconds=3.0)
    assert (first.strict, second.strict, second.opens) == (False, False, True)


def test_an_opening_takes_back_its_own_visit_and_one_more_and_not_all() -> None:
    state, decision = judge(SPEC, failed(10.0), score(9.0), now_seconds=0.0)
    assert decision.opens
    assert state.tries.failures == pytest.approx(9.0)
    assert state.tries.used == 1.0, "the wait counts openings too"


def test_the_count_of_failures_ends_so_that_hours_later_the_bar_is_the_usual_one() -> None:
    state = failed(0.0)
    for number in range(200):
        state, _ = judge(SPEC, state, score(-5.0), now_seconds=60.0 * number)
    last = 60.0 * 199
    assert judge(SPEC, state, score(5.0), now_seconds=last + 3.9 * 3600.0)[1].strict
    assert not judge(SPEC, state, score(5.0), now_seconds=last + 4.0 * 3600.0 + 1.0)[1].strict


def test_fifteen_minutes_of_silence_forgive_less_than_one_failure() -> None:
    state = failed(4.0)
    state, _ = judge(SPEC, state, score(-5.0), now_seconds=900.0)
    assert state.tries.failures > 4.2


def withheld(outcome: Outcome) -> tuple[PolicyState, Decision]:
    before = refused_visits(1)
    _, decision = judge(SPEC, before, score(9.0), now_seconds=0.0)
    assert decision.opens
    return withhold(SPEC, before, decision, outcome=outcome, reason="no", now_seconds=0.0)


def test_a_replay_is_a_failed_visit() -> None:
    state, decision = withheld(Outcome.REPLAY)
    assert not decision.opens
    assert (state.tries.used, state.tries.failures) == (2.0, 2.0)


@pytest.mark.parametrize("outcome", [Outcome.SECOND_FACTOR_MISSING, Outcome.OUTSIDE_SCHEDULE])
def test_a_right_voice_without_its_further_condition_is_no_failure_but_a_visit(outcome: Outcome) -> None:
    state, decision = withheld(outcome)
    assert not decision.opens
    assert (state.tries.used, state.tries.failures, state.evidence) == (2.0, 1.0, ())
    assert state.cool_down_until_seconds < 0.0
    assert "sounds like Anna" in decision.reason


def test_while_somebody_records_sentences_nothing_is_paid_since_nothing_can_open() -> None:
    state, decision = withheld(Outcome.HELD)
    assert not decision.opens
    assert (state.tries.used, state.tries.failures) == (1.0, 1.0)


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
