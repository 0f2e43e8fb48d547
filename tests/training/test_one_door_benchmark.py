"""The one-door figures of the benchmark: known worlds give known answers, and no sound serves on both sides."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError
from device.sound.pcm import CLIP_SAMPLES, Clip
from device.verdict.interpreter import unit_length
from tests.household.voices import World
from training.benchmark.command import at_one_door, read_bounded
from training.benchmark.doors import Door, doors, shipped_conditions
from training.benchmark.household import draw_households
from training.benchmark.one_door import one_door, strangers_of
from training.benchmark.pack import Pack
from training.benchmark.systems import System
from training.benchmark.told import table
from training.clips import SpokenClip

PEOPLE = 40


def a_clip(samples: np.ndarray | None = None) -> Clip:
    return Clip(np.zeros(CLIP_SAMPLES, dtype=np.int16) if samples is None else samples, 3.0, False, 0, 0.0, 3.0)


@pytest.fixture(scope="module")
def pack() -> Pack:
    clips = [SpokenClip(f"p-{n:02d}", session, a_clip()) for n in range(PEOPLE) for session in "12" for _ in range(4)]
    return Pack(clips, {f"p-{n:02d}": "p" for n in range(PEOPLE)}, {}, [], [])


def heard(world: World, pack: Pack, door: int | None) -> np.ndarray:
    return world.clips(np.array([int(each.speaker[2:]) for each in pack.clips]), door)


def test_a_shared_door_lets_strangers_in_by_a_plain_threshold_and_not_by_the_door_threshold(pack: Pack) -> None:
    world = World(strength=3.0)
    everywhere = [Door("near", (), to_choose_on=True), Door("far", ()), Door("further", ())]
    at_doors = {"near": heard(world, pack, 1), "far": heard(world, pack, 20), "further": heard(world, pack, 21)}
    conditions = {"as recorded": heard(world, pack, None)} | {f"c{n}": heard(world, pack, n) for n in range(7)}
    draws = draw_households(pack, draws=2, residents=3, enrol_seconds=12.0, enrol_sessions=1, seed=1)
    shipped = world.strangers(first=500)
    figures = one_door(pack, at_doors, conditions, everywhere, draws, shipped=shipped)
    for household in ("household", "alone"):
        judged = figures["judged"][household]
        assert judged["far_reached_1pct"]["mean"] <= 0.05
        assert judged["frr_at_far_1pct"]["mean"] <= 0.05
        assert judged["far_reached_1pct_from_strangers_as_recorded"]["mean"] > 0.9
        assert judged["far_reached_1pct"]["worst"] >= judged["far_reached_1pct"]["mean"]
    assert figures["doors"]["near"]["to_choose_on"]
    alone = figures["doors"]["near"]["alone"]["far_reached_1pct"]
    # A door to choose on has no say in what is judged.
    spoilt = one_door(pack, at_doors | {"near": at_doors["far"] * -1}, conditions, everywhere, draws, shipped=shipped)
    assert spoilt["judged"] == figures["judged"]
    assert alone["lowest"] <= alone["value"] <= alone["highest"]
    text = table({"systems": {"int8": {"household": {}, "one_door": figures}}})
    assert "mean of the doors that judge" in text
    assert "near (to choose on)" in text


def test_without_shipped_strangers_those_who_choose_serve_and_too_few_are_refused(pack: Pack) -> None:
    conditions = {"as recorded": heard(World(), pack, None), "c": heard(World(), pack, 1)}
    draw = draw_households(pack, draws=1, residents=3, enrol_seconds=12.0, enrol_sessions=1, seed=1)[0]
    strangers = strangers_of(pack, conditions, draw.choosing)
    assert strangers.conditions == ("as recorded", "c")
    assert strangers.people == len({pack.clips[row].speaker for row in draw.choosing})
    assert np.bincount(strangers.owners).tolist() == [3] * strangers.people
    with pytest.raises(DataError, match="too few strangers"):
        strangers_of(pack, conditions, draw.choosing[:24])


def test_at_least_ten_doors_only_judge_and_none_of_them_is_a_shipped_condition() -> None:
    everywhere, at_hand = doors([], []), shipped_conditions([], [])
    names = [door.name for door in everywhere]
    assert len(set(names)) == len(names) >= 16
    assert sum(not door.to_choose_on for door in everywhere) >= 10
    assert len(at_hand) == 12
    assert not set(names) & set(at_hand)
    assert next(iter(at_hand)) == "as recorded"
    speech = np.random.default_rng(1).normal(0, 2000, CLIP_SAMPLES).astype(np.int16)
    spoken = SpokenClip("p", "1", a_clip(speech))
    through = {door.name: door.heard([spoken], seed=1)[0].clip.samples for door in (*everywhere, *at_hand.values())}
    levels = [float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) for samples in through.values()]
    assert max(levels) < 1.05 * min(levels)
    unlike = [name for name in names if name != "as recorded, again"]
    different = {through[name].tobytes() for name in unlike} | {through[name].tobytes() for name in at_hand}
    assert len(different) == len(unlike) + len(at_hand)


def test_a_door_is_the_same_for_a_seed_and_adds_other_noise_for_another() -> None:
    noisy = next(door for door in doors([], []) if "hiss" in door.name)
    spoken = SpokenClip("p", "1", a_clip(np.random.default_rng(1).normal(0, 2000, CLIP_SAMPLES).astype(np.int16)))
    first, again, other = (noisy.heard([spoken], seed=seed)[0].clip.samples for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_condition_works_for_any_embedder(tmp_path: Path) -> None:
    """A made-up embedder: what it answers is good for nothing, and the figures are there all the same."""
    rng = np.random.default_rng(1)
    clips = [
        SpokenClip(f"p-{n:02d}", session, a_clip(rng.normal(0, 2000, CLIP_SAMPLES).astype(np.int16)))
        for n in range(20)
        for session in "12"
    ]
    pack = Pack(clips, {f"p-{n:02d}": "p" for n in range(20)}, {}, [], [])

    def embed(sounds: np.ndarray) -> np.ndarray:
        return unit_length(np.stack([sound[:2400].reshape(24, 100).astype(np.float32).sum(axis=1) for sound in sounds]))

    arguments = argparse.Namespace(seed=1, runs=tmp_path, strangers=None)
    draws = draw_households(pack, draws=1, residents=2, enrol_seconds=3.0, enrol_sessions=1, seed=1)
    system = System("any", "k", embed, None, frozenset())
    figures = at_one_door(system, pack, draws, arguments, lambda *_: None)
    assert len(figures["doors"]) == 16
    assert 0.0 <= figures["judged"]["alone"]["far_reached_01pct"]["mean"] <= 1.0


def test_strangers_that_cannot_be_read_are_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_bounded(tmp_path / "none.npz")
