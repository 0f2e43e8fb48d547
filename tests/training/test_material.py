"""What a network learns from: targets, choice of people, and batches from shards of any size."""

from pathlib import Path

import numpy as np
import pytest

from training.examples import NO_SPEAKER
from training.material import chosen, targets


def test_a_target_moves_from_the_clip_to_its_speakers_mean_and_an_unknown_ones_stays() -> None:
    rng = np.random.default_rng(1)
    taught = rng.standard_normal((12, 8)).astype(np.float32)
    labels = np.array([0] * 5 + [1] * 5 + [NO_SPEAKER] * 2)
    alone, mixed, mean = (targets(taught, labels, speaker_share=share) for share in (0.0, 0.5, 1.0))
    for found in (alone, mixed, mean):
        assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert np.allclose(mean[:5], mean[0], atol=1e-5)
    assert np.allclose(alone[10:], mean[10:], atol=1e-6)
    within = [float(np.mean(found[:5] @ found[:5].T)) for found in (alone, mixed, mean)]
    assert within == sorted(within)
    # The mean of the class is where the others of the class are, not where the other class is.
    assert float(mean[0] @ alone[:5].mean(axis=0)) > float(mean[0] @ alone[5:10].mean(axis=0))


def test_fewer_people_are_chosen_at_every_speed_and_the_crowd_shrinks_with_them() -> None:
    speeds = 3
    people = np.repeat(np.arange(20), 30)
    labels = np.concatenate([people * speeds + np.tile(np.arange(3), 200), np.full(300, NO_SPEAKER)])

    def rows(most: int, share: float) -> np.ndarray:
        return chosen(labels, speeds=speeds, most_speakers=most, share_of_clips=share, rng=np.random.default_rng(2))

    assert np.array_equal(rows(0, 1.0), np.arange(len(labels)))
    few = labels[rows(5, 1.0)]
    assert len(set((few[few >= 0] // speeds).tolist())) == 5
    assert len(set(few[few >= 0].tolist())) == 15
    assert 40 <= np.sum(few == NO_SPEAKER) <= 110
    half = rows(0, 0.5)
    assert 0.4 < len(half) / len(labels) < 0.6
    assert np.array_equal(rows(5, 1.0), rows(5, 1.0))


def test_batches_find_each_clip_in_shards_of_any_size_and_take_only_the_rows_chosen(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.batches import Batches

    paths, start = [], 0
    for count in (5, 1, 7):
        marks = np.arange(start, start + count, dtype=np.float16)
        paths.append(tmp_path / f"{start}.npy")
        np.save(paths[-1], np.broadcast_to(marks[:, None, None, None], (count, 2, 40, 16)) + np.float16(1))
        start += count
    labels = np.arange(13)
    rows = np.array([0, 4, 5, 6, 12])
    batches = Batches(paths, labels, np.zeros((13, 2), dtype=np.float32), batch_size=4, crop_frames=32, seed=3,
                      rows=rows, steps_per_epoch=6)  # fmt: skip
    assert len(batches) == 6
    seen = []
    for step in range(6):
        features, _, told = batches.batch(step)
        # Masking sets some to 0; what is left is the clip's own mark.
        assert np.array_equal(features.max(axis=(1, 2)), told + 1.0)
        seen += told.tolist()
    assert set(seen) == set(rows.tolist())
    # Drawn without balance, every row comes equally often, but for the last round.
    counts = [seen.count(row) for row in rows.tolist()]
    assert max(counts) - min(counts) <= 1


def test_clean_clips_come_first_and_hard_ones_later(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.batches import Batches

    # Every clip: 1 as recorded, 2 to 4 as augmented.
    shard = np.broadcast_to(np.arange(1, 5, dtype=np.float16)[None, :, None, None], (64, 4, 40, 16))
    np.save(tmp_path / "shard.npy", shard)

    def heard(clean: tuple[float, float], step: int) -> float:
        batches = Batches([tmp_path / "shard.npy"], np.arange(64), np.zeros((64, 2), dtype=np.float32), batch_size=64,
                          crop_frames=32, seed=3, steps_per_epoch=50, clean=clean, epochs=2)  # fmt: skip
        return float(np.mean(batches.batch(step)[0].max(axis=(1, 2)) == 1.0))

    assert heard((1.0, 0.0), 0) == 1.0
    assert heard((1.0, 1.0), 99) == 1.0
    # At the end only the even draw among four is left.
    assert [heard((1.0, 0.0), 99), heard((0.0, 0.0), 0)] == pytest.approx([0.25, 0.25], abs=0.15)
    assert heard((1.0, 0.0), 50) == pytest.approx(0.25 + 0.75 * 0.495, abs=0.2)
