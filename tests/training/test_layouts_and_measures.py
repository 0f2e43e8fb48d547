"""Public corpora in their own layouts, and what is measured of each recording."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import ConfigError, DataError
from device.sound.measures import estimate_snr_db
from training.cli import main
from training.corpus.index import index_folder
from training.corpus.layouts import LAYOUTS, Place, parse_source
from training.corpus.measures import measure

RATE_HZ = 16000


def voice(seconds: float, *, seed: int = 0, level: float = 0.2) -> np.ndarray:
    """What the detector calls speech: a pulse train with a syllable's rhythm."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    sound = sum(np.sin(2 * np.pi * 140 * k * times + rng.uniform(0, 6)) / k for k in range(1, 25))
    return (level * sound / np.abs(sound).max() * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))).astype(np.float32)


def save(path: Path, sound: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE_HZ)


def test_librispeech_is_read_in_its_own_layout_and_residents_are_named() -> None:
    place = LAYOUTS["librispeech"]
    assert place("dev-clean/84/121123/84-121123-0001.flac") == Place("others", "librispeech-84", "121123")
    assert isinstance(place("dev-clean/84/121123/85-121123-0001.flac"), str)


def test_one_take_of_daps_is_one_session_on_whatever_device_it_was_played() -> None:
    place = LAYOUTS["daps"]
    first, second = place("clean/f1_script2_clean.wav"), place("ipad_balcony1/f1_script2_ipad_balcony1.wav")
    assert first == second == Place("others", "daps-f1", "script2")


def test_a_household_may_borrow_strangers_and_noise_from_corpora(tmp_path: Path) -> None:
    save(tmp_path / "home/allowed/Anna/a.wav", voice(1, seed=1))
    save(tmp_path / "libri/dev/84/1/84-1-0001.flac", voice(1, seed=2))
    save(tmp_path / "libri/dev/84/speech.wav", voice(1, seed=3))
    save(tmp_path / "musan/rain.wav", voice(1, seed=4))
    corpora = [parse_source(f"librispeech:{tmp_path}/libri"), parse_source(f"noise:{tmp_path}/musan")]
    index = index_folder(tmp_path / "home", corpora=corpora)
    assert [(each.role, each.speaker, each.path) for each in index.recordings] == [
        ("allowed", "Anna", "allowed/Anna/a.wav"),
        ("others", "librispeech-84", "../libri/dev/84/1/84-1-0001.flac"),
        ("noise", "", "../musan/rain.wav"),
    ]
    assert [each.path for each in index.rejected] == ["../libri/dev/84/speech.wav"]
    assert index.of("noise")[0].speech_seconds == 0.0


def test_a_corpus_alone_is_a_household_once_residents_are_named(tmp_path: Path) -> None:
    for speaker in (84, 85):
        save(tmp_path / f"dev/{speaker}/1/{speaker}-1-0001.flac", voice(1, seed=speaker))
    index = index_folder(tmp_path, layout="librispeech", allowed=["librispeech-84"])
    assert [each.speaker for each in index.of("allowed")] == ["librispeech-84"]
    with pytest.raises(DataError, match="librispeech-99"):
        index_folder(tmp_path, layout="librispeech", allowed=["librispeech-84", "librispeech-99"])
    with pytest.raises(DataError, match=r"data\.allowed"):
        index_folder(tmp_path, layout="librispeech")


@pytest.mark.parametrize("text", ["librispeech", "vctk:x", "daps:"])
def test_a_corpus_that_is_not_layout_and_folder_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="LAYOUT:FOLDER"):
        parse_source(text)


def test_level_and_clipping_are_measured_on_what_was_recorded() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)[:, None]
    assert measure(0.1 * tone, RATE_HZ).level_dbfs == pytest.approx(-23.01, abs=0.05)
    assert measure(0.1 * tone, RATE_HZ).clipped_share == 0.0
    assert measure(np.clip(2 * tone, -1, 1), RATE_HZ).clipped_share == pytest.approx(2 / 3, abs=0.01)
    one_channel = np.concatenate([np.clip(2 * tone, -1, 1), 0 * tone], axis=1)
    assert measure(one_channel, RATE_HZ).clipped_share == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0, 30.0])
def test_the_noise_of_a_recording_with_pauses_is_estimated_within_two_decibels(snr_db: float) -> None:
    rng = np.random.default_rng(5)
    speech = np.repeat([True, False, True, False], 50)
    loud = np.repeat(speech, 320) * 0.1
    noise = rng.standard_normal(len(loud)) * 0.1 * 10 ** (-snr_db / 20)
    signal = rng.standard_normal(len(loud)) * loud
    samples = np.clip((signal + noise) * 32768, -32768, 32767).astype(np.int16)
    assert estimate_snr_db(samples, speech) == pytest.approx(snr_db, abs=2.0)


def test_noise_alone_has_no_signal_and_silence_around_a_voice_no_noise() -> None:
    noise = (np.random.default_rng(1).standard_normal(RATE_HZ * 2) * 1000).astype(np.int16)
    assert estimate_snr_db(noise, np.zeros(100, dtype=bool)) < 0
    voice_then_silence = np.concatenate([noise, np.zeros_like(noise)])
    assert estimate_snr_db(voice_then_silence, np.arange(200) < 100) == 60.0


def test_net_speech_leaves_silence_out() -> None:
    sound = np.concatenate([voice(2.0), np.zeros(2 * RATE_HZ, dtype=np.float32)])[:, None]
    assert 1.5 < measure(sound, RATE_HZ).speech_seconds < 2.6


def test_the_tables_name_every_recording_and_every_reject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "home/allowed/Anna/a.wav", voice(1, seed=1))
    save(tmp_path / "home/others/Olaf/a.wav", voice(1, seed=2))
    (tmp_path / "home/others/Olaf/._a.wav").write_bytes(b"\0")
    assert main(["index", str(tmp_path / "home"), "--out", str(tmp_path / "t"), "--runs", str(tmp_path / "r")]) == 0
    assert "2 recordings, 2 speakers" in capsys.readouterr().out
    with (tmp_path / "t/index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["person"], row["role"]) for row in rows] == [("Anna", "allowed"), ("Olaf", "other")]
    assert all(float(row["speech_seconds"]) > 0 and len(row["sha256"]) == 64 for row in rows)
    with (tmp_path / "t/rejected.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["others/Olaf/._a.wav"]
