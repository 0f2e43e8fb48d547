"""What chance does to figures: the split into seeds and households, intervals, and what is called a difference."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from device.errors import DataError
from training.study.chance import difference, seed_noise, spread_of, t_interval


def made(*, seeds: float, draws: float, shape: tuple[int, int] = (400, 5), number: int = 1) -> np.ndarray:
    rng = np.random.default_rng(number)
    return 0.2 + rng.normal(0, draws, (shape[0], 1)) + rng.normal(0, seeds, shape)


def test_the_parts_of_seeds_and_of_households_are_found_again() -> None:
    found = spread_of(made(seeds=0.01, draws=0.03))
    assert found.seed_deviation == pytest.approx(0.01, rel=0.1)
    assert found.draw_deviation == pytest.approx(0.03, rel=0.1)
    assert found.seeds_share == pytest.approx(0.1, abs=0.03)


def test_households_that_do_nothing_are_not_said_to_do_what_seeds_do() -> None:
    assert spread_of(made(seeds=0.01, draws=0.0)).draw_deviation < 0.002


def test_the_interval_is_student_s() -> None:
    # By the table: 4.303 is the 97.5 % point of two degrees of freedom.
    found = t_interval([0.1, 0.2, 0.3])
    assert (found.mean, found.low, found.high) == pytest.approx(
        (0.2, 0.2 - 4.303 * 0.1 / 3**0.5, 0.2 + 0.2484), abs=1e-4
    )


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = {"these": 0, "others": 0}
    for number in range(300):
        rng = np.random.default_rng(number)
        households = 0.2 + rng.normal(0, 0.03, 4)
        found = spread_of(households[:, None] + rng.normal(0, 0.01, (4, 3)))
        assert found.other_households is not None
        inside["these"] += found.these_households.low <= households.mean() <= found.these_households.high
        inside["others"] += found.other_households.low <= 0.2 <= found.other_households.high
    assert inside["these"] / 300 == pytest.approx(0.95, abs=0.04)
    assert inside["others"] / 300 == pytest.approx(0.95, abs=0.04)


def test_two_recipes_that_are_the_same_seldom_differ_by_more_than_chance() -> None:
    beyond = {"told": 0, "noise": 0}
    for number in range(300):
        rng = np.random.default_rng(number)
        households = rng.normal(0.2, 0.03, (3, 1))
        one, two = (households + rng.normal(0, 0.01, (3, 4)) for _ in range(2))
        apart = abs(one.mean() - two.mean())
        beyond["told"] += apart > spread_of(one).told_apart(4)
        beyond["noise"] += apart > seed_noise([one, two])
    assert beyond["told"] / 300 == pytest.approx(0.05, abs=0.04)
    assert beyond["noise"] / 300 == pytest.approx(0.05, abs=0.04)


def test_in_one_household_the_limit_is_that_of_the_t_test() -> None:
    rng = np.random.default_rng(3)
    one = rng.normal(0.2, 0.01, 5)
    limit = seed_noise([[one], [one]])
    assert ttest_ind(one, one + limit).pvalue == pytest.approx(0.05, abs=1e-6)


def test_more_seeds_tell_smaller_differences_apart_and_finding_one_asks_for_more() -> None:
    found = spread_of(made(seeds=0.01, draws=0.03, shape=(3, 5)))
    assert found.told_apart(20) == pytest.approx(found.told_apart(5) / 2)
    assert found.found(5) > found.told_apart(5)


def test_a_deviation_told_by_few_seeds_may_be_much_larger() -> None:
    # By the table: 0.103 is the 5 % point of chi-squared of two degrees of freedom.
    assert spread_of([[0.1, 0.2, 0.3]]).seed_deviation_at_most == pytest.approx(0.1 * (2 / 0.1026) ** 0.5, rel=1e-3)
    below = 0
    for number in range(200):
        below += spread_of(made(seeds=0.01, draws=0.03, shape=(3, 3), number=number)).seed_deviation_at_most < 0.01
    assert below / 200 == pytest.approx(0.05, abs=0.04)


def test_differences_are_paired_by_household() -> None:
    base = made(seeds=0.0, draws=0.1, shape=(4, 3))
    found = difference(base - 0.01, base)
    assert (found.low, found.high) == pytest.approx((-0.01, -0.01))
    assert found.leaves_out_zero


@pytest.mark.parametrize("wrong", [[[0.1], [0.2]], [0.1, 0.2], [[0.1, np.nan]]])
def test_one_seed_or_a_run_without_figures_tells_nothing(wrong: list) -> None:
    with pytest.raises(DataError, match="cannot be told"):
        spread_of(wrong)
