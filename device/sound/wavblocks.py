"""A WAV file of any length, block by block: one channel, 16-bit PCM, any common rate. Only a block is in memory."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.sound.pcm import Samples
from device.sound.resample import StreamResampler, check_rate
from device.sound.wavfile import UNREADABLE, check_complete, check_form, not_wav, open_recording_file

BLOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WavBlocks:
    """A complete WAV file that can be read as often as wanted; ``seconds`` > 0 by its header."""

    path: Path
    rate_hz: int
    seconds: float

    def blocks(self, *, block_seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """Its sound, int16 ``(n,)`` at 16 kHz, each block made of ``block_seconds`` of the file.

        Raises :class:`~device.errors.AudioFormatError` when it cannot be read to its end.
        """
        resampler = StreamResampler(self.rate_hz)
        where, received_bytes = str(self.path), 0
        with open_recording_file(self.path) as file:
            try:
                with wave.open(file, "rb") as sound:
                    declared_bytes = 2 * sound.getnframes()
                    while content := sound.readframes(max(1, round(block_seconds * self.rate_hz))):
                        received_bytes += len(content)
                        yield resampler.push(np.frombuffer(content, dtype="<i2").astype(np.int16))
            except UNREADABLE as error:
                raise not_wav(where, error) from error
        check_complete(received_bytes=received_bytes, declared_bytes=declared_bytes, where=where)
        yield resampler.push(np.zeros(0, dtype=np.int16), last=True)


def open_wav(path: Path) -> WavBlocks:
    """Look at a file's header and size. Raises :class:`~device.errors.AudioFormatError` for anything that is not a
    complete WAV file of one channel, 16 bit, at 8 to 192 kHz."""
    where = str(path)
    with open_recording_file(path) as file:
        try:
            with wave.open(file, "rb") as sound:
                channels, width, rate_hz, count = sound.getparams()[:4]
                # The header ends where the sound begins; other chunks may follow the sound.
                there_bytes = os.fstat(file.fileno()).st_size - file.tell()
        except UNREADABLE as error:
            raise not_wav(where, error) from error
    check_form(channels=channels, width_bytes=width, where=where)
    check_complete(received_bytes=min(there_bytes, 2 * count), declared_bytes=2 * count, where=where)
    check_rate(rate_hz)
    return WavBlocks(path=path, rate_hz=rate_hz, seconds=count / rate_hz)
