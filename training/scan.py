"""``python -m training scan``: the door's scan over recordings in any form that libsndfile reads, block by block."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from device.errors import AudioFormatError
from device.service.scan_command import add_parser as add_scan
from device.service.scan_files import Reader
from device.sound.pcm import Samples
from device.sound.resample import StreamResampler, check_rate
from device.sound.wavblocks import BLOCK_SECONDS
from training.corpus.measures import mixed_down


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundBlocks:
    """A recording that can be read as often as wanted; ``seconds`` > 0 by its header. Channels are mixed down."""

    path: Path
    rate_hz: int
    seconds: float

    def blocks(self, *, block_seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """Its sound, int16 ``(n,)`` at 16 kHz, each block made of ``block_seconds`` of the file.

        Raises :class:`AudioFormatError` when it cannot be decoded, or holds values that are not numbers.
        """
        resampler = StreamResampler(self.rate_hz)
        try:
            with soundfile.SoundFile(self.path) as file:
                size = max(1, round(block_seconds * self.rate_hz))
                while len(sound := file.read(size, dtype="float32", always_2d=True)):
                    if not np.isfinite(sound).all():
                        raise AudioFormatError("holds values that are not numbers", where=str(self.path))
                    yield resampler.push(mixed_down(sound))
        except (soundfile.LibsndfileError, OSError) as error:
            raise _unreadable(self.path, error) from error
        yield resampler.push(np.zeros(0, dtype=np.int16), last=True)


def open_sound(path: Path) -> SoundBlocks:
    """Look at a recording's header. Raises :class:`AudioFormatError` for one that cannot be decoded or holds nothing.

    A WAV file that was cut short is heard as far as it goes: libsndfile does not tell.
    """
    if not path.is_file():
        raise AudioFormatError("no such file", where=str(path), next_step="check the path")
    try:
        told = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error
    if told.frames <= 0:
        raise AudioFormatError("holds no sound", where=str(path), next_step="record or copy it again")
    check_rate(int(told.samplerate))
    return SoundBlocks(path=path, rate_hz=int(told.samplerate), seconds=told.frames / told.samplerate)


def _unreadable(path: Path, error: Exception) -> AudioFormatError:
    return AudioFormatError("cannot be decoded", where=str(path), received=error, allowed=ANY_FORM.forms,
                            next_step="convert it, or copy it again")  # fmt: skip


ANY_FORM = Reader(
    suffixes=frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".rf64"}),
    forms="WAV (also above 4 GB: W64, RF64), FLAC, Ogg, MP3 and AIFF files, any number of channels, 8 to 192 kHz",
    open=open_sound,
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``scan`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    return add_scan(commands, reader=ANY_FORM, program="training")
