"""The door's scan over recordings in other forms than its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import AudioFormatError
from device.sound.wavfile import read_wav
from tests.conftest import ROOT
from training import cli
from training.corpus.measures import as_heard
from training.scan import open_sound

EVENING = ROOT / "device" / "simulated" / "evening"


@pytest.fixture
def anna() -> np.ndarray:
    """Twice her visit with silence around, float32 ``(n,)`` at 16 kHz."""
    visit = np.pad(read_wav(EVENING / "anna.wav"), 16_000 * 10)
    return np.concatenate([visit, visit]).astype(np.float32) / 32_768


def test_flac_and_stereo_are_scanned_like_the_doors_own_wav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], anna: np.ndarray
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, sound in (("a.flac", anna), ("b.wav", np.stack([anna, anna], axis=1)), ("c.ogg", anna)):
        soundfile.write(name, sound, 16_000)
    assert cli.main(["scan", ".", "--bundle", str(ROOT / "models" / "demo"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert [(each["file"], each["residents"]) for each in summary["files"]] == [
        (name, {"Anna": 2}) for name in ("a.flac", "b.wav", "c.ogg")]  # fmt: skip
    lines = (tmp_path / "scan" / "results.csv").read_text().splitlines()
    of = {name: [line.split(",", 1)[1] for line in lines if line.startswith(name)] for name in ("a.flac", "b.wav")}
    assert of["a.flac"] == of["b.wav"]


@pytest.mark.parametrize("rate_hz", [16_000, 22_050])
def test_the_blocks_are_what_training_hears_whatever_their_length(
    tmp_path: Path, rate_hz: int, anna: np.ndarray
) -> None:
    path = tmp_path / "a.flac"
    stereo = np.stack([anna, -0.5 * anna], axis=1)[: 5 * rate_hz]
    soundfile.write(path, stereo, rate_hz)
    whole = as_heard(soundfile.read(path, dtype="float32", always_2d=True)[0], rate_hz)
    for block_seconds in (0.3, 2.0, 100.0):
        blocks = list(open_sound(path).blocks(block_seconds=block_seconds))
        assert np.array_equal(np.concatenate(blocks), whole)
        assert max(map(len, blocks)) <= block_seconds * 16_000 + 4000
    assert open_sound(path).seconds == pytest.approx(5.0)


@pytest.mark.parametrize("what", ["text", "absent", "empty", "rate"])
def test_what_cannot_be_decoded_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.wav"
    match what:
        case "text":
            path.write_text("no sound")
        case "empty":
            soundfile.write(path, np.zeros(0), 16_000)
        case "rate":
            soundfile.write(path, np.zeros(100), 4_000)
    with pytest.raises(AudioFormatError):
        open_sound(path)


def test_values_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([0.0, np.nan, 0.0]), 16_000, subtype="FLOAT")
    with pytest.raises(AudioFormatError, match="not numbers"):
        list(open_sound(path).blocks())


def test_a_flac_file_that_was_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 160_000), 16_000)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(AudioFormatError):
        list(open_sound(path).blocks())
