"""WAV files, with the standard library alone: 16-bit PCM, one channel, any common rate."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np

from device.errors import AudioFormatError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples, check_samples
from device.sound.resample import resample

# More than two hours at 16 kHz.
MAX_BYTES = 256 << 20
_CONVERT = "convert it, for example: sox INPUT -r 16000 -c 1 -b 16 OUTPUT.wav"


def read_wav(path: Path) -> Samples:
    """The file's sound as int16 ``(n,)`` at 16 kHz, n > 0.

    Raises :class:`AudioFormatError` for anything that is not a complete mono 16-bit PCM WAV file of at most
    :data:`MAX_BYTES`.
    """
    where = str(path)
    if path.name.startswith("._"):
        raise AudioFormatError("a macOS resource file, not a recording", where=where, next_step="delete it")
    try:
        # A pipe would be waited for, a device read without end.
        if path.exists() and not path.is_file():
            raise AudioFormatError("not a file", where=where, allowed="a WAV file", next_step="check the path")
        with path.open("rb") as file:
            return parse_wav(file, size=os.fstat(file.fileno()).st_size, where=where)
    except FileNotFoundError as error:
        raise AudioFormatError("no such file", where=where, next_step="check the path") from error
    except OSError as error:
        raise _not_wav(where, error) from error


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
    except (wave.Error, EOFError, struct.error, ValueError, RuntimeError) as error:
        raise _not_wav(where, error) from error
    if channels != 1 or width != 2:
        raise AudioFormatError(
            "a WAV file of the wrong form",
            where=where,
            received=f"{channels} channel(s) of {8 * width} bit",
            allowed="1 channel of 16 bit",
            next_step=_CONVERT,
        )
    if count == 0 or len(content) != count * width:
        raise AudioFormatError(
            "the file is empty or was cut short",
            where=where,
            received=f"{len(content)} of {count * width} bytes of sound",
            allowed="a complete recording",
            next_step="record or copy it again",
        )
    return resample(np.frombuffer(content, dtype="<i2").astype(np.int16), from_hz=rate_hz)


def write_wav(path: Path, samples: Samples) -> None:
    """Write int16 ``(n,)`` at 16 kHz; the file appears complete or not at all."""
    check_samples(samples, length=None, what="a WAV file's sound")
    fresh = path.with_name(f".{path.name}.new")
    with wave.open(str(fresh), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, len(samples), "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    os.replace(fresh, path)


def _not_wav(where: str, error: Exception) -> AudioFormatError:
    return AudioFormatError(
        "not a PCM WAV file",
        where=where,
        received=str(error) or "an empty file",
        allowed="16-bit PCM WAV, one channel",
        next_step=_CONVERT,
    )
