"""A print knows a recording again, through another level, band and noise, and does not know another take."""

import numpy as np
import pytest
from scipy import signal

from device.errors import AudioFormatError
from device.replay.guard import THRESHOLD
from device.replay.likeness import likeness
from device.replay.prints import Print, PrintSpec, contrasts_of, print_of, sound_of
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Samples
from device.sound.segmenter import repeat_to_clip

SPEC = PrintSpec()


def voice(seed: int, *, seconds: float = 3.0, pitch_hz: float = 120.0) -> Samples:
    """A buzz whose pitch wanders as a speaker's does, syllable by syllable, int16."""
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    knots = np.linspace(0, length, max(4, int(6 * seconds)))
    pitch = np.interp(np.arange(length), knots, pitch_hz * 2 ** (rng.normal(0, 3.0, len(knots)) / 12))
    loud = np.interp(np.arange(length), knots, rng.uniform(0.1, 1.0, len(knots)))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    sound = loud * sum(np.sin(k * phase) / k for k in range(1, 25))
    return (sound / np.abs(sound).max() * 12_000).astype(np.int16)


def alike(heard: Samples, remembered: Samples) -> float:
    return likeness(contrasts_of(heard, SPEC), [print_of(remembered, SPEC)], SPEC)


def at_speed(sound: Samples, speed: float) -> Samples:
    """Played ``speed`` times as fast, so that its pitch is higher too."""
    places = np.arange(0.0, len(sound) - 1, speed)
    return np.interp(places, np.arange(len(sound)), sound).astype(np.int16)


def noisy(sound: Samples, snr_db: float, seed: int = 99) -> Samples:
    noise = np.random.default_rng(seed).normal(0, 1, len(sound))
    scale = np.sqrt(np.mean(sound.astype(float) ** 2)) * 10 ** (-snr_db / 20)
    return np.clip(sound + noise * scale, -32768, 32767).astype(np.int16)


def test_the_same_recording_is_alike_at_any_level() -> None:
    sound = voice(1)
    assert alike(sound, sound) > 3 * THRESHOLD
    assert alike(sound // 30, sound) > 2 * THRESHOLD


def test_a_band_and_noise_and_another_beginning_do_not_hide_a_recording() -> None:
    sound = voice(1, seconds=4.0)
    sections = signal.butter(2, (300, 4000), btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    played = noisy(signal.sosfilt(sections, sound).astype(np.int16), 15.0)
    assert alike(played[5_432 : 5_432 + CLIP_SAMPLES], noisy(sound[:CLIP_SAMPLES], 20.0, seed=3)) > THRESHOLD


@pytest.mark.parametrize("speed", [0.94, 0.955, 0.973, 0.985, 0.995, 1.005, 1.015, 1.027, 1.045, 1.06])
def test_another_speed_does_not_hide_a_recording(speed: float) -> None:
    sound = voice(1, seconds=4.5)
    sections = signal.butter(2, (300, 4000), btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    played = noisy(at_speed(signal.sosfilt(sections, sound).astype(np.int16), speed), 15.0)
    assert alike(played[5_432 : 5_432 + CLIP_SAMPLES], noisy(sound[:CLIP_SAMPLES], 20.0, seed=3)) > THRESHOLD


def test_a_recording_at_another_speed_is_found_among_many() -> None:
    remembered = [print_of(voice(seed), SPEC) for seed in range(20, 60)]
    played = contrasts_of(noisy(at_speed(voice(33), 1.037), 15.0)[:CLIP_SAMPLES], SPEC)
    assert likeness(played, remembered, SPEC) > THRESHOLD
    assert likeness(played, [*remembered[:13], *remembered[14:]], SPEC) < THRESHOLD


@pytest.mark.parametrize("speed", [0.85, 1.15])
def test_far_beyond_the_speeds_that_are_searched_nothing_is_found(speed: float) -> None:
    """Not wished for, but so it is: the README says it."""
    assert alike(at_speed(voice(1), speed)[:CLIP_SAMPLES], voice(1)) < THRESHOLD


def test_a_recording_whose_pitch_alone_was_raised_is_found_too() -> None:
    assert alike(voice(1, pitch_hz=124.8), voice(1)) > THRESHOLD


def test_other_speech_of_the_same_pitch_is_not_alike() -> None:
    assert max(alike(voice(seed), voice(1)) for seed in range(2, 12)) < THRESHOLD


def test_a_hum_that_goes_on_in_both_is_not_a_recording() -> None:
    hum = (2000 * np.sin(2 * np.pi * 250 * np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ)).astype(np.int16)
    assert alike(voice(2) // 2 + hum, voice(1) // 2 + hum) < THRESHOLD


def test_a_chime_before_every_visit_is_not_a_recording() -> None:
    chime = voice(50, seconds=0.8, pitch_hz=600)
    first = np.concatenate([chime, voice(1, seconds=2.2)])
    later = np.concatenate([chime, voice(2, seconds=2.2)])
    assert alike(later, first) < THRESHOLD


@pytest.mark.parametrize("sound", [np.zeros(CLIP_SAMPLES, np.int16), np.full(CLIP_SAMPLES, 500, np.int16),
                                   np.full(CLIP_SAMPLES, -32768, np.int16)])  # fmt: skip
def test_silence_and_a_constant_are_like_nothing_and_never_not_a_number(sound: Samples) -> None:
    for other in (sound, voice(1)):
        assert 0.0 <= alike(sound, other) < THRESHOLD


def test_silence_between_words_proves_nothing() -> None:
    pause = np.zeros(24_000, np.int16)
    first, later = np.concatenate([voice(1, seconds=1.5), pause]), np.concatenate([voice(2, seconds=1.5), pause])
    assert alike(later, first) < THRESHOLD


def test_less_than_a_window_has_no_frames_and_is_like_nothing() -> None:
    assert print_of(voice(1)[:1000], SPEC).frames == 0
    assert alike(voice(1)[:1000], voice(1)) == 0.0
    assert likeness(contrasts_of(voice(1), SPEC), [], SPEC) == 0.0


def test_the_filling_of_a_short_clip_is_left_out() -> None:
    spoken = voice(1, seconds=1.2)
    clip = Clip(repeat_to_clip(spoken), 1.0, True, 0, 10.0, 11.2)
    assert np.array_equal(sound_of(clip), spoken)


def test_what_is_joined_keeps_its_distance_in_time() -> None:
    sound = voice(1, seconds=6.0)
    first, second = contrasts_of(sound[:CLIP_SAMPLES], SPEC), contrasts_of(sound[CLIP_SAMPLES:], SPEC)
    joined = first.followed_by(second, gap_seconds=CLIP_SAMPLES / SAMPLE_RATE_HZ - first.seconds)
    middle = contrasts_of(sound[24_000:72_000], SPEC)
    parts, whole = [first.to_print(), second.to_print()], [joined.to_print()]
    assert likeness(middle, whole, SPEC) > 1.2 * likeness(middle, parts, SPEC)


def test_a_print_of_the_wrong_form_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="wrong form"):
        Print(np.zeros((3, 4), np.uint8), np.zeros(2, np.bool_))
