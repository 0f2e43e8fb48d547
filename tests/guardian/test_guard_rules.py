"""The guardian's rules on a clock of the test's own."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.guardian import guard as rules
from device.guardian.errors import SettingsError
from device.guardian.guard import Guard, Limits

LIMITS = Limits(max_on_seconds=5.0, min_gap_seconds=2.0, heartbeat_seconds=1.0)


def free() -> Guard:
    """A guardian that started at 0 and whose first gap is over at 2."""
    return rules.started(LIMITS, now_seconds=0.0)


def on_at(now: float, *, seconds: float = 3.0) -> Guard:
    guard, reason = rules.pulse(LIMITS, free(), seconds=seconds, now_seconds=now)
    assert reason == ""
    return guard


def test_it_starts_off_and_waits_a_gap() -> None:
    assert not free().is_on
    assert rules.pulse(LIMITS, free(), seconds=1.0, now_seconds=1.9) == (free(), "too-soon")
    assert on_at(2.0).is_on


def test_a_pulse_ends_with_its_time_while_the_daemon_lives() -> None:
    guard = on_at(10.0)
    for tenth in range(30):
        now = 10.0 + tenth / 10
        guard = rules.alive(LIMITS, guard, now_seconds=now)
        assert rules.due(LIMITS, guard, now_seconds=now) == (guard, "")
    ended, reason = rules.due(LIMITS, guard, now_seconds=13.0)
    assert (ended.is_on, reason) == (False, "time")


def test_silence_ends_a_pulse() -> None:
    assert rules.due(LIMITS, on_at(10.0), now_seconds=10.999)[1] == ""
    ended, reason = rules.due(LIMITS, on_at(10.0), now_seconds=11.0)
    assert (ended.is_on, reason) == (False, "silence")


def test_a_sign_of_life_that_comes_too_late_revives_nothing() -> None:
    late = rules.alive(LIMITS, on_at(10.0), now_seconds=11.5)
    assert rules.due(LIMITS, late, now_seconds=11.5)[1] == "silence"


def test_signs_of_life_do_not_lengthen_a_pulse() -> None:
    guard = rules.alive(LIMITS, on_at(10.0), now_seconds=10.5)
    assert guard.off_at_seconds == 13.0


def test_a_sign_of_life_while_off_switches_nothing_on() -> None:
    assert rules.alive(LIMITS, free(), now_seconds=50.0) == free()


def test_a_second_pulse_while_on_is_refused_and_changes_nothing() -> None:
    guard = on_at(10.0)
    assert rules.pulse(LIMITS, guard, seconds=5.0, now_seconds=10.5) == (guard, "busy")


def test_after_a_pulse_comes_a_gap() -> None:
    ended = rules.off(LIMITS, on_at(10.0), now_seconds=11.0)
    assert rules.pulse(LIMITS, ended, seconds=1.0, now_seconds=12.9)[1] == "too-soon"
    assert rules.pulse(LIMITS, ended, seconds=1.0, now_seconds=13.0)[0].is_on


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(5.001, "too-long"), (math.inf, "too-long"), (0.0, "no-time"), (-1.0, "no-time"), (math.nan, "no-time")],
)
def test_a_time_out_of_range_is_refused_not_shortened(seconds: float, reason: str) -> None:
    guard, said = rules.pulse(LIMITS, free(), seconds=seconds, now_seconds=10.0)
    assert (guard.is_on, said) == (False, reason)


@pytest.mark.parametrize("now", [9.9, -math.inf, math.nan, math.inf])
def test_a_clock_that_is_wrong_ends_a_pulse(now: float) -> None:
    assert not rules.due(LIMITS, on_at(10.0), now_seconds=now)[0].is_on


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_clock_that_is_wrong_begins_no_pulse(now: float) -> None:
    assert not rules.pulse(LIMITS, free(), seconds=1.0, now_seconds=now)[0].is_on


def test_a_pin_that_does_not_follow_is_a_fault_for_good() -> None:
    dead = rules.read_back(LIMITS, on_at(10.0), is_on=False, now_seconds=10.0)
    assert (dead.is_on, dead.fault) == (False, "does-not-switch-on")
    assert rules.pulse(LIMITS, dead, seconds=1.0, now_seconds=99.0) == (dead, "fault")
    stuck = rules.read_back(LIMITS, free(), is_on=True, now_seconds=10.0)
    assert (stuck.is_on, stuck.fault) == (False, "on-unasked")
    assert rules.read_back(LIMITS, free(), is_on=False, now_seconds=10.0) == free()


@pytest.mark.parametrize(
    "change", [{"max_on_seconds": 31.0}, {"min_gap_seconds": -1.0}, {"heartbeat_seconds": math.nan}]
)
def test_limits_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change))):
        Limits(**change)


steps = st.tuples(
    st.sampled_from(["pulse", "alive", "off", "due", "stuck", "dead"]),
    st.floats(0.0, 3.0),
    st.one_of(st.floats(0.0, 8.0), st.just(math.inf), st.just(math.nan)),
)


@settings(deadline=None)
@given(
    limits=st.builds(Limits, max_on_seconds=st.floats(0.2, 6.0), min_gap_seconds=st.floats(0.0, 4.0),
                     heartbeat_seconds=st.floats(0.1, 3.0)),
    schedule=st.lists(steps, max_size=60),
)  # fmt: skip
def test_whatever_comes_in_whatever_order_the_relay_is_on_only_as_asked_and_as_allowed(
    limits: Limits, schedule: list[tuple[str, float, float]]
) -> None:
    """The server looks at the clock before each request; so does this."""
    now, guard = 0.0, rules.started(limits, now_seconds=0.0)
    asked_seconds = beat_seconds = on_since = off_since = 0.0
    for kind, later, seconds in schedule:
        now += later
        was_on = guard.is_on
        guard, _ = rules.due(limits, guard, now_seconds=now)
        if was_on:
            over = not now - on_since < min(asked_seconds, limits.max_on_seconds) - 1e-9
            silent = not now - beat_seconds < limits.heartbeat_seconds - 1e-9
            assert not ((over or silent) and guard.is_on), "on for longer than asked, allowed or alive"
        if was_on and not guard.is_on:
            off_since = now
        before = guard
        match kind:
            case "pulse":
                guard, reason = rules.pulse(limits, guard, seconds=seconds, now_seconds=now)
                assert (reason == "") == (guard.is_on and not before.is_on)
                if guard.is_on and not before.is_on:
                    assert 0 < seconds <= limits.max_on_seconds
                    assert now - off_since >= limits.min_gap_seconds - 1e-9
                    assert not before.fault
                    asked_seconds, on_since, beat_seconds = seconds, now, now
            case "alive":
                guard = rules.alive(limits, guard, now_seconds=now)
                beat_seconds = now
            case "off":
                guard = rules.off(limits, guard, now_seconds=now)
                assert not guard.is_on
            case "stuck":
                guard = rules.read_back(limits, guard, is_on=True, now_seconds=now)
            case "dead":
                guard = rules.read_back(limits, guard, is_on=False, now_seconds=now)
                assert not guard.is_on
        if before.is_on and not guard.is_on:
            off_since = now
        assert guard.is_on <= (before.is_on or kind == "pulse"), "on without a request"
        assert not (guard.fault and guard.is_on)
        assert not before.fault or guard.fault, "a fault is for good"
