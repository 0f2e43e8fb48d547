"""Where the truth is known, every map finds it: a score that hears one patch alone, and one that hears nothing."""

from dataclasses import replace

import numpy as np
import pytest

from device.errors import ConfigError
from tests.training.explain.toys import BANDS, FRAMES, GRID, PATCH, features, hears_nothing, hears_one_patch
from training.corpus.index import silent
from training.explain.deletion import delete_at_random, judge_map
from training.explain.explanation import Maps, make_maps
from training.explain.grid import Judge, cut_evenly, is_flat
from training.explain.lime import draw_masks, fit_lime, nearness, weighted_ridge
from training.explain.occlusion import falls, occlude


def made(judge: Judge) -> Maps:
    return make_maps(judge, features(), gradients={}, masks=600, seed=7, progress=silent)


@pytest.fixture(scope="module")
def one_patch() -> Maps:
    return made(hears_one_patch)


@pytest.fixture(scope="module")
def nothing() -> Maps:
    return made(hears_nothing)


def place(importance: np.ndarray) -> tuple[int, ...]:
    return tuple(int(each) for each in np.unravel_index(np.argmax(importance), importance.shape))


def test_the_grid_covers_every_cell_once() -> None:
    grid = cut_evenly((297, 64), time_patches=15, band_patches=8)
    numbers = grid.spread(np.arange(grid.size).reshape(grid.shape))
    assert numbers.shape == (297, 64)
    assert set(np.unique(numbers, return_counts=True)[1]) <= {19 * 8, 20 * 8}
    assert grid.gathered(numbers).ravel().tolist() == pytest.approx(range(grid.size))


@pytest.mark.parametrize(("times", "bands"), [(0, 4), (61, 4), (4, 33)])
def test_more_patches_than_cells_are_refused(times: int, bands: int) -> None:
    with pytest.raises(ConfigError, match="so many patches"):
        cut_evenly((FRAMES, BANDS), time_patches=times, band_patches=bands)


def test_a_patch_taken_away_becomes_its_bands_mean_and_nothing_else_changes() -> None:
    heard = features() + np.arange(BANDS, dtype=np.float32)
    kept = np.ones(GRID.shape, dtype=bool)
    kept[2, 3] = False
    masked = GRID.masked(heard, kept)
    changed = masked != heard
    assert changed[8:12, 12:16].all()
    assert changed.sum() == 16
    assert masked[8:12, 12:16] == pytest.approx(np.tile(heard.mean(axis=0)[12:16], (4, 1)))


def test_occlusion_finds_the_patch_and_tells_by_how_much_the_score_falls(one_patch: Maps) -> None:
    importance = one_patch.occlusion.patches
    assert place(importance) == PATCH
    # Without it the score is 0, the mean of its bands.
    assert importance[PATCH] == pytest.approx(hears_one_patch(features()), abs=1e-3)
    assert np.abs(np.delete(importance.ravel(), PATCH[0] * 8 + PATCH[1])).max() < 1e-6


def test_the_marginals_find_its_moment_and_its_band(one_patch: Maps) -> None:
    occlusion = one_patch.occlusion
    moments = np.flatnonzero(occlusion.times > 0.1 * occlusion.times.max())
    # Frames 24 to 27 are the moments 12 and 13 of 30, bands 20 to 23 the bands 10 and 11 of 16.
    assert moments.tolist() == [12, 13]
    assert np.flatnonzero(occlusion.bands > 0.1 * occlusion.bands.max()).tolist() == [10, 11]


def test_lime_finds_the_patch_and_foretells_the_score(one_patch: Maps) -> None:
    importance = one_patch.lime.patches
    assert place(importance) == PATCH
    others = np.delete(importance.ravel(), PATCH[0] * 8 + PATCH[1])
    assert np.abs(others).max() < 0.1 * importance[PATCH]
    assert one_patch.lime.explained is not None
    assert one_patch.lime.explained > 0.95


