"""A WAV file of any length, block by block, to mono at 16 kHz. Only a block is in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device.sound.channels import ChannelChoice, to_samples
from device.sound.pcm import Samples
from device.sound.resample import StreamResampler
from device.sound.wavfile import BLOCK_SECONDS, channels_of, open_recording_file, sound_blocks
from device.sound.wavform import WavForm, read_form


@dataclass(slots=True, kw_only=True)
class WavBlocks:
    """A complete WAV file that can be read as often as wanted."""

    path: Path
    form: WavForm
    _choice: ChannelChoice | None = field(default=None, init=False)

    @property
    def rate_hz(self) -> int:
        return self.form.rate_hz

    @property
    def seconds(self) -> float:
        """Its length, > 0."""
        return self.form.seconds

    @property
    def note(self) -> str:
        """What is to be known of how it is read, in a sentence; several channels are gone through once for it."""
        return self._channels().note

    def blocks(self, *, block_seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """Its sound, int16 ``(n,)`` at 16 kHz, each block made of ``block_seconds`` of the file.

        Raises :class:`~device.errors.AudioFormatError` when it cannot be read to its end.
        """
        resampler, choice = StreamResampler(self.rate_hz), self._channels()
        with open_recording_file(self.path) as file:
            for block in sound_blocks(file, self.form, where=str(self.path), block_seconds=block_seconds):
                yield resampler.push(to_samples(choice.mono(block)))
        yield resampler.push(np.zeros(0, dtype=np.int16), last=True)

    def _channels(self) -> ChannelChoice:
        if self._choice is None:
            with open_recording_file(self.path) as file:
                self._choice = channels_of(file, self.form, where=str(self.path))
        return self._choice


def open_wav(path: Path) -> WavBlocks:
    """Look at a file's header and size. Raises :class:`~device.errors.AudioFormatError` for anything that is not a
    complete WAV file of a common form, at 8 to 192 kHz."""
    with open_recording_file(path) as file:
        form = read_form(file, size=os.fstat(file.fileno()).st_size, where=str(path))
    return WavBlocks(path=path, form=form)
