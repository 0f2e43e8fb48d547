"""The whole pipeline on simulated hardware and a manual clock."""

import numpy as np
import pytest

from device.errors import MicrophoneError, RelayError
from device.sound.pcm import Gap, Samples
from device.verdict.policy import PolicySpec
from device.verdict.tries import TryLimits
from tests.doubles import Bench, ScriptedScorer, gap, loud, quiet


def test_an_accepted_voice_opens_for_open_seconds_and_no_longer() -> None:
    bench = Bench([quiet(1), loud(3.2), quiet(10)], [9.0]).hear()
    (on, off) = bench.relay.history
    assert (on[1], off[1]) == (True, False)
    assert off[0] - on[0] == pytest.approx(3.0, abs=0.021)
    assert [kind for kind in bench.kinds() if kind.startswith("relay")] == ["relay_on", "relay_off"]


def test_a_refused_voice_does_not_move_the_relay() -> None:
    bench = Bench([loud(3.2), quiet(5)], [-5.0]).hear()
    assert bench.outcomes == ["refuse"]
    assert bench.relay.history == []


def test_an_undecided_voice_is_asked_for_more_and_then_opens() -> None:
    bench = Bench([loud(6.5), quiet(5)], [3.0, 3.0]).hear()
    assert bench.outcomes == ["say_more", "open"]


def test_too_little_speech_is_never_scored() -> None:
    bench = Bench([loud(0.5), quiet(5)], [9.0]).hear()
    assert bench.scorer.clips == []
    assert "too_short" in bench.kinds()


def test_a_gap_within_a_clip_discards_it() -> None:
    bench = Bench([loud(2.5), gap(), loud(0.6), quiet(5)], [9.0]).hear()
    assert bench.scorer.clips == []
    assert bench.relay.history == []


def test_a_gap_between_clips_voids_the_evidence() -> None:
    bench = Bench([loud(3.1), quiet(1), gap(), loud(3.1), quiet(5)], [3.0, 3.0]).hear()
    assert bench.outcomes == ["say_more", "say_more"]
    assert bench.relay.history == []


def test_a_clip_that_is_judged_too_late_never_opens() -> None:
    bench = Bench([loud(3.2), quiet(5)], [])
    slow = ScriptedScorer([9.0])
    score = slow.score
    slow.score = lambda clip: (bench.clock.advance(2.5), score(clip))[1]  # type: ignore[method-assign]
    bench.door.scorer = slow
    bench.hear()
    assert "stale" in bench.kinds()
    assert bench.relay.history == []


def test_two_people_in_a_row_are_judged_apart() -> None:
    bench = Bench([loud(3.2), quiet(7), loud(3.2), quiet(7)], [9.0, -5.0]).hear()
    assert bench.outcomes == ["open", "refuse"]
    assert sum(on for _, on in bench.relay.history) == 1


def test_nothing_is_judged_while_cooling_down_or_locked_out() -> None:
    bench = Bench([loud(6.2), quiet(5)], [9.0, 9.0]).hear()
    assert bench.outcomes == ["open", "cooling_down"]
    policy = PolicySpec(open_llr=5.0, refuse_llr=-2.0, limits=TryLimits(visits_at_once=1))
    locked = Bench([loud(3.2), quiet(3), loud(3.2), quiet(3)], [-5.0, 9.0], policy=policy).hear()
    assert locked.outcomes == ["refuse", "locked_out"]
    assert locked.relay.history == []


@pytest.mark.parametrize("stage", ["microphone", "detector", "segmenter", "scorer", "events"])
def test_an_exception_in_any_stage_leaves_the_relay_off(stage: str) -> None:
    bench = Bench([loud(3.2), quiet(1), loud(5)], [9.0, 9.0, 9.0])
    while not bench.relay.is_on:
        bench.door.step()
    part = getattr(bench.door, stage)
    method = {"microphone": "read", "detector": "is_speech", "segmenter": "push", "scorer": "score",
              "events": "record"}[stage]  # fmt: skip

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(stage)

    if stage == "segmenter":
        bench.door.segmenter = type("Broken", (), {"push": fail, "flush": fail, "discard": fail})()
    else:
        setattr(part, method, fail)
    with pytest.raises(ZeroDivisionError, match=stage):
        bench.hear()
    assert not bench.relay.is_on


def test_a_relay_that_cannot_be_driven_ends_the_step_with_its_error() -> None:
    bench = Bench([loud(3.2), quiet(5)], [9.0])
    bench.relay.close()
    with pytest.raises(RelayError):
        bench.hear()


def test_a_lost_microphone_ends_the_step_with_the_relay_off() -> None:
    bench = Bench([loud(3.2), MicrophoneError("gone")], [9.0])
    with pytest.raises(MicrophoneError):
        bench.hear()
    assert not bench.relay.is_on


def test_the_end_of_the_input_ends_the_utterance() -> None:
    bench = Bench([loud(2.0)], [9.0]).hear()
    assert bench.outcomes == ["open"]


def test_a_decision_says_why() -> None:
    (event,) = Bench([loud(3.2), quiet(1)], [9.0]).hear().events.of("decision")
    assert event.details["resident"] == "Anna"
    assert event.details["scores"] == {"Anna": 9.0, "Bruno": -9.0}
    assert event.details["filled"] is False
    assert "Anna" in str(event.details["reason"])


@pytest.mark.parametrize("seed", range(40))
def test_the_safety_sentence_holds_for_random_evenings(seed: int) -> None:
    """The relay is on only between an accepted decision and open_seconds after it; nothing opens across a Gap."""
    rng = np.random.default_rng(seed)
    segments: list[Samples | Gap] = []
    for _ in range(25):
        kind = rng.random()
        segments.append(gap() if kind < 0.2 else loud(rng.uniform(0.1, 5)) if kind < 0.7 else quiet(rng.uniform(0, 9)))
    bench = Bench([*segments, quiet(10)], list(rng.normal(1.0, 5.0, 200))).hear()
    opened = [event.at_seconds for event in bench.events.of("decision") if event.details["outcome"] == "open"]
    on = [at for at, is_on in bench.relay.history if is_on]
    off = [at for at, is_on in bench.relay.history if not is_on]
    assert on == pytest.approx(opened)
    assert len(on) == len(off)
    assert all(0 < until - since <= 3.0 + 1e-9 for since, until in zip(on, off, strict=True))
    gaps = [event.at_seconds for event in bench.events.of("gap")]
    for clip in bench.scorer.clips:
        assert not any(clip.started_at_seconds < at < clip.ended_at_seconds for at in gaps)
