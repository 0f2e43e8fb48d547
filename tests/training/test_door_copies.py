"""Who is enrolled is enrolled as the door will hear them."""

import numpy as np
import pytest

from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip
from device.verdict.head import Calibration
from device.verdict.interpreter import unit_length
from training.augment import Surroundings
from training.clips import SpokenClip
from training.door_copies import NOTHING_RECORDED, SNR_HIGH_DB, SNR_LOW_DB, door_copies
from training.effects import to_sound
from training.enrol import enrol
from training.recipe import Augment
from training.voices import Voices, chosen, joined


def spoken(seed: int) -> SpokenClip:
    samples = np.rint(np.random.default_rng(seed).normal(0, 2000, CLIP_SAMPLES)).astype(np.int16)
    return SpokenClip(f"person {seed}", "1", Clip(samples, 3.0, False, 0, 0.0, 3.0))


def copies(clips: list[SpokenClip], seed: int, around: Surroundings = NOTHING_RECORDED) -> list[list[SpokenClip]]:
    return door_copies(clips, around, Augment(), np.random.default_rng(seed))


def test_each_clip_is_heard_in_noise_in_a_room_and_through_a_door_phone() -> None:
    clips = [spoken(1), spoken(2)]
    noisy, roomy, phoned = copies(clips, 3)
    for heard in (noisy, roomy, phoned):
        assert [each.speaker for each in heard] == ["person 1", "person 2"]
        assert all(each.clip.samples.shape == (CLIP_SAMPLES,) for each in heard)
    before, after = to_sound(clips[0].clip.samples), to_sound(noisy[0].clip.samples)
    ratio_db = 10 * np.log10(np.mean(before**2) / np.mean((after - before) ** 2))
    assert SNR_LOW_DB - 0.2 <= ratio_db <= SNR_HIGH_DB + 0.2
    spectrum = np.abs(np.fft.rfft(to_sound(phoned[0].clip.samples))) ** 2
    hertz = np.fft.rfftfreq(CLIP_SAMPLES, 1 / SAMPLE_RATE_HZ)
    assert spectrum[hertz > 6000].sum() < 0.01 * spectrum.sum()
    assert not np.array_equal(roomy[0].clip.samples, clips[0].clip.samples)


def test_copies_repeat_for_a_seed_and_leave_the_clips_as_they_were() -> None:
    clips = [spoken(1)]
    untouched = clips[0].clip.samples.copy()
    one, again, other = (copies(clips, seed)[0][0].clip.samples for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(clips[0].clip.samples, untouched)


def test_recorded_noise_and_rooms_are_used_where_there_are_any() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ).astype(np.float32)
    heard = []
    for seed in range(12):
        before = spoken(1)
        noise = to_sound(copies([before], seed, Surroundings([tone], [], NOTHING_RECORDED.babble))[0][0].clip.samples)
        added = np.abs(np.fft.rfft(noise - to_sound(before.clip.samples)))
        heard.append(int(np.argmax(added)) == 440 * 3)
    assert 2 <= sum(heard) <= 10


def voices(rng: np.random.Generator, *, with_copies: bool) -> Voices:
    embeddings = unit_length(rng.standard_normal((8, 6)).astype(np.float32))
    others = unit_length(rng.standard_normal((24, 6)).astype(np.float32)).reshape(3, 8, 6)
    return Voices(embeddings, np.ones(8), ("Anna",) * 4 + ("Bruno",) * 4, ("1",) * 8, others if with_copies else None)


def test_copies_are_enrolled_beside_the_clips_half_as_finely() -> None:
    rng = np.random.default_rng(5)
    cohort = unit_length(rng.standard_normal((10, 6)).astype(np.float32))
    calibration = Calibration(slope=1.0, intercept=0.0, cohort_top=5)
    heard = voices(rng, with_copies=True)
    head = enrol(heard, cohort, calibration, prototypes=4)
    assert [int(np.sum(head.owners == owner)) for owner in (0, 1)] == [4 + 3 * 2] * 2
    assert heard.copies is not None
    # A clip as it was heard in a room is its own best prototype's neighbour, not a stranger to it.
    pair = unit_length(heard.copies[1, 0:2].mean(axis=0))
    assert np.abs(head.prototypes[head.owners == 0] @ pair).max() == pytest.approx(1.0, abs=1e-5)
    alone = enrol(voices(rng, with_copies=False), cohort, calibration, prototypes=4)
    assert len(alone.prototypes) == 8


def test_choosing_and_joining_keep_each_clips_copies_with_it() -> None:
    rng = np.random.default_rng(6)
    heard, plain = voices(rng, with_copies=True), voices(rng, with_copies=False)
    some = chosen(heard, np.array([5, 0]))
    assert heard.copies is not None
    assert some.copies is not None
    assert np.array_equal(some.copies, heard.copies[:, [5, 0]])
    assert some.speakers == ("Bruno", "Anna")
    both = joined(heard, some)
    assert both.copies is not None
    assert both.copies.shape == (3, 10, 6)
    assert joined(heard, plain).copies is None
