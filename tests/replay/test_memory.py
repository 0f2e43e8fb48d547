"""What the door remembers is bounded, and what is worth stealing is remembered longest."""

import numpy as np
import pytest

from device.errors import StateError
from device.replay.guard import ReplayDetector
from device.replay.memory import ReplayMemory
from device.replay.prints import Print
from device.sound.pcm import CLIP_SAMPLES, Clip, Samples
from tests.replay.test_prints import voice


def made(number: int) -> Print:
    return Print(np.full((20, 4), number, np.uint8), np.ones(20, np.bool_))


def numbers(memory: ReplayMemory, *, now: float = 0.0) -> list[int]:
    return [int(each.packed[0, 0]) for each in memory.prints(now_seconds=now)]


def clip(samples: Samples, *, index: int = 0, start: float = 0.0) -> Clip:
    return Clip(samples, 3.0, False, index, start, start + 3.0)


def test_prints_expire() -> None:
    memory = ReplayMemory(keep_seconds=100.0, most_utterances=10)
    memory.add(made(1), now_seconds=0.0)
    memory.add(made(2), now_seconds=60.0)
    assert numbers(memory, now=99.0) == [1, 2]
    assert numbers(memory, now=101.0) == [2]
    assert numbers(memory, now=1000.0) == []


def test_nobody_can_talk_until_an_opening_is_forgotten() -> None:
    memory = ReplayMemory(keep_seconds=1e6, most_utterances=10)
    memory.add(made(1), now_seconds=0.0)
    memory.mark_opened(since_seconds=0.0)
    for number in range(2, 200):
        memory.add(made(number), now_seconds=float(number))
    assert numbers(memory)[0] == 1
    assert len(memory) == 10
    assert numbers(memory)[-1] == 199


def test_openings_alone_may_not_crowd_out_everything_else() -> None:
    memory = ReplayMemory(keep_seconds=1e6, most_utterances=10)
    for number in range(1, 30):
        memory.add(made(number), now_seconds=float(number))
        memory.mark_opened(since_seconds=float(number))
    memory.add(made(100), now_seconds=100.0)
    assert len(memory) == 10
    assert 100 in numbers(memory)


def test_a_memory_outlives_the_process_by_its_ages() -> None:
    memory = ReplayMemory(keep_seconds=100.0, most_utterances=10)
    memory.add(made(1), now_seconds=5_000.0)
    memory.add(made(2), now_seconds=5_050.0)
    memory.mark_opened(since_seconds=5_050.0)
    later = ReplayMemory(keep_seconds=100.0, most_utterances=10)
    later.take_arrays(memory.to_arrays(now_seconds=5_060.0), now_seconds=3.0, away_seconds=45.0)
    assert numbers(later, now=3.0) == [2]


@pytest.mark.parametrize("harm", ["frames", "age_seconds", "packed", "missing", "negative", "from the future"])
def test_arrays_that_do_not_fit_change_nothing(harm: str) -> None:
    memory = ReplayMemory(keep_seconds=100.0, most_utterances=10)
    memory.add(made(1), now_seconds=0.0)
    arrays = dict(memory.to_arrays(now_seconds=0.0))
    if harm == "missing":
        del arrays["opened"]
    elif harm == "negative":
        arrays["frames"] = np.array([-20])
    elif harm == "from the future":
        arrays["age_seconds"] = arrays["age_seconds"] - 1e6
    elif harm == "age_seconds":
        arrays[harm] = np.array([np.nan])
    else:
        arrays[harm] = arrays[harm][:-1]
    with pytest.raises(StateError, match="replay memory"):
        memory.take_arrays(arrays, now_seconds=0.0, away_seconds=0.0)
    assert numbers(memory) == [1]


def test_a_clip_heard_again_is_a_replay_and_the_first_time_is_not() -> None:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=100.0, most_utterances=10))
    assert not detector.hear(clip(voice(1)), now_seconds=0.0).replayed
    assert not detector.hear(clip(voice(2)), now_seconds=10.0).replayed
    again = detector.hear(clip(voice(1)), now_seconds=20.0)
    assert again.replayed
    assert again.compared == 2


def test_after_its_time_a_recording_is_new_again() -> None:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=100.0, most_utterances=10))
    detector.hear(clip(voice(1)), now_seconds=0.0)
    assert not detector.hear(clip(voice(1)), now_seconds=200.0).replayed


def test_the_clips_of_one_utterance_are_remembered_as_one() -> None:
    sound = voice(1, seconds=6.0)
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=100.0, most_utterances=10))
    for index in range(2):
        part = sound[index * CLIP_SAMPLES : (index + 1) * CLIP_SAMPLES]
        assert not detector.hear(clip(part, index=index, start=3.0 * index), now_seconds=3.0 * index).replayed
    assert len(detector.memory) == 1
    assert detector.hear(clip(sound[24_000:72_000], start=50.0), now_seconds=50.0).replayed


def test_a_long_utterance_becomes_several_entries() -> None:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=100.0, most_utterances=10))
    for index in range(5):
        detector.hear(clip(voice(index), index=index, start=3.0 * index), now_seconds=3.0 * index)
    assert len(detector.memory) == 3


def test_a_recording_within_the_utterance_in_progress_is_found() -> None:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=100.0, most_utterances=10))
    detector.hear(clip(voice(1)), now_seconds=0.0)
    assert detector.hear(clip(voice(1), index=1, start=3.0), now_seconds=3.0).replayed


def test_a_likeness_that_is_no_number_is_a_replay() -> None:
    from device.replay.guard import Comparison

    assert Comparison(float("nan"), 10.0, 1).replayed
