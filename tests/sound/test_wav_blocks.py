"""A WAV file block by block."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from device.errors import AudioFormatError
from device.sound.pcm import Samples
from device.sound.wavblocks import open_wav
from device.sound.wavfile import read_wav, write_wav


def noise(seconds: float, rate_hz: int = 16_000) -> Samples:
    return np.random.default_rng(3).normal(0, 3000, round(seconds * rate_hz)).astype(np.int16)


def written(path: Path, samples: Samples, *, rate_hz: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", "not compressed"))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("block_seconds", [0.013, 1.0, 2.5, 100.0])
def test_the_blocks_are_the_file_and_none_is_longer_than_asked(tmp_path: Path, block_seconds: float) -> None:
    sound = noise(7.3)
    write_wav(tmp_path / "a.wav", sound)
    wav = open_wav(tmp_path / "a.wav")
    blocks = list(wav.blocks(block_seconds=block_seconds))
    assert wav.seconds == pytest.approx(7.3)
    assert np.array_equal(np.concatenate(blocks), sound)
    assert max(map(len, blocks)) <= block_seconds * 16_000


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100])
def test_another_rate_comes_out_the_same_whatever_the_blocks(tmp_path: Path, rate_hz: int) -> None:
    path = written(tmp_path / "a.wav", noise(5.0, rate_hz), rate_hz=rate_hz)
    wav, whole = open_wav(path), read_wav(path)
    for block_seconds in (0.1, 0.37, 2.0, 100.0):
        sound = np.concatenate(list(wav.blocks(block_seconds=block_seconds)))
        assert np.array_equal(sound, whole)


def test_a_file_that_was_cut_short_is_refused_before_it_is_heard(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", noise(2.0))
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(AudioFormatError, match="cut short"):
        open_wav(path)


def test_a_file_that_shrinks_while_it_is_heard_is_an_error_at_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", noise(4.0))
    wav = open_wav(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(AudioFormatError, match="cut short"):
        list(wav.blocks(block_seconds=0.5))


def test_chunks_after_the_sound_are_no_sound(tmp_path: Path) -> None:
    sound = noise(1.0)
    path = written(tmp_path / "a.wav", sound)
    path.write_bytes(path.read_bytes() + b"LIST\x04\x00\x00\x00abcd")
    assert np.array_equal(np.concatenate(list(open_wav(path).blocks())), sound)


@pytest.mark.parametrize("what", ["empty", "rate", "text", "nothing", "folder"])
def test_what_is_no_complete_wav_is_refused_with_its_name(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.wav"
    match what:
        case "empty":
            written(path, noise(0.0))
        case "rate":
            written(path, noise(1.0), rate_hz=4000)
        case "text":
            path.write_text("not sound at all, but long enough for a header")
        case "folder":
            path.mkdir()
    with pytest.raises(AudioFormatError) as caught:
        open_wav(path)
    assert str(path) in str(caught.value)
