"""What becomes a take, and which takes are good enough."""

from collections.abc import Iterable

import numpy as np
import pytest

from device.enrolment.prompts import MANNERS
from device.enrolment.takes import LONGEST_TAKE_SECONDS, Lost, NoiseCutter, Take, TakeCutter, judge_noise, judge_take
from device.sound.pcm import Frame, Gap, Samples
from device.sound.segmenter import frames_of
from tests.doubles import LoudnessDetector, quiet

NORMAL = MANNERS[0]
WHISPERED = next(each for each in MANNERS if each.name == "whispered")
RNG = np.random.default_rng(7)


def voice(seconds: float, *, level_dbfs: float = -20.0) -> Samples:
    """Noise at a level: what :class:`LoudnessDetector` calls speech."""
    deviation = 32768 * 10 ** (level_dbfs / 20)
    return np.clip(RNG.normal(0.0, deviation, round(seconds * 16_000)), -32768, 32767).astype(np.int16)


def heard(*parts: Samples | Gap) -> list[Take | Lost]:
    cutter, detector = TakeCutter(), LoudnessDetector()
    found = [cutter.push(item, isinstance(item, Frame) and detector.is_speech(item)) for item in items(parts)]
    return [each for each in [*found, cutter.flush()] if each is not None]


def items(parts: Iterable[Samples | Gap]) -> Iterable[Frame | Gap]:
    for part in parts:
        if isinstance(part, Gap):
            yield part
        else:
            yield from frames_of(part)


def a_take(sound: Samples, *, noise_dbfs: float = -70.0) -> Take:
    """``sound`` amid a second of background on either side."""
    margin = voice(1.0, level_dbfs=noise_dbfs)
    samples = np.concatenate([margin, sound, margin])
    frames = len(sound) // 320
    return Take(samples, np.array([False] * 50 + [True] * frames + [False] * 50))


def test_a_sentence_with_a_comma_is_one_take_with_the_background_around_it() -> None:
    (take,) = heard(quiet(2.0), voice(1.5), quiet(0.8), voice(1.0), quiet(2.0))
    assert isinstance(take, Take)
    assert take.speech_seconds == pytest.approx(2.5)
    # Nearly a second before the first word, one after the last.
    assert 4.9 <= len(take.samples) / 16_000 <= 5.4


def test_two_sentences_are_two_takes() -> None:
    takes = heard(voice(1.5), quiet(1.5), voice(1.2), quiet(1.5))
    assert [each.speech_seconds for each in takes if isinstance(each, Take)] == pytest.approx([1.5, 1.2])


def test_a_gap_drops_the_take_in_progress_and_says_so() -> None:
    lost, take = heard(voice(1.0), Gap("overflow", 0.0), voice(1.5), quiet(1.5))
    assert lost == Lost("overflow")
    assert isinstance(take, Take)
    assert take.speech_seconds == pytest.approx(1.5)


def test_a_gap_between_takes_loses_nothing() -> None:
    assert heard(quiet(1.0), Gap("overflow", 0.0), quiet(1.0)) == []


def test_somebody_who_never_falls_silent_is_cut_off() -> None:
    first, *_ = heard(voice(45.0))
    assert isinstance(first, Take)
    assert len(first.samples) / 16_000 == pytest.approx(LONGEST_TAKE_SECONDS)


def test_a_clean_take_is_good() -> None:
    judged = judge_take(a_take(voice(2.0)), NORMAL)
    assert judged.good, judged.problem
    assert judged.speech_seconds == pytest.approx(2.0)
    assert judged.level_dbfs == pytest.approx(-20.0, abs=0.5)
    assert judged.snr_db == pytest.approx(50.0, abs=2.0)


@pytest.mark.parametrize(
    ("take", "reason"),
    [
        (a_take(voice(2.0, level_dbfs=-5.0)), "clipped"),
        (a_take(voice(0.8)), "too little speech"),
        (a_take(voice(2.0, level_dbfs=-50.0)), "too quiet"),
        (a_take(voice(2.0), noise_dbfs=-28.0), "too noisy"),
    ],
)
def test_a_bad_take_is_refused_with_the_reason_and_what_to_do(take: Take, reason: str) -> None:
    problem = judge_take(take, NORMAL).problem
    assert problem.startswith(reason)
    assert ":" in problem


def test_a_whisper_may_be_quieter_and_nearer_to_the_noise_than_a_voice() -> None:
    take = a_take(voice(2.0, level_dbfs=-50.0), noise_dbfs=-59.0)
    assert not judge_take(take, NORMAL).good
    assert judge_take(take, WHISPERED).good


def test_background_is_cut_every_20_s_and_refused_where_somebody_talks() -> None:
    cutter = NoiseCutter()
    sound = voice(41.0, level_dbfs=-60.0)
    takes = [take for frame in frames_of(sound) if (take := cutter.push(frame, False)) is not None]
    assert [len(each.samples) for each in takes if isinstance(each, Take)] == [320_000, 320_000]
    assert cutter.speaking
    assert all(judge_noise(each).good for each in takes if isinstance(each, Take))
    talk = Take(sound[:320_000], np.arange(1000) < 100)
    assert "sounds like speech" in judge_noise(talk).problem
    assert "clipped" in judge_noise(Take(voice(20.0, level_dbfs=-3.0), np.zeros(1000, dtype=bool))).problem


def test_a_gap_drops_the_background_in_progress() -> None:
    cutter = NoiseCutter()
    assert cutter.push(Gap("overflow", 0.0), False) is None
    cutter.push(Frame(voice(0.02), 0.02), False)
    assert cutter.push(Gap("overflow", 0.0), False) == Lost("overflow")
    assert not cutter.speaking
