"""From decisions about clips to events: what is positive, what a gap closes, what belongs to whom."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from device.service.scan_runs import Runs, Settling, Stretch
from device.sound.pcm import CLIP_SAMPLES, Clip
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.tries import UNLIMITED, TryLimits
from device.verdict.values import Outcome, ResidentScore, Score

POLICY = PolicySpec(open_llr=10.0, refuse_llr=-2.0, cool_down_seconds=5.0, limits=UNLIMITED)
ONE_VISIT_A_MINUTE = replace(POLICY, limits=TryLimits(visits_at_once=1, wait_seconds=60.0))


def settled(*clips: tuple[float, float, float], policy: PolicySpec = POLICY) -> list[Stretch]:
    """``clips``: (start in seconds, the ratio of Anna, of Bruno), each 3 s long, judged by the real policy."""
    settling, state, found = Settling(open_llr=POLICY.open_llr), PolicyState(), []
    for start, anna, bruno in clips:
        score = Score((ResidentScore("Anna", anna, 0.0), ResidentScore("Bruno", bruno, 0.0)), 1.0)
        clip = Clip(np.zeros(CLIP_SAMPLES, dtype=np.int16), 3.0, False, 0, start, start + 3.0)
        state, decision = judge(policy, state, score, now_seconds=clip.ended_at_seconds)
        found += settling.push(clip, score, decision)
    return found + settling.flush()


def residents(stretches: Sequence[Stretch]) -> list[str | None]:
    return [each.resident for each in stretches]


def clip_of(resident: str | None, start: float, llr: float = 0.0, decision: Outcome = Outcome.REFUSE) -> Stretch:
    return Stretch(resident=resident, started_at_seconds=start, ended_at_seconds=start + 3.0, peak_llr=llr,
                   decision=Outcome.OPEN if resident else decision)  # fmt: skip


def runs(*clips: Stretch, gap_seconds: float = 8.0) -> list[Stretch]:
    made, found = Runs(gap_seconds=gap_seconds), []
    for each in clips:
        found += made.push(each)
    return found + made.flush()


def test_a_clip_at_which_the_door_opens_is_positive_and_its_score_is_what_it_added_up_to() -> None:
    first, second = settled((0.0, 6.0, -9.0), (3.0, 6.5, -9.0))
    assert residents([first, second]) == ["Anna", "Anna"]
    assert (first.decision, first.peak_llr) == (Outcome.SAY_MORE, 6.0)
    assert (second.decision, second.peak_llr) == (Outcome.OPEN, 12.5)


def test_a_clip_that_was_undecided_and_led_to_nothing_is_a_strangers() -> None:
    assert residents(settled((0.0, 6.0, -9.0))) == [None]
    assert residents(settled((0.0, 6.0, -9.0), (3.0, -9.0, -9.0))) == [None, None]


def test_evidence_that_has_lapsed_is_no_part_of_the_opening_after_it() -> None:
    assert residents(settled((0.0, 6.0, -9.0), (30.0, 11.0, -9.0))) == [None, "Anna"]


def test_after_an_opening_whoever_was_let_in_goes_on_speaking_and_nobody_else() -> None:
    found = settled((0.0, 11.0, -9.0), (3.0, 1.0, -9.0), (4.5, -1.0, 3.0))
    assert residents(found) == ["Anna", "Anna", None]
    assert [each.decision for each in found[1:]] == [Outcome.COOLING_DOWN] * 2


def test_while_the_door_waits_a_clip_counts_that_reaches_the_threshold_by_itself() -> None:
    found = settled((0.0, -9.0, -9.0), (10.0, 9.9, -9.0), (20.0, -9.0, 10.0), policy=ONE_VISIT_A_MINUTE)
    assert residents(found) == [None, None, "Bruno"]
    assert found[-1].decision is Outcome.LOCKED_OUT


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_nobodys(broken: float) -> None:
    assert residents(settled((0.0, broken, -9.0))) == [None]
    assert residents(settled((0.0, 11.0, -9.0), (3.0, 11.0, broken))) == ["Anna", None]


def test_positive_clips_within_the_gap_are_one_event_and_beyond_it_two() -> None:
    near = runs(clip_of("Anna", 0.0, 11.0), clip_of("Anna", 11.0, 14.0))
    assert [(each.started_at_seconds, each.ended_at_seconds, each.clips) for each in near] == [(0.0, 14.0, 2)]
    assert near[0].peak_llr == 14.0
    assert len(runs(clip_of("Anna", 0.0), clip_of("Anna", 11.1))) == 2
    assert len(runs(clip_of("Anna", 0.0), clip_of("Anna", 11.0), gap_seconds=7.0)) == 2
    assert len(runs(clip_of("Anna", 0.0), clip_of("Anna", 3.0), gap_seconds=0.0)) == 1


def test_a_strangers_clip_within_an_event_belongs_to_it_and_after_it_does_not() -> None:
    (event,) = runs(clip_of("Anna", 0.0), clip_of(None, 3.0), clip_of("Anna", 6.0))
    assert (event.resident, event.clips, event.decision) == ("Anna", 3, Outcome.OPEN)
    event, stranger = runs(clip_of("Anna", 0.0), clip_of(None, 3.0))
    assert (event.ended_at_seconds, stranger.resident, stranger.started_at_seconds) == (3.0, None, 3.0)


def test_a_stranger_who_goes_on_does_not_stretch_the_gap() -> None:
    found = runs(clip_of("Anna", 0.0), *[clip_of(None, start) for start in (3.0, 6.0, 9.0)], clip_of("Anna", 12.0))
    assert residents(found) == ["Anna", None, "Anna"]
    assert found[1].clips == 3


def test_another_resident_is_another_event_at_once() -> None:
    assert residents(runs(clip_of("Anna", 0.0), clip_of("Bruno", 3.0), clip_of("Anna", 6.0))) == [
        "Anna", "Bruno", "Anna"]  # fmt: skip


def test_strangers_are_parted_by_the_same_gap_and_the_strongest_decision_is_told() -> None:
    first, second = runs(clip_of(None, 0.0, decision=Outcome.SAY_MORE), clip_of(None, 4.0), clip_of(None, 20.0))
    assert (first.clips, first.decision, second.clips) == (2, Outcome.REFUSE, 1)
