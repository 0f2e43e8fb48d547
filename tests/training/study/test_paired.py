"""Paired differences: none between a system and itself, found where there is one, and only for the same people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError
from training.metrics import eer
from training.study.kept import kept
from training.study.paired import Tried, far_at_frr, paired, points


def draws(number: int = 4, *, better: float = 0.0, seed: int = 1) -> list[Tried]:
    rng = np.random.default_rng(seed)
    inside_people = tuple(f"r{n % 4}" for n in range(40))
    outside_people = tuple(f"s{n % 10}" for n in range(100))
    return [
        Tried(rng.normal(1.0 + better, 1.0, 40), rng.normal(0.0, 1.0, 100), inside_people, outside_people)
        for _ in range(number)
    ]


def test_a_system_does_not_differ_from_itself() -> None:
    found = paired(draws(), draws(), [eer] * 4, rng=np.random.default_rng(1))
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_better_system_is_found_and_the_interval_holds_the_mean() -> None:
    found = paired(draws(), draws(better=1.5), [eer] * 4, rng=np.random.default_rng(1))
    assert found.low <= found.mean <= found.high < 0.0
    assert found.mean == pytest.approx(np.mean(found.each))


def test_what_only_one_person_shows_is_not_beyond_chance() -> None:
    """The mean alone would say that the second system is better; one of four residents is all of that."""
    before = draws()
    gains = np.where(np.array(before[0].inside_people) == "r0", 3.0, 0.0)
    after = [replace(each, inside=each.inside + gains) for each in before]
    alone = paired(before, after, [eer] * 4, rng=np.random.default_rng(1))
    assert alone.mean < 0.0 <= alone.high


def test_other_people_or_other_draws_are_no_pair() -> None:
    stranger = [replace(each, outside_people=("x",) * 100) for each in draws()]
    with pytest.raises(DataError, match="different people"):
        paired(draws(), stranger, [eer] * 4, rng=np.random.default_rng(1))
    with pytest.raises(DataError, match="not pairs"):
        paired(draws(), draws(3), [eer] * 4, rng=np.random.default_rng(1))


def test_far_at_an_frr_refuses_that_share_of_residents_and_no_more() -> None:
    inside, outside = np.arange(10.0), np.array([-1.0, 0.5, 2.5, 8.5])
    assert far_at_frr(inside, outside, 0.0) == 0.75
    assert far_at_frr(inside, outside, 0.3) == 0.25
    assert far_at_frr(inside, outside, 0.95) == 0.0


def test_a_difference_is_told_in_points_with_its_interval() -> None:
    assert points({"mean": -0.012, "low": -0.03, "high": 0.004}) == "-1.20 (-3.00 to +0.40)"
    assert points(None) == ""


def test_what_was_computed_is_kept_until_something_it_depends_on_changes(tmp_path: Path) -> None:
    calls: list[int] = []

    def make() -> np.ndarray:
        calls.append(1)
        return np.arange(3.0) + len(calls)

    first = kept(tmp_path, "x", ["a", 1], make)
    assert kept(tmp_path, "x", ["a", 1], make).tolist() == first.tolist() == [1.0, 2.0, 3.0]
    assert kept(tmp_path, "x", ["a", 2], make).tolist() == [2.0, 3.0, 4.0]
    assert kept(tmp_path, "y", ["a", 1], make).tolist() == [3.0, 4.0, 5.0]
