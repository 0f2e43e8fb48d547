"""WAV files as recorders, editors and broken copies leave them: read, or refused with both lengths."""

import struct
from pathlib import Path

import numpy as np
import pytest

from device.errors import AudioFormatError
from device.sound.channels import choose_channels
from device.sound.pcm import Samples
from device.sound.wavblocks import open_wav
from device.sound.wavfile import read_wav
from tests.odd_recordings import chunk, speech_like, wav_bytes

SOUND = speech_like(3.0)


def heard(path: Path) -> Samples:
    """The file as both readers of the door give it: they must agree."""
    whole = read_wav(path)
    assert np.array_equal(np.concatenate(list(open_wav(path).blocks(block_seconds=0.7))), whole)
    return whole


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0x7FFFF000, 0x80000000, 0x7FFFFFFF, 0xFFFFFFDB, 0])
def test_a_recorder_to_a_pipe_does_not_know_the_length_and_the_file_is_read_to_its_end(
    tmp_path: Path, declared: int
) -> None:
    path = written(tmp_path / "a.wav", wav_bytes(SOUND, declared_bytes=declared))
    assert np.array_equal(heard(path), SOUND)
    assert open_wav(path).seconds == pytest.approx(3.0)


def test_the_extensible_form_is_read_like_the_plain_one(tmp_path: Path) -> None:
    assert np.array_equal(heard(written(tmp_path / "a.wav", wav_bytes(SOUND, extensible=True))), SOUND)


def test_a_header_that_names_less_than_is_there_is_refused_with_both_lengths(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", wav_bytes(SOUND, declared_bytes=2 * 16_000))
    for read in (read_wav, open_wav):
        with pytest.raises(AudioFormatError, match=r"1\.0 s named, 3\.0 s there"):
            read(path)


def test_a_header_that_names_more_than_is_there_is_refused_with_both_lengths(tmp_path: Path) -> None:
    content = wav_bytes(SOUND)
    path = written(tmp_path / "a.wav", content[: len(content) // 2])
    for read in (read_wav, open_wav):
        with pytest.raises(AudioFormatError, match=r"1\.5 s of sound, its header names 3\.0 s"):
            read(path)


@pytest.mark.parametrize("behind", [
    chunk(b"LIST", b"INFOISFT" + b"x" * 5000), chunk(b"LIST", b"abcd") + chunk(b"id3 ", b"y" * 9001), b"\0" * 40_000,
    b"TAG" + b"a title" * 17,
])  # fmt: skip
def test_titles_markers_and_padding_behind_the_sound_are_no_sound(tmp_path: Path, behind: bytes) -> None:
    assert np.array_equal(heard(written(tmp_path / "a.wav", wav_bytes(SOUND, behind=behind))), SOUND)


@pytest.mark.parametrize(("left", "right", "note"), [
    (1.0, -1.0, "cancel one another: channel 1 of 2 is used"), (1.0, 0.0, "channel 2 of 2 is silent"),
    (0.0, 1.0, "channel 1 of 2 is silent"), (1.0, 1.0, ""),
])  # fmt: skip
def test_of_two_channels_no_sound_is_lost_and_what_is_left_out_is_said(
    tmp_path: Path, left: float, right: float, note: str
) -> None:
    both = np.stack([SOUND * left, SOUND * right], axis=1).astype(np.int16)
    path = written(tmp_path / "a.wav", wav_bytes(both, channels=2))
    assert np.array_equal(heard(path), SOUND)
    assert note in open_wav(path).note
    assert bool(note) == bool(open_wav(path).note)


def test_a_dead_channel_with_an_offset_is_dead_and_two_microphones_are_averaged() -> None:
    quiet = SOUND.astype(np.float32) / 32768
    other = speech_like(3.0, seed=2).astype(np.float32) / 32768
    assert choose_channels([np.stack([quiet, np.full_like(quiet, 0.2)], axis=1)]).channels == (0,)
    assert choose_channels([np.stack([quiet, other], axis=1)]).channels == (0, 1)


def test_the_choice_of_a_channel_does_not_depend_on_the_blocks() -> None:
    sound = np.stack([SOUND, -SOUND], axis=1).astype(np.float32) / 32768
    whole = choose_channels([sound])
    assert choose_channels(np.array_split(sound, 17)) == whole


@pytest.mark.parametrize(("bits", "full"), [(8, 128), (24, 1 << 23), (32, 1 << 31)])
def test_other_widths_give_the_same_sound(tmp_path: Path, bits: int, full: int) -> None:
    times = np.arange(16_000) / 16_000
    tone = 0.5 * np.sin(2 * np.pi * 300 * times)
    exact = np.rint(tone * (full - 1)).astype(np.int64)
    if bits == 8:
        content = (exact + 128).astype(np.uint8).tobytes()
    else:
        content = exact.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : bits // 8].tobytes()
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 16_000 * bits // 8, bits // 8, bits)
    path = written(tmp_path / "a.wav", b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", form) + chunk(b"data", content))
    assert np.abs(heard(path) - np.rint(tone * 32768)).max() <= (260 if bits == 8 else 1)


@pytest.mark.parametrize(("content", "what"), [
    (b"<!DOCTYPE html><html>404</html>" * 9, "a web page"), (b"\0\0\0\x20ftypM4A " + b"\0" * 90, "MPEG-4"),
    (np.random.default_rng(5).bytes(9000), "no audio format"), (b"", "an empty file"), (b"RIFF", "no audio format"),
    (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 30_000, "without its form"),
])  # fmt: skip
def test_what_is_no_wav_is_named_and_in_the_same_words_every_time(tmp_path: Path, content: bytes, what: str) -> None:
    path = written(tmp_path / "a.wav", content)
    reasons = set()
    for read in (read_wav, open_wav, read_wav):
        with pytest.raises(AudioFormatError, match=what) as caught:
            read(path)
        reasons.add(str(caught.value))
    assert len(reasons) == 1
    assert "0x" not in reasons.pop()


@pytest.mark.parametrize("rate_hz", [7_350, 384_000])
def test_an_odd_rate_is_refused_by_the_files_name(tmp_path: Path, rate_hz: int) -> None:
    path = written(tmp_path / "odd.wav", wav_bytes(SOUND, rate_hz=rate_hz))
    with pytest.raises(AudioFormatError, match=rf"odd\.wav[^$]*{rate_hz} Hz"):
        open_wav(path)