def test_deletion_believes_the_true_maps(one_patch: Maps) -> None:
    for name in ("occlusion", "lime"):
        verdict = one_patch.verdicts[name]
        assert verdict.curve.area < one_patch.chance.areas.min(), name
        assert verdict.faithful, name


def test_deletion_does_not_believe_a_map_that_points_elsewhere() -> None:
    rng = np.random.default_rng(1)
    heard = features()
    chance = delete_at_random(hears_one_patch, heard, GRID, rng)
    wrong = -falls(hears_one_patch, heard, GRID)
    verdict = judge_map(hears_one_patch, heard, GRID, wrong, chance, rng)
    assert verdict.curve.area > chance.area
    assert not verdict.faithful
    assert not verdict.flat


def test_a_flat_map_is_never_called_true_even_where_chance_favours_it(one_patch: Maps) -> None:
    lucky = one_patch.verdicts["lime"]
    assert lucky.faithful
    assert not replace(lucky, flat=True).faithful
    assert not replace(lucky, beaten=0.9).faithful


def test_deletion_ends_where_nothing_is_left_whatever_the_order(one_patch: Maps) -> None:
    empty = hears_one_patch(GRID.masked(features(), np.zeros(GRID.shape, dtype=bool)))
    curves = [each.curve for each in one_patch.verdicts.values()] + [one_patch.chance.curve]
    for curve in curves:
        assert (curve.removed[0], curve.removed[-1]) == (0.0, 1.0)
        assert curve.scores[0] == pytest.approx(one_patch.whole)
        assert curve.scores[-1] == pytest.approx(empty)


def test_every_map_of_a_score_that_hears_nothing_is_flat_and_no_verdict_trusts_it(nothing: Maps) -> None:
    assert set(nothing.by_method) == {"occlusion", "lime"}
    for name, importance in nothing.by_method.items():
        assert is_flat(importance), name
        assert nothing.verdicts[name].flat, name
        assert not nothing.verdicts[name].faithful, name
    assert is_flat(nothing.occlusion.times)
    assert nothing.lime.explained is None


def test_a_patch_that_speaks_against_is_told_apart_from_one_that_says_nothing() -> None:
    importance = falls(lambda heard: -hears_one_patch(heard), features(), GRID)
    assert importance[PATCH] < -1.0
    assert place(-importance) == PATCH


def test_lime_is_drawn_the_same_from_the_same_seed() -> None:
    first, again, other = (
        fit_lime(hears_one_patch, features(), GRID, masks=50, rng=np.random.default_rng(seed)).patches
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_masks_take_away_any_share_and_the_whole_clip_counts_most() -> None:
    kept = draw_masks(4000, 100, np.random.default_rng(1))
    shares = kept.mean(axis=1)
    assert np.quantile(shares, (0.1, 0.5, 0.9)).tolist() == pytest.approx([0.1, 0.5, 0.9], abs=0.05)
    near = nearness(np.stack([np.ones(100, dtype=bool), np.arange(100) < 80, np.arange(100) < 20]))
    assert near[0] == 1.0
    assert near[0] > near[1] > near[2] > 0.0


def test_the_ridge_finds_what_a_linear_score_is_made_of() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=12)
    kept = rng.random((4000, 12)) < 0.5
    found, intercept = weighted_ridge(kept, kept @ truth + 3.0, np.ones(4000))
    assert found == pytest.approx(truth, abs=0.02)
    assert intercept == pytest.approx(3.0, abs=0.02)


def test_progress_is_told_to_the_end() -> None:
    told: dict[str, tuple[int, int]] = {}

    def progress(label: str, done: int, total: int) -> None:
        told[label] = (done, total)

    occlude(hears_nothing, features(), GRID, progress=progress)
    assert told == {"occlusion": (120, 120), "occlusion in time": (30, 30), "occlusion in bands": (16, 16)}
