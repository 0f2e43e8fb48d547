"""Long recordings through the door: who was there, when, and in how much memory."""

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from device.errors import AudioFormatError
from device.service.config import PolicyConfig, policy_for
from device.service.scan import ScanSpec, Totals, per_hour, scan, whole_frames
from device.service.scan_runs import Stretch
from device.service.verified import UNSIGNED, Verified, verify
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import Segmenter, SegmenterSpec
from device.sound.vad import WebRtcDetector
from device.sound.wavfile import read_wav
from device.verdict.policy import PolicySpec
from tests.conftest import ROOT
from tests.doubles import LoudnessDetector, ScriptedScorer, loud, quiet

EVENING = ROOT / "device" / "simulated" / "evening"
# Name of the voice, where it begins in seconds.
VOICES = (("anna", 20.0), ("collector", 90.0), ("bruno", 200.0), ("courier", 290.0), ("clara", 380.0),
          ("friend", 500.0), ("david", 700.0), ("slam", 790.0), ("anna", 860.0))  # fmt: skip
HOUSEHOLD = {"anna": "Anna", "bruno": "Bruno", "clara": "Clara", "david": "David"}


@pytest.fixture(scope="module")
def demo() -> Verified:
    return verify(ROOT / "models" / "demo", trust=UNSIGNED)


@pytest.fixture(scope="module")
def quarter_of_an_hour() -> Samples:
    sound = np.random.default_rng(5).normal(0, 20, 900 * SAMPLE_RATE_HZ).astype(np.int16)
    for voice, start_seconds in VOICES:
        said, start = read_wav(EVENING / f"{voice}.wav"), round(start_seconds * SAMPLE_RATE_HZ)
        sound[start : start + len(said)] = said
    return sound


def cut(sound: Samples, samples: int) -> Iterator[Samples]:
    for start in range(0, len(sound), samples):
        yield sound[start : start + samples]


def scanned(demo: Verified, sound: Samples, *, block_samples: int = 160_000) -> tuple[list[Stretch], Totals]:
    bundle, totals = demo.bundle, Totals()
    spec = ScanSpec(scorer=demo.scorer, policy=policy_for(bundle, PolicyConfig()), gap_seconds=8.0)
    detector, segmenter = WebRtcDetector(bundle.vad), Segmenter(bundle.segmenter)
    return list(scan(cut(sound, block_samples), spec, detector, segmenter, totals)), totals


def scripted(*script: float, gap_seconds: float = 8.0) -> ScanSpec:
    policy = PolicySpec(open_llr=5.0, refuse_llr=-2.0)
    return ScanSpec(scorer=ScriptedScorer(script), policy=policy, gap_seconds=gap_seconds)


def test_residents_are_found_where_they_speak_and_strangers_are_nobody(
    demo: Verified, quarter_of_an_hour: Samples
) -> None:
    found, totals = scanned(demo, quarter_of_an_hour)
    events = [each for each in found if each.resident is not None]
    spoken = [(HOUSEHOLD[voice], start) for voice, start in VOICES if voice in HOUSEHOLD]
    assert [each.resident for each in events] == [name for name, _ in spoken]
    for event, (_, start) in zip(events, spoken, strict=True):
        assert event.started_at_seconds == pytest.approx(start, abs=1.0)
        assert start + 3.0 < event.ended_at_seconds < start + 15.0
    assert totals.events == {"Anna": 2, "Bruno": 1, "Clara": 1, "David": 1}
    assert totals.seconds == 900.0
    # Whoever speaks on after the cool-down opens again, and is still one event.
    assert totals.openings >= 5
    strangers = [each.started_at_seconds for each in found if each.resident is None]
    assert strangers == pytest.approx([90.0, 290.0, 500.0], abs=1.0)


def test_the_result_does_not_depend_on_the_blocks(demo: Verified, quarter_of_an_hour: Samples) -> None:
    part = quarter_of_an_hour[: 320 * SAMPLE_RATE_HZ]
    whole = scanned(demo, part, block_samples=len(part))
    assert len(whole[0]) == 4
    for block_samples in (4_999, 16_000, 1_000_003):
        assert scanned(demo, part, block_samples=block_samples) == whole


