"""WAV files of any common form and rate, to mono at 16 kHz; written as 16-bit PCM."""

from __future__ import annotations

import logging
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from device.errors import AudioFormatError
from device.sound.channels import ChannelChoice, Sound, choose_channels, to_samples
from device.sound.pcm import SAMPLE_RATE_HZ, Samples, check_samples
from device.sound.resample import resample
from device.sound.wavform import CONVERT as CONVERT
from device.sound.wavform import WavForm, cut_short, not_wav, read_form

_LOG = logging.getLogger(__name__)
# More than two hours at 16 kHz.
MAX_BYTES = 256 << 20
BLOCK_SECONDS = 10.0


def read_wav(path: Path) -> Samples:
    """The file's sound as int16 ``(n,)`` at 16 kHz, n > 0; several channels become one (:mod:`device.sound.channels`).

    Raises :class:`AudioFormatError` for anything that is not a complete WAV file of at most :data:`MAX_BYTES`.
    """
    with open_recording_file(path) as file:
        return parse_wav(file, size=os.fstat(file.fileno()).st_size, where=str(path))


@contextmanager
def open_recording_file(path: Path) -> Iterator[BinaryIO]:
    """A file to read a recording from. What is no such file, and what fails while it is read, is an
    :class:`AudioFormatError`."""
    where = str(path)
    if path.name.startswith("._"):
        raise AudioFormatError("a macOS resource file, not a recording", where=where, next_step="delete it")
    try:
        # A pipe would be waited for, a device read without end.
        if path.exists() and not path.is_file():
            raise AudioFormatError("not a file", where=where, allowed="a recording", next_step="check the path")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise AudioFormatError("no such file", where=where, next_step="check the path") from error
    except OSError as error:
        raise not_wav(where, error.strerror or error) from error


def parse_wav(file: BinaryIO, *, size: int, where: str) -> Samples:
    """The same from an open file of ``size`` bytes, which bounds what is read whatever its header declares."""
    if size > MAX_BYTES:
        raise AudioFormatError("the file is too large", where=where, received=f"{size} bytes",
                               allowed=f"{MAX_BYTES} bytes", next_step="cut it into shorter ones")  # fmt: skip
    form = read_form(file, size=size, where=where)
    choice = channels_of(file, form, where=where)
    if choice.note:
        _LOG.warning("%s: %s", where, choice.note)
    blocks = [to_samples(choice.mono(each)) for each in sound_blocks(file, form, where=where)]
    return resample(np.concatenate(blocks), from_hz=form.rate_hz)


def sound_blocks(file: BinaryIO, form: WavForm, *, where: str, block_seconds: float = BLOCK_SECONDS) -> Iterator[Sound]:
    """All its sound, float32 ``(n, channels)`` of full scale 1, at its own rate. Raises :class:`AudioFormatError` when
    it ends early or holds values that are not numbers."""
    size, left = max(1, round(block_seconds * form.rate_hz)), form.frames
    file.seek(form.start)
    while left > 0:
        content = file.read(min(size, left) * form.frame_bytes)
        whole = len(content) // form.frame_bytes
        if whole == 0:
            there = (form.frames - left) * form.frame_bytes
            raise cut_short(form, there_bytes=there, declared_bytes=form.frames * form.frame_bytes, where=where)
        left -= whole
        yield form.decode(content[: whole * form.frame_bytes], where=where)


def channels_of(file: BinaryIO, form: WavForm, *, where: str) -> ChannelChoice:
    """Which of its channels are used: several are gone through once to know."""
    if form.channels == 1:
        return ChannelChoice((0,))
    return choose_channels(sound_blocks(file, form, where=where))


def write_wav(path: Path, samples: Samples) -> None:
    """Write int16 ``(n,)`` at 16 kHz; the file appears complete or not at all."""
    check_samples(samples, length=None, what="a WAV file's sound")
    fresh = path.with_name(f".{path.name}.new")
    with wave.open(str(fresh), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, len(samples), "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    os.replace(fresh, path)
