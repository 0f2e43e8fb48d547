"""WAV files, with the standard library alone: 16-bit PCM, one channel, any common rate."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from device.errors import AudioFormatError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples, check_samples
from device.sound.resample import resample

# More than two hours at 16 kHz.
MAX_BYTES = 256 << 20
# What the standard library raises for a file that is not as it should be.
UNREADABLE = (wave.Error, EOFError, struct.error, ValueError, RuntimeError)
CONVERT = "sox INPUT -r 16000 -c 1 -b 16 OUTPUT.wav"
_CONVERT = f"convert it, for example: {CONVERT}"


def read_wav(path: Path) -> Samples:
    """The file's sound as int16 ``(n,)`` at 16 kHz, n > 0.

    Raises :class:`AudioFormatError` for anything that is not a complete mono 16-bit PCM WAV file of at most
    :data:`MAX_BYTES`.
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
            raise AudioFormatError("not a file", where=where, allowed="a WAV file", next_step="check the path")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise AudioFormatError("no such file", where=where, next_step="check the path") from error
    except OSError as error:
        raise not_wav(where, error) from error


def parse_wav(file: BinaryIO, *, size: int, where: str) -> Samples:
    """The same from an open file of ``size`` bytes, which bounds what is read whatever its header declares."""
    if size > MAX_BYTES:
        raise AudioFormatError("the file is too large", where=where, received=f"{size} bytes",
                               allowed=f"{MAX_BYTES} bytes", next_step="cut it into shorter ones")  # fmt: skip
    try:
        with wave.open(file, "rb") as sound:
            channels, width, rate_hz, count = sound.getparams()[:4]
            # Read to the file's end and not beyond: memory is taken for what is asked for.
            content = sound.readframes(min(count, size // max(1, channels * width)))
    except UNREADABLE as error:
        raise not_wav(where, error) from error
    check_form(channels=channels, width_bytes=width, where=where)
    check_complete(received_bytes=len(content), declared_bytes=count * width, where=where)
    return resample(np.frombuffer(content, dtype="<i2").astype(np.int16), from_hz=rate_hz)


def write_wav(path: Path, samples: Samples) -> None:
    """Write int16 ``(n,)`` at 16 kHz; the file appears complete or not at all."""
    check_samples(samples, length=None, what="a WAV file's sound")
    fresh = path.with_name(f".{path.name}.new")
    with wave.open(str(fresh), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, len(samples), "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    os.replace(fresh, path)


def check_form(*, channels: int, width_bytes: int, where: str) -> None:
    """Raise :class:`AudioFormatError` unless it is one channel of 16 bit."""
    if channels != 1 or width_bytes != 2:
        raise AudioFormatError(
            "a WAV file of the wrong form",
            where=where,
            received=f"{channels} channel(s) of {8 * width_bytes} bit",
            allowed="1 channel of 16 bit",
            next_step=_CONVERT,
        )


def check_complete(*, received_bytes: int, declared_bytes: int, where: str) -> None:
    """Raise :class:`AudioFormatError` unless there is sound, as much as the header declares."""
    if declared_bytes == 0 or received_bytes != declared_bytes:
        raise AudioFormatError(
            "the file is empty or was cut short",
            where=where,
            received=f"{received_bytes} of {declared_bytes} bytes of sound",
            allowed="a complete recording",
            next_step="record or copy it again",
        )


def not_wav(where: str, error: Exception) -> AudioFormatError:
    """What to raise for a file that the standard library cannot read as WAV."""
    return AudioFormatError(
        "not a PCM WAV file",
        where=where,
        received=str(error) or "an empty file",
        allowed="16-bit PCM WAV, one channel",
        next_step=_CONVERT,
    )
