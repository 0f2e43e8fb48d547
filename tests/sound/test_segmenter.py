"""Frames in, clips out."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import AudioFormatError, ConfigError
from device.sound.pcm import CLIP_SAMPLES, FRAME_SAMPLES, Clip, Frame
from device.sound.segmenter import Heard, Segmenter, SegmenterSpec, UtteranceEnded, UtteranceStarted, repeat_to_clip

SPEC = SegmenterSpec(onset_frames=2, onset_window_frames=3, pre_roll_frames=5, hangover_frames=10)


def push(segmenter: Segmenter, marks: str) -> list[Heard]:
    """``marks``: one letter a frame, s for speech; frame k holds the sample value k."""
    heard: list[Heard] = []
    for index, mark in enumerate(marks):
        frame = Frame(np.full(FRAME_SAMPLES, index % 30000, dtype=np.int16), (index + 1) * 0.02)
        heard += segmenter.push(frame, mark == "s")
    return heard


def clips(heard: list[Heard]) -> list[Clip]:
    return [each for each in heard if isinstance(each, Clip)]


def test_silence_gives_nothing() -> None:
    assert push(Segmenter(SPEC), "." * 1000) == []


def test_a_click_shorter_than_the_onset_starts_nothing() -> None:
    assert push(Segmenter(SPEC), "....s.......s....") == []


def test_an_utterance_starts_with_its_pre_roll() -> None:
    heard = push(Segmenter(SPEC), "." * 20 + "s" * 200)
    assert isinstance(heard[0], UtteranceStarted)
    assert heard[0].at_seconds == pytest.approx(0.40)
    (clip,) = clips(heard)
    # The onset is confirmed at frame 21; its pre-roll of 5 frames begins at frame 17.
    assert clip.samples[0] == 17
    assert not clip.filled


def test_a_long_utterance_gives_further_clips_without_overlap() -> None:
    first, second = clips(push(Segmenter(SPEC), "s" * 302))
    assert second.samples[0] == first.samples[-1] + 1
    assert (first.index, second.index) == (0, 1)


def test_a_short_utterance_is_filled_by_repeating_its_speech() -> None:
    (clip,) = clips(push(Segmenter(SPEC), "." * 8 + "s" * 60 + "." * 20))
    assert clip.filled
    assert clip.speech_seconds == pytest.approx(1.2)
    speech = np.repeat(np.arange(8, 68), FRAME_SAMPLES).astype(np.int16)
    assert np.array_equal(clip.samples, np.resize(speech, CLIP_SAMPLES))


@pytest.mark.parametrize(("frames", "expected"), [(49, 0), (50, 1)])
def test_min_speech_seconds_is_the_border(frames: int, expected: int) -> None:
    heard = push(Segmenter(SPEC), "." * 8 + "s" * frames + "." * 20)
    assert len(clips(heard)) == expected
    ended = heard[-1]
    assert isinstance(ended, UtteranceEnded)
    assert ended.clips == expected


def test_a_pause_shorter_than_the_hangover_does_not_end_an_utterance() -> None:
    heard = push(Segmenter(SPEC), "s" * 40 + "." * 9 + "s" * 40 + "." * 10)
    assert sum(isinstance(each, UtteranceEnded) for each in heard) == 1


def test_a_gap_discards_the_clip_in_progress() -> None:
    segmenter = Segmenter(SPEC)
    assert clips(push(segmenter, "s" * 140)) == []
    assert segmenter.discard() is True
    # Twenty more frames would have completed the clip; they are too little speech alone.
    assert clips(push(segmenter, "s" * 20 + "." * 20)) == []


def test_discarding_silence_says_that_nothing_was_lost() -> None:
    assert Segmenter(SPEC).discard() is False


@given(st.text(alphabet="s.", max_size=600))
def test_every_clip_has_enough_speech_and_nothing_is_heard_twice(marks: str) -> None:
    segmenter = Segmenter(SPEC)
    heard = push(segmenter, marks) + list(segmenter.flush())
    found = clips(heard)
    assert all(clip.speech_seconds >= SPEC.min_speech_seconds - 1e-6 for clip in found)
    for earlier, later in pairwise(found):
        assert later.started_at_seconds >= earlier.ended_at_seconds - 1e-6


def test_the_filling_rule_repeats_and_cuts() -> None:
    filled = repeat_to_clip(np.array([1, 2, 3], dtype=np.int16))
    assert filled.shape == (CLIP_SAMPLES,)
    assert filled[:7].tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_impossible_specs_are_refused_with_the_key() -> None:
    with pytest.raises(ConfigError, match="pre_roll_frames"):
        SegmenterSpec(pre_roll_frames=3)


def test_a_frame_of_another_shape_cannot_exist() -> None:
    with pytest.raises(AudioFormatError, match=r"float64\[320\]"):
        Frame(np.zeros(FRAME_SAMPLES), 0.0)  # type: ignore[arg-type]
