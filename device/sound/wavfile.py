"""WAV files, with the standard library alone: 16-bit PCM, one channel, any common rate."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np

from device.errors import AudioFormatError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples, check_samples
from device.sound.resample import resample

_CONVERT = "convert it, for example: sox INPUT -r 16000 -c 1 -b 16 OUTPUT.wav"


def read_wav(path: Path) -> Samples:
    """The file's sound as int16 ``(n,)`` at 16 kHz, n > 0.

    Raises :class:`AudioFormatError` for anything that is not a complete mono 16-bit PCM WAV file.
    """
    where = str(path)
    if path.name.startswith("._"):
        raise AudioFormatError("a macOS resource file, not a recording", where=where, next_step="delete it")
    try:
        with wave.open(where, "rb") as file:
            channels, width, rate_hz, count = file.getparams()[:4]
            content = file.readframes(count)
    except FileNotFoundError as error:
        raise AudioFormatError("no such file", where=where, next_step="check the path") from error
    except (wave.Error, EOFError, OSError) as error:
        raise AudioFormatError(
            "not a PCM WAV file",
            where=where,
            received=error or "an empty file",
            allowed="16-bit PCM WAV, one channel",
            next_step=_CONVERT,
        ) from error
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
