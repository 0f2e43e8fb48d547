"""The study's parts: what is played again is known, what is said again is not; on real speech where there is some."""

from pathlib import Path

import numpy as np

from device.replay.guard import THRESHOLD
from device.sound.pcm import SAMPLE_RATE_HZ
from tests.replay.test_prints import voice
from training.effects import to_sound
from training.replay_paths import Place, at_the_door, played_again, said_again
from training.replay_study import FALSE_ALARMS, _half, _rows, _scores


def quiet_place() -> Place:
    rng = np.random.default_rng(0)
    return Place([[np.eye(1, 800, dtype=np.float32)[0]]], [rng.normal(0, 1, 48_000).astype(np.float32)], 25.0, 30.0)


def test_a_second_take_is_as_long_as_the_first_give_or_take_and_another_sound() -> None:
    rng = np.random.default_rng(5)
    first = to_sound(voice(1))
    lengths = [len(said_again(first, rng)) / len(first) for _ in range(8)]
    assert 0.75 < min(lengths) < max(lengths) < 1.3
    assert len({round(each, 4) for each in lengths}) == 8
    assert all(np.isfinite(said_again(first, rng)))


def test_playing_again_limits_the_band_and_may_change_the_pace() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 5 * SAMPLE_RATE_HZ).astype(np.float32)
    played = played_again(sound, quiet_place(), np.random.default_rng(2))
    power = np.abs(np.fft.rfft(played)) ** 2
    hertz = np.fft.rfftfreq(len(played), 1 / SAMPLE_RATE_HZ)
    assert power[hertz < 60].mean() < 0.05 * power[(hertz > 600) & (hertz < 3000)].mean()
    slower = played_again(sound, quiet_place(), np.random.default_rng(2), speed=0.5)
    assert len(slower) > 1.9 * len(played)


def test_the_door_hears_clips_in_a_place() -> None:
    (clip,) = at_the_door(to_sound(voice(1, seconds=2.0)), quiet_place(), np.random.default_rng(3), room=0)
    assert clip.filled


def test_on_real_speech_recordings_are_told_from_second_takes(speech_pack: Path) -> None:
    half = _half(speech_pack, _rows(speech_pack), "evaluate", each=1, seed=11)
    few = type(half)(half.spoken[:16], half.first, half.later, half.replayed)
    scores = _scores(few, np.random.default_rng(1), lambda _: None, speeds=(0.955, 1.035))
    recordings = [kind for kind in scores if kind.startswith("replayed")]
    matched = {kind: sum(each >= THRESHOLD for each in found) for kind, found in scores.items()}
    print({kind: f"{matched[kind]} of {len(found)}" for kind, found in scores.items()})
    people = max(np.median(scores[kind]) for kind in FALSE_ALARMS[:2])
    assert len(recordings) == 3
    for kind in recordings:
        assert np.median(scores[kind]) > 1.5 * people
        # At its own speed four of five are recognised, at another one half (README, Measured): far less is a defect.
        assert matched[kind] >= len(scores[kind]) * (0.5 if kind == "replayed" else 0.25)
    assert sum(matched[kind] for kind in FALSE_ALARMS) <= 1
    assert all(len(scores[kind]) >= 14 for kind in (*recordings, *FALSE_ALARMS[:2]))
