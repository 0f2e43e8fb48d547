"""What else an opening depends on: no recording, the button, the hour. Whatever objects, the relay does not move."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from device.errors import ConfigError
from device.replay.guard import ReplayDetector
from device.replay.memory import ReplayMemory
from device.service.replay import ReplayGuard
from device.service.schedule import Schedule, ScheduleConfig, check_people
from device.service.second_factor import SecondFactor
from device.simulated.button import SimulatedButton
from device.simulated.clock import ManualClock
from device.sound.pcm import SAMPLE_RATE_HZ, Clip, Samples
from device.verdict.guards import Finding
from device.verdict.policy import PolicySpec
from device.verdict.values import Decision, Outcome
from tests.doubles import Bench, ScriptedScorer, loud, quiet
from tests.replay.test_prints import noisy, voice


def spoken(seed: int, seconds: float = 3.2) -> Samples:
    # Never below what the benches' detector calls speech.
    return voice(seed, seconds=seconds) + np.where(np.arange(round(seconds * SAMPLE_RATE_HZ)) % 2, 300, -300).astype(
        np.int16
    )


def guarded(bench: Bench) -> Bench:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=3600.0, most_utterances=50))
    bench.door.guards = (ReplayGuard(detector, bench.clock),)
    return bench


def test_what_opened_the_door_once_does_not_open_it_again_when_it_is_played() -> None:
    played = noisy(spoken(1), 20.0)
    bench = guarded(Bench([spoken(1), quiet(15), played, quiet(15)], [9.0, 9.0])).hear()
    assert bench.outcomes == ["open", "replay"]
    assert sum(on for _, on in bench.relay.history) == 1
    (event,) = bench.events.of("replay")
    assert event.details["resident"] == "Anna"
    assert "recording" in str(event.details["reason"])


def test_a_resident_who_says_something_else_comes_in_again() -> None:
    bench = guarded(Bench([spoken(1), quiet(15), spoken(2), quiet(15)], [9.0, 9.0])).hear()
    assert bench.outcomes == ["open", "open"]
    assert bench.events.of("replay") == []


def test_a_recording_of_a_refused_voice_is_a_replay_too() -> None:
    bench = guarded(Bench([spoken(1), quiet(15), spoken(1), quiet(15)], [-5.0, 9.0])).hear()
    assert bench.outcomes == ["refuse", "replay"]
    assert bench.relay.history == []


def test_what_is_said_after_an_opening_is_remembered_although_it_is_not_judged() -> None:
    script = [9.0, 9.0, 9.0]
    bench = guarded(Bench([spoken(1), quiet(1), spoken(2), quiet(15), spoken(2), quiet(15)], script)).hear()
    assert bench.outcomes == ["open", "cooling_down", "replay"]
    assert bench.events.of("replay")[0].at_seconds > 20.0


def test_replays_cost_visits_like_refusals_and_are_failures() -> None:
    segments = [spoken(1), *[quiet(6), spoken(1)] * 7, quiet(15)]
    bench = guarded(Bench(segments, [9.0] * 8)).hear()
    assert bench.outcomes == ["open", *["replay"] * 6, "locked_out"]
    last = bench.events.of("decision")[-1].details
    assert 0.0 < float(str(last["locked_seconds"])) <= 45.0
    assert (last["failed_visits"], last["strict"]) == (6.0, True)
    assert float(str(last["strict_seconds"])) > 1000.0


def test_a_replayed_clip_spoils_the_evidence_of_its_visit() -> None:
    # Half of the evidence from a recording, half from the air: nothing adds up.
    bench = guarded(Bench([spoken(1, 3.1), quiet(15), spoken(1, 3.1), quiet(1), spoken(2, 3.1), quiet(5)],
                          [9.0, 3.0, 3.0])).hear()  # fmt: skip
    assert bench.outcomes == ["open", "replay", "say_more"]


def test_a_decision_says_what_the_guards_found_and_what_serves() -> None:
    bench = guarded(Bench([spoken(1), quiet(5)], [9.0]))
    bench.door.serves = {"bundle": "home", "bundle_digest": "ab"}
    (event,) = bench.hear().events.of("decision")
    assert event.details["replay_likeness"] == 0.0
    assert (event.details["bundle"], event.details["bundle_digest"]) == ("home", "ab")
    assert event.details["failed_visits"] == 0


def with_button(bench: Bench) -> SimulatedButton:
    button = SimulatedButton(bench.clock)
    bench.door.guards = (SecondFactor(button=button, clock=bench.clock, within_seconds=10.0),)
    return button


def test_without_the_button_an_accepted_voice_is_told_and_stays_outside() -> None:
    bench = Bench([loud(3.2), quiet(5)], [9.0])
    with_button(bench)
    bench.hear()
    assert bench.outcomes == ["second_factor_missing"]
    assert bench.relay.history == []
    assert len(bench.events.of("second_factor_missing")) == 1


def test_a_press_shortly_before_lets_the_voice_in() -> None:
    bench = Bench([loud(3.2), quiet(5)], [9.0])
    with_button(bench).press()
    bench.hear()
    assert bench.outcomes == ["open"]


def test_a_press_long_ago_does_not_count() -> None:
    bench = Bench([quiet(11), loud(3.2), quiet(5)], [9.0])
    with_button(bench).press()
    bench.hear()
    assert bench.outcomes == ["second_factor_missing"]


def test_a_missing_press_locks_nobody_out_and_the_next_try_opens() -> None:
    bench = Bench([*[loud(3.2), quiet(10)] * 7], [9.0] * 7, policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0))
    button = with_button(bench)
    while len(bench.events.of("speech")) < 7:
        bench.door.step()
    button.press()
    bench.hear()
    assert bench.outcomes == ["second_factor_missing"] * 6 + ["open"]


def test_the_button_alone_opens_nothing() -> None:
    bench = Bench([loud(3.2), quiet(5)], [-5.0])
    with_button(bench).press()
    assert bench.hear().outcomes == ["refuse"]
    assert bench.relay.history == []


DAYTIME = ScheduleConfig(person="Anna", days=("thu",), after="17:00", before="18:30")


def on_schedule(*tables: ScheduleConfig) -> Bench:
    # The manual clock begins on Thursday 1 January 2026 at 18:00.
    bench = Bench([loud(3.2), quiet(5)], [9.0])
    bench.door.guards = (Schedule(tables, bench.clock),)
    return bench.hear()


def test_within_the_hours_of_a_schedule_the_door_opens_and_outside_it_says_so() -> None:
    assert on_schedule(DAYTIME).outcomes == ["open"]
    late = on_schedule(replace(DAYTIME, before="17:30"))
    assert late.outcomes == ["outside_schedule"]
    assert late.relay.history == []
    assert "17:00-17:30" in str(late.events.of("outside_schedule")[0].details["reason"])


def test_a_schedule_of_somebody_else_does_not_matter_and_one_of_several_is_enough() -> None:
    assert on_schedule(replace(DAYTIME, person="Bruno", before="17:30")).outcomes == ["open"]
    assert on_schedule(replace(DAYTIME, before="17:30"), replace(DAYTIME, after="17:59")).outcomes == ["open"]


@pytest.mark.parametrize(
    ("moment", "inside"),
    [((2026, 1, 2, 23, 0), True), ((2026, 1, 3, 5, 59), True), ((2026, 1, 3, 6, 0), False),
     ((2026, 1, 3, 23, 0), False), ((2026, 1, 2, 3, 0), False), ((2026, 1, 2, 21, 59), False)],
)  # fmt: skip
def test_a_table_over_midnight_belongs_to_the_day_it_begins_on(moment: tuple[int, ...], inside: bool) -> None:
    night = ScheduleConfig(person="Anna", days=("fri",), after="22:00", before="06:00")
    assert night.covers(datetime(*moment, tzinfo=UTC)) is inside  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("wrong", [{"days": ()}, {"days": ("friday",)}, {"after": "7:00"}, {"before": "25:00"},
                                   {"after": "08:00", "before": "08:00"}, {"person": ""}])  # fmt: skip
def test_a_table_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ScheduleConfig(**{"person": "Anna", **wrong})  # type: ignore[arg-type]


def test_a_schedule_for_nobody_the_bundle_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="Ana"):
        check_people([replace(DAYTIME, person="Ana")], ["Anna", "Bruno"])


def test_a_guard_that_fails_keeps_the_door_shut() -> None:
    class Broken:
        def look(self, _clip: Clip, _decision: Decision) -> Finding:
            raise ZeroDivisionError("guard")

    bench = Bench([loud(3.2), quiet(5)], [9.0], guards=(Broken(),))
    with pytest.raises(ZeroDivisionError):
        bench.hear()
    assert bench.relay.history == []


def test_a_guard_that_takes_too_long_makes_the_answer_stale() -> None:
    bench = Bench([loud(3.2), quiet(5)], [9.0])
    clock: ManualClock = bench.clock

    class Slow:
        def look(self, _clip: Clip, _decision: Decision) -> Finding:
            clock.advance(2.5)
            return Finding()

    bench.door.guards = (Slow(),)
    bench.hear()
    assert "stale" in bench.kinds()
    assert bench.relay.history == []


def test_every_guard_hears_every_clip_and_the_first_objection_names_the_decision() -> None:
    heard: list[str] = []

    class Says:
        def __init__(self, name: str, outcome: Outcome | None) -> None:
            self.name, self.outcome = name, outcome

        def look(self, _clip: Clip, _decision: Decision) -> Finding:
            heard.append(self.name)
            return Finding(told={self.name: True}, objection=self.outcome, reason="no")

    bench = Bench([loud(3.2), quiet(5)], [9.0],
                  guards=(Says("a", Outcome.REPLAY), Says("b", Outcome.OUTSIDE_SCHEDULE)))  # fmt: skip
    bench.hear()
    assert heard == ["a", "b"]
    assert bench.outcomes == ["replay"]
    assert "outside_schedule" not in bench.kinds()


@pytest.mark.parametrize("seed", range(10))
def test_with_guards_that_object_at_random_the_relay_moves_only_on_an_opening(seed: int) -> None:
    rng = np.random.default_rng(seed)

    class Moody:
        def look(self, _clip: Clip, decision: Decision) -> Finding:
            objects = decision.opens and rng.random() < 0.5
            return Finding(objection=Outcome.REPLAY if objects else None, reason="a mood")

    segments = [loud(rng.uniform(1, 4)) if rng.random() < 0.6 else quiet(rng.uniform(0, 9)) for _ in range(30)]
    bench = Bench([*segments, quiet(10)], [], guards=(Moody(),))
    bench.door.scorer = ScriptedScorer(list(rng.normal(3.0, 5.0, 200)))
    bench.hear()
    assert sum(on for _, on in bench.relay.history) == bench.outcomes.count("open")
