"""Visits and long recordings through the real policy and pipeline."""

import numpy as np
import pytest

from device.simulated.microphone import silence
from device.sound.pcm import Clip
from device.sound.wavfile import read_wav
from device.verdict.bundle import Bundle, load_bundle
from device.verdict.values import ResidentScore, Score
from tests.conftest import ROOT
from training.at_the_door import Visit, hold_visits, listen_long, tell_visits
from training.clips import SpokenClip

EVENING = ROOT / "device/simulated/evening"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(ROOT / "models" / "demo")


def spoken(person: str, *, speech_seconds: float = 2.5, session: str = "1") -> SpokenClip:
    clip = Clip(np.zeros(48000, dtype=np.int16), speech_seconds, False, 0, 0.0, 3.0)
    return SpokenClip(person, session, clip)


def says(llr: float) -> Score:
    return Score((ResidentScore("Anna", llr, 0.5), ResidentScore("Bruno", -9.0, 0.0)), 1.0)


def test_a_visit_opens_when_the_evidence_adds_up_and_says_after_how_much_speech(bundle: Bundle) -> None:
    half = bundle.thresholds.open_llr * 0.6
    held = hold_visits(bundle, [spoken("Anna")] * 3, [says(half)] * 3)
    assert held == [Visit("Anna", True, 5.0)]


def test_a_visit_that_never_reaches_the_threshold_does_not_open(bundle: Bundle) -> None:
    held = hold_visits(bundle, [spoken("Olaf")] * 3, [says(0.1)] * 3)
    assert held == [Visit("Olaf", False, 7.5)]
    told = tell_visits(held)
    assert (told["opened"], told["speech_seconds_until_open"]) == (0, None)


def test_clips_of_another_session_or_person_are_another_visit(bundle: Bundle) -> None:
    clips = [spoken("Anna"), spoken("Anna", session="2"), spoken("Bruno"), *[spoken("Carla")] * 4]
    held = hold_visits(bundle, clips, [says(0.1)] * 7)
    assert [each.person for each in held] == ["Anna", "Anna", "Bruno", "Carla", "Carla"]


def test_nobody_let_in_is_told_with_bounds_by_visit_and_by_person() -> None:
    told = tell_visits([Visit(f"s{number % 10}", False, 3.0) for number in range(100)])
    # The rule of three: about 3 in 100 visits, and 26 in 100 people where ten were seen.
    assert told["upper_bound"] == pytest.approx(0.0295, abs=1e-3)
    assert told["people_upper_bound"] == pytest.approx(0.259, abs=1e-3)
    assert told["people_let_in"] == 0


def test_long_recordings_count_every_opening_and_the_hours_heard(bundle: Bundle) -> None:
    # Only so much that she opens once: after the cool-down she would open again.
    anna = read_wav(EVENING / "anna.wav")[: 5 * 16000]
    pause = silence(6.0)
    told = listen_long(bundle, [np.concatenate([anna, pause, anna, pause])])
    assert told["openings"] == 2
    assert told["hours"] == pytest.approx(2 * (len(anna) + len(pause)) / 16000 / 3600)
    assert told["per_hour"] == pytest.approx(told["openings"] / told["hours"])
    assert told["upper_bound_per_hour"] > told["per_hour"]


def test_noise_opens_nothing_and_nothing_heard_has_no_bound(bundle: Bundle) -> None:
    noise = (np.random.default_rng(1).standard_normal(160_000) * 2000).astype(np.int16)
    told = listen_long(bundle, [noise, silence(20.0)])
    assert told["openings"] == 0
    assert told["upper_bound_per_hour"] == pytest.approx(2.996 / told["hours"], rel=1e-3)
    assert listen_long(bundle, [])["upper_bound_per_hour"] is None


def test_a_talkative_stranger_is_judged_all_along_and_not_hidden_by_the_lock_out(bundle: Bundle) -> None:
    told = listen_long(bundle, [np.concatenate([read_wav(EVENING / "courier.wav"), silence(1.0)] * 8)])
    assert told["openings"] == 0
    assert told["decisions"] >= 8
