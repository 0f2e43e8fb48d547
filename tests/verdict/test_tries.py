"""How often anybody is judged, whatever they do, and how soon a resident gets in all the same."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import ConfigError
from device.verdict.policy import PolicySpec, PolicyState, forget, judge, standing, void, withhold
from device.verdict.tries import Tries, TryLimits, charged, eased, is_strict, spent, wait_left_seconds
from device.verdict.values import Outcome, ResidentScore, Score
from training.door_tries import (
    DAY_SECONDS,
    HOUR_SECONDS,
    PATTERNS,
    is_new_visit,
    judged_visits,
    most_within,
    seconds_until_open,
    talking_on,
)

SPEC = PolicySpec(open_llr=5.0, refuse_llr=-2.0)
LIMITS = SPEC.limits


def score(llr: float) -> Score:
    return Score((ResidentScore("Anna", llr, 0.0),), 1.0)


def test_the_shipped_door_states_its_numbers() -> None:
    assert LIMITS.most_judged(HOUR_SECONDS) == 86
    assert LIMITS.most_judged(DAY_SECONDS) == 1926
    assert LIMITS.most_usual(DAY_SECONDS) == 77
    assert LIMITS.wait_seconds == 45.0


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("llr", [-5.0, 1.0], ids=["refused", "asked to say more"])
def test_a_stranger_who_tries_all_day_is_judged_no_more_often_than_stated(pattern: str, llr: float) -> None:
    held = judged_visits(SPEC, PATTERNS[pattern](), until_seconds=DAY_SECONDS, llr=llr)
    assert most_within([each.at_seconds for each in held], HOUR_SECONDS) <= LIMITS.most_judged(HOUR_SECONDS)
    assert len(held) <= LIMITS.most_judged(DAY_SECONDS)
    assert sum(not each.strict for each in held) <= LIMITS.most_usual(DAY_SECONDS)


@pytest.mark.parametrize("pause_seconds", [3.0, 9.0, 20.0, 26.8, 44.0, 46.0, 180.0, 225.0, 900.0, 1200.0])
def test_no_rhythm_of_pauses_gets_more(pause_seconds: float) -> None:
    clips = (pause_seconds * number for number in range(1, 1_000_000))
    held = judged_visits(SPEC, clips, until_seconds=DAY_SECONDS, llr=-5.0)
    assert most_within([each.at_seconds for each in held], HOUR_SECONDS) <= LIMITS.most_judged(HOUR_SECONDS)
    assert sum(not each.strict for each in held) <= LIMITS.most_usual(DAY_SECONDS)


def test_four_refusals_and_a_quarter_of_an_hour_of_silence_bring_the_higher_bar() -> None:
    state, strict = PolicyState(), []
    for quarter in range(8):
        for number in range(4):
            state, decision = judge(SPEC, state, score(-5.0), now_seconds=900.0 * quarter + 10.0 * number)
            strict.append(decision.strict)
    assert strict[:5] == [False] * 5
    assert sum(not each for each in strict) <= LIMITS.most_usual(8 * 900.0)


def test_the_bar_does_not_come_down_while_somebody_goes_on_failing() -> None:
    held = judged_visits(SPEC, talking_on(), until_seconds=DAY_SECONDS, llr=-5.0)
    assert [each.strict for each in held[:6]] == [False] * 5 + [True]
    assert all(each.strict for each in held[6:])


@pytest.mark.parametrize("llr", [20.0, 4.5, 3.0], ids=["one clip", "two clips", "three clips"])
@pytest.mark.parametrize("refusals", [1, 5, 6, 100])
def test_a_resident_who_was_refused_gets_in_within_a_minute(llr: float, refusals: int) -> None:
    state, now = PolicyState(), 0.0
    for number in range(refusals):
        now = 3.0 * number
        state, _ = judge(SPEC, state, score(-5.0), now_seconds=now)
    wait = seconds_until_open(SPEC, state, llr=llr, from_seconds=now)
    assert wait is not None
    assert wait <= 60.0


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("llr", [20.0, 4.5, 3.0], ids=["one clip", "two clips", "three clips"])
def test_a_resident_right_after_a_stranger_gets_in_within_a_minute_at_any_moment(pattern: str, llr: float) -> None:
    state = PolicyState()
    for at_seconds in PATTERNS[pattern]():
        if at_seconds > 2 * HOUR_SECONDS:
            break
        state, _ = judge(SPEC, state, score(-5.0), now_seconds=at_seconds)
        for late_seconds in (0.0, 1.0, 2.9):
            wait = seconds_until_open(SPEC, state, llr=llr, from_seconds=at_seconds + late_seconds)
            assert wait is not None
            assert wait <= 60.0


def test_a_resident_who_says_a_sentence_now_and_then_gets_in_within_a_minute_too() -> None:
    state = PolicyState(tries=spent(LIMITS, now_seconds=0.0))
    for number in range(1, 8):
        state, decision = judge(SPEC, state, score(9.0), now_seconds=8.0 * number)
        if decision.opens:
            break
    assert decision.opens
    assert 8.0 * number <= 60.0


STEPS = st.one_of(
    st.tuples(st.just("clip"), st.sampled_from([-5.0, 0.5, 3.0, 9.0, math.nan, math.inf])),
    st.tuples(st.just("pause"), st.sampled_from([0.5, 3.0, 8.1, 14.9, 45.0, 270.0, 1200.0])),
    st.tuples(st.sampled_from(["gap", "reload", "replay", "no button", "too late"]), st.just(0.0)),
    st.tuples(st.just("clock back"), st.sampled_from([1.0, 30.0])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, min_size=20, max_size=200))
def test_whatever_is_tried_the_stated_number_is_never_exceeded(steps: list[tuple[str, float]]) -> None:
    """The number is that of any stretch: over these minutes, with residents let in between, with every way out of a
    visit that there is. A clock that runs back does not help either."""
    limits = TryLimits(visits_at_once=3, wait_seconds=45.0, failures_before_strict=3)
    spec = PolicySpec(open_llr=5.0, refuse_llr=-2.0, limits=limits)
    state, now, truth, openings = PolicyState(), 0.0, 0.0, 0
    judged: list[float] = []
    usual: list[float] = []
    for kind, value in steps:
        if kind == "pause":
            now, truth = now + value, truth + value
            continue
        if kind == "clock back":
            now -= value
            continue
        if kind in ("gap", "reload"):
            state = forget(state)
            continue
        now, truth, before = now + 3.0, truth + 3.0, state
        state, decision = judge(spec, before, score(value), now_seconds=now)
        if is_new_visit(decision):
            judged.append(truth)
            if not decision.strict:
                usual.append(truth)
        openings += decision.opens
        if decision.outcome in (Outcome.OPEN, Outcome.SAY_MORE, Outcome.REFUSE):
            if kind == "replay":
                state, _ = withhold(spec, before, decision, outcome=Outcome.REPLAY, reason="", now_seconds=now)
            if kind == "no button" and decision.opens:
                state, _ = withhold(spec, before, decision, outcome=Outcome.SECOND_FACTOR_MISSING, reason="",
                                    now_seconds=now)  # fmt: skip
            if kind == "too late":
                state = void(spec, before, now_seconds=now)
        # A clock that ran back may keep a cool-down, but nobody waits longer than stated.
        assert standing(spec, state, now_seconds=now).wait_seconds <= limits.wait_seconds + 1e-6
    for seconds in (60.0, 300.0, HOUR_SECONDS):
        assert most_within(judged, seconds) <= limits.most_judged(seconds)
        assert most_within(usual, seconds) <= limits.most_usual(seconds, openings=openings)


def test_a_clock_that_is_no_number_or_ran_back_forgives_nothing() -> None:
    tries = Tries(2.0, 5.0, 100.0)
    for odd in (math.nan, -math.inf, 50.0, 100.0):
        later = eased(LIMITS, tries, now_seconds=odd)
        assert (later.used, later.failures) == (2.0, 5.0)
    assert eased(LIMITS, Tries(2.0, 5.0), now_seconds=1e9).failures == 5.0


def test_lower_limits_after_a_reload_make_nobody_wait_longer_than_they_say() -> None:
    tries = charged(TryLimits(visits_at_once=20), Tries(19.0, 30.0, 0.0))
    fewer = TryLimits(visits_at_once=3)
    now = eased(fewer, tries, now_seconds=0.0)
    assert wait_left_seconds(fewer, now) == 45.0
    assert is_strict(fewer, now)


@pytest.mark.parametrize("wrong", [{"visits_at_once": 0}, {"wait_seconds": 0.0}, {"wait_seconds": math.nan},
                                   {"failures_before_strict": 0}, {"strict_llr_margin": -1.0},
                                   {"minutes_a_failure": math.inf}])  # fmt: skip
def test_limits_that_limit_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="limit nothing"):
        TryLimits(**wrong)  # type: ignore[arg-type]
