"""What is done to a kernel, and whether a difference between two networks is more than chance."""

import numpy as np
import pytest

from device.errors import ConfigError, DataError
from training.metrics import eer, frr_at_far
from training.study.layers.paired import Interval, difference, rates, redraws
from training.study.layers.treatments import packed_bytes, pruned, quantised


def kernel(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def test_pruning_nothing_is_the_identity_and_pruning_everything_leaves_nothing() -> None:
    one = kernel(3, 3, 4, 8)
    assert np.array_equal(pruned(one, 0.0), one)
    assert not pruned(one, 1.0).any()


def test_pruning_takes_the_smallest_weights_and_as_many_as_it_says() -> None:
    one = kernel(3, 3, 4, 8)
    half = pruned(one, 0.5)
    assert np.count_nonzero(half) == one.size // 2
    assert np.abs(one[half == 0]).max() <= np.abs(half[half != 0]).min()
    assert np.array_equal(half[half != 0], one[half != 0])
    assert np.count_nonzero(pruned(np.ones((4, 4), np.float32), 0.25)) == 12


def test_eight_bits_change_almost_nothing_and_each_bit_less_changes_more() -> None:
    one = kernel(3, 3, 8, 16)
    errors = [float(np.linalg.norm(quantised(one, bits, channel_axis=3) - one) / np.linalg.norm(one)) for bits in
              (8, 4, 3, 2)]  # fmt: skip
    assert errors[0] < 0.01
    assert errors == sorted(errors)
    assert 0.3 < errors[-1] < 0.7


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_a_channel_takes_no_more_values_than_its_bits_allow_and_keeps_its_zeros(bits: int) -> None:
    one = pruned(kernel(3, 3, 8, 16), 0.5)
    made = quantised(one, bits, channel_axis=3)
    assert made.shape == one.shape
    assert made.dtype == np.float32
    assert max(len(np.unique(made[..., channel])) for channel in range(16)) <= 2**bits - 1
    assert not made[one == 0].any()


def test_a_loud_channel_does_not_coarsen_the_others_along_any_axis() -> None:
    one = kernel(3, 3, 4, 8)
    for axis in (2, 3):
        loud = np.moveaxis(one.copy(), axis, 0)
        loud[0] *= 1000.0
        made = np.moveaxis(quantised(np.moveaxis(loud, 0, axis), 4, channel_axis=axis), axis, 0)
        assert np.array_equal(made[1:], np.moveaxis(quantised(one, 4, channel_axis=axis), axis, 0)[1:])


def test_a_kernel_of_zeros_stays_one() -> None:
    assert not quantised(np.zeros((4, 2), np.float32), 4, channel_axis=1).any()


def test_a_treatment_that_does_not_exist_is_refused() -> None:
    for bits in (1, 9):
        with pytest.raises(ConfigError, match="so many bits"):
            quantised(kernel(2, 2), bits, channel_axis=1)
    with pytest.raises(ConfigError, match="share"):
        pruned(kernel(2, 2), 1.5)


def test_packed_bytes_count_the_weights_that_are_left_and_the_marks_of_those_that_are_not() -> None:
    assert packed_bytes(800) == 800
    assert packed_bytes(800, bits=4) == 400
    assert packed_bytes(800, share=0.5) == 400 + 100
    assert packed_bytes(800, bits=4, share=0.5) == 200 + 100


@pytest.mark.parametrize("decimals", [9, 1])
def test_the_rates_of_every_draw_are_those_of_the_trials_drawn(decimals: int) -> None:
    rng = np.random.default_rng(3)
    people = [f"p{each}" for each in range(7)]
    # With one decimal many scores are equal, as those of an int8 network can be.
    own = {name: np.round(rng.normal(1, 1, rng.integers(1, 6)), decimals) for name in people}
    others = {name: np.round(rng.normal(0, 1, rng.integers(30, 50)), decimals) for name in people}
    drawn = redraws(people, draws=60, rng=rng)
    assert drawn.counts[0].tolist() == [1.0] * 7
    assert set(drawn.counts.sum(axis=1)) == {7.0}
    found = rates(own, others, drawn, far=0.02)
    for row, counts in enumerate(drawn.counts.astype(int)):
        mine, foreign = (
            np.concatenate([np.tile(side[name], count) for name, count in zip(drawn.people, counts, strict=True)])
            for side in (own, others)
        )
        assert found.eer[row] == pytest.approx(eer(mine, foreign), abs=1e-12)
        assert found.frr[row] == pytest.approx(frr_at_far(mine, foreign, 0.02), abs=1e-12)


def test_scores_that_say_nothing_have_an_eer_of_a_half() -> None:
    people = ["a", "b", "c"]
    drawn = redraws(people, draws=5, rng=np.random.default_rng(0))
    found = rates({name: np.ones(2) for name in people}, {name: np.ones(9) for name in people}, drawn, far=0.01)
    assert found.eer.tolist() == [0.5] * 6
    assert found.frr.tolist() == [1.0] * 6


def test_a_difference_that_is_the_same_for_everybody_has_no_spread_though_people_differ() -> None:
    plain = np.linspace(0.0, 0.4, 101)
    told = difference(plain + 0.01, plain)
    assert told.value == pytest.approx(0.01)
    assert told.high - told.low == pytest.approx(0.0, abs=1e-12)
    assert difference(plain, plain) == Interval(0.0, 0.0, 0.0)


def test_no_interval_is_told_of_one_person_or_of_nothing() -> None:
    with pytest.raises(DataError, match="no interval"):
        redraws(["a", "a"], draws=10, rng=np.random.default_rng(0))
    drawn = redraws(["a", "b"], draws=2, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="cannot be measured"):
        rates({}, {"a": np.ones(1)}, drawn, far=0.01)
    with pytest.raises(DataError, match="cannot be measured"):
        rates({"a": np.array([np.nan])}, {"b": np.ones(1)}, drawn, far=0.01)