def test_two_scans_with_one_scorer_know_nothing_of_each_other(demo: Verified) -> None:
    anna = read_wav(EVENING / "anna.wav")
    assert scanned(demo, anna) == scanned(demo, anna)


def test_never_more_than_a_few_blocks_are_in_memory_however_long_the_recording() -> None:
    alive_samples = most_samples = given_samples = 0

    def forget(samples: int) -> None:
        nonlocal alive_samples
        alive_samples -= samples

    def blocks() -> Iterator[Samples]:
        nonlocal alive_samples, most_samples, given_samples
        for _ in range(60):
            block = np.concatenate([loud(4.0), quiet(6.0)])
            weakref.finalize(block, forget, len(block))
            alive_samples += len(block)
            given_samples += len(block)
            most_samples = max(most_samples, alive_samples)
            yield block
            del block

    totals = Totals()
    found = list(scan(blocks(), scripted(), LoudnessDetector(), Segmenter(SegmenterSpec()), totals))
    assert found
    assert totals.seconds == 600.0 == given_samples / SAMPLE_RATE_HZ
    assert most_samples <= 3 * 160_000


def test_what_was_found_is_given_while_the_recording_is_still_heard() -> None:
    given = 0

    def blocks() -> Iterator[Samples]:
        nonlocal given
        for _ in range(50):
            given += 1
            yield np.concatenate([loud(4.0), quiet(16.0)])

    found = scan(blocks(), scripted(9.0), LoudnessDetector(), Segmenter(SegmenterSpec()), Totals())
    first = next(found)
    assert first.resident == "Anna"
    assert given <= 3


def test_an_event_at_the_very_end_is_found() -> None:
    totals = Totals()
    spec = scripted(9.0)
    (event,) = scan([quiet(5.0), loud(2.0)], spec, LoudnessDetector(), Segmenter(SegmenterSpec()), totals)
    assert (event.resident, event.ended_at_seconds) == ("Anna", pytest.approx(7.0))
    assert totals.events == {"Anna": 1}


def test_a_recording_without_speech_has_no_stretches_and_one_with_too_little_says_so() -> None:
    totals = Totals()
    sound = [quiet(5.0), loud(0.5), quiet(5.0)]
    assert not list(scan(sound, scripted(), LoudnessDetector(), Segmenter(SegmenterSpec()), totals))
    assert (totals.clips, totals.too_short) == (0, 1)


def test_what_the_reader_raises_ends_the_scan() -> None:
    def blocks() -> Iterator[Samples]:
        yield loud(1.0)
        raise AudioFormatError("cut short")

    with pytest.raises(AudioFormatError, match="cut short"):
        list(scan(blocks(), scripted(), LoudnessDetector(), Segmenter(SegmenterSpec()), Totals()))


def test_frames_are_whole_but_for_the_last() -> None:
    sound = np.arange(1000, dtype=np.int16)
    blocks = list(whole_frames(cut(sound, 7)))
    assert np.array_equal(np.concatenate(blocks), sound)
    assert all(len(each) % 320 == 0 for each in blocks[:-1])


def test_density_is_events_an_hour() -> None:
    assert per_hour(3, 1800.0) == 6.0
    assert per_hour(0, 0.0) == 0.0


def test_the_door_itself_is_what_scans() -> None:
    """The policy's cool-down, wait and evidence hold as they do at the door, where they are asked for."""
    totals = Totals()
    sound = [part for _ in range(8) for part in (loud(3.0), quiet(9.0))]
    found = list(scan(sound, scripted(*[-9.0] * 7, 9.0), LoudnessDetector(), Segmenter(SegmenterSpec()), totals))
    assert [each.decision.value for each in found] == ["refuse"] * 7 + ["locked_out"]
    assert found[7].resident == "Anna"
    assert totals.openings == 0
