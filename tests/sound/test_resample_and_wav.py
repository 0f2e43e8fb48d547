"""Rates and files."""

import wave
from pathlib import Path

import numpy as np
import pytest

from device.errors import AudioFormatError
from device.sound.pcm import level_dbfs
from device.sound.resample import FrameCutter, StreamResampler, resample
from device.sound.wavfile import read_wav, write_wav


def tone(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.rint(10000 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.int16)


@pytest.mark.parametrize("rate_hz", [22050, 32000, 44100, 48000, 96000])
def test_what_is_above_half_the_rate_does_not_fold_back(rate_hz: int) -> None:
    folded = resample(tone(0.98 * min(rate_hz / 2, 10_500.0), rate_hz), from_hz=rate_hz)
    assert level_dbfs(folded[1000:-1000]) < level_dbfs(tone(1000, 16000)) - 60


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000])
def test_a_tone_in_band_keeps_its_level(rate_hz: int) -> None:
    kept = resample(tone(1000, rate_hz), from_hz=rate_hz)
    assert abs(level_dbfs(kept[1000:-1000]) - level_dbfs(tone(1000, 16000))) < 0.1


def test_streaming_in_pieces_equals_the_whole() -> None:
    sound, stream = tone(440, 48000), StreamResampler(48000)
    pieces = [stream.push(sound[start : start + 777]) for start in range(0, len(sound), 777)]
    pieces.append(stream.push(np.zeros(0, dtype=np.int16), last=True))
    whole = resample(sound, from_hz=48000)
    joined = np.concatenate(pieces)
    assert len(joined) == len(whole)
    assert np.abs(joined.astype(int) - whole).max() <= 1


def test_frames_carry_the_time_of_their_last_sample() -> None:
    cutter = FrameCutter()
    assert cutter.push(np.zeros(300, dtype=np.int16), 1.0) == []
    frames = cutter.push(np.zeros(400, dtype=np.int16), 1.025)
    assert [frame.ended_at_seconds for frame in frames] == pytest.approx([1.025 - 380 / 16000, 1.025 - 60 / 16000])


@pytest.mark.parametrize("rate_hz", [4000, 400_000])
def test_an_absurd_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(AudioFormatError, match=str(rate_hz)):
        resample(tone(100, 8000), from_hz=rate_hz)


def test_a_written_wav_reads_back(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(300, 16000))
    assert np.array_equal(read_wav(tmp_path / "a.wav"), tone(300, 16000))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def _wav(path: Path, *, channels: int = 1, width: int = 2, frames: bytes = b"\0" * 3200) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, 16000, 0, "NONE", "not compressed"))
        file.writeframes(frames)
    return path


def test_files_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path) -> None:
    whole = _wav(tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:-1000])
    (tmp_path / "zero.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_bytes(b"this is not sound")
    cases = {
        _wav(tmp_path / "none.wav", frames=b""): "empty",
        _wav(tmp_path / "._mac.wav"): "macOS",
        tmp_path / "cut.wav": "cut short",
        tmp_path / "zero.wav": "not a PCM WAV",
        tmp_path / "text.wav": "not a PCM WAV",
        tmp_path / "absent.wav": "no such file",
    }
    for path, reason in cases.items():
        with pytest.raises(AudioFormatError, match=reason):
            read_wav(path)
