"""The trial of a classifier: who is on which side, and what the figures say of scores that know all or nothing."""

from dataclasses import replace

import numpy as np
import pytest

from device.errors import DataError
from device.sound.pcm import CLIP_SAMPLES, Clip
from training.benchmark.household import draw_households
from training.benchmark.pack import Pack
from training.clips import SpokenClip
from training.study.trials import FIGURES, Trial, guard, judge, spread, trial


def pack(people: int = 24, clips: int = 12) -> Pack:
    silent = Clip(np.zeros(CLIP_SAMPLES, dtype=np.int16), 3.0, False, 0, 0.0, 3.0)
    made = [
        SpokenClip(f"p{person:02d}", session, silent)
        for person in range(people) for session in ("1", "2") for _ in range(clips)
    ]  # fmt: skip
    names = {each.speaker: "c" for each in made}
    return Pack(made, names, dict.fromkeys(names, "f"), [], [])


def drawn(of: Pack) -> Trial:
    draw = draw_households(of, draws=1, residents=4, enrol_seconds=30.0, enrol_sessions=1, seed=3)[0]
    return trial(of, draw, seed=5)


def test_nobody_is_on_two_sides_and_every_side_is_there() -> None:
    of = pack()
    made = drawn(of)
    people = {
        side: {of.clips[row].speaker for row in getattr(made, side)} - set(made.residents)
        for side in ("learnt", "seen", "choosing", "judging")
    }
    assert people["learnt"] >= people["seen"] > set()
    assert not people["learnt"] & people["choosing"]
    assert not (people["learnt"] | people["choosing"]) & people["judging"]
    assert not set(made.learnt) & set(made.seen)
    assert {of.clips[row].session for row in made.tried} == {"2"}
    assert made.allowed[made.tried].all()
    assert not made.allowed[made.judging].any()


def test_a_stranger_who_taught_and_a_session_that_was_learnt_are_refused() -> None:
    of = pack()
    made = drawn(of)
    with pytest.raises(DataError, match="two sides"):
        guard(of, replace(made, judging=made.choosing))
    with pytest.raises(DataError, match="two sides"):
        guard(of, replace(made, tried=made.learnt[:3]))


def test_scores_that_know_all_that_know_nothing_and_that_never_change() -> None:
    of = pack()
    made = drawn(of)
    perfect = judge(of, made, np.where(made.allowed, 1.0, -1.0))
    assert (perfect.closed_set_f1, perfect.eer, perfect.frr, perfect.far_reached) == (1.0, 0.0, 0.0, 0.0)
    chance = judge(of, made, np.random.default_rng(1).normal(size=len(of.clips)))
    assert 0.35 < chance.eer < 0.65
    assert chance.frr_where_far_is_1pct > 0.9
    constant = judge(of, made, np.zeros(len(of.clips)))
    assert constant.eer == 0.5
    assert constant.frr == constant.frr_where_far_is_1pct == 1.0


def test_one_who_only_knows_those_it_met_has_a_perfect_f1_and_lets_strangers_in() -> None:
    of = pack()
    made = drawn(of)
    scores = np.where(made.allowed, 1.0, 2.0)
    known = {of.clips[row].speaker for row in made.learnt} - set(made.residents)
    scores[[each.speaker in known for each in of.clips]] = -1.0
    told = judge(of, made, scores)
    assert told.closed_set_f1 == 1.0
    assert told.eer == 1.0


def test_the_spread_over_trials_is_that_of_a_sample() -> None:
    of = pack()
    made = drawn(of)
    told = spread([judge(of, made, np.where(made.allowed, 1.0, -1.0)), judge(of, made, np.zeros(len(of.clips)))])
    assert set(told) == set(FIGURES)
    assert told["eer"] == pytest.approx({"mean": 0.25, "deviation": 0.5 / np.sqrt(2), "lowest": 0.0, "highest": 0.5})
