"""THE reader of recordings in the workshop: any form, by content and not by name, block by block.

WAV is read by the door's own reader, so that both say the same of a file; other forms by libsndfile, and what that
cannot decode by ffmpeg. ``scan``, ``index``, ``run``, ``survey`` and all others read through :func:`open_audio`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from device.errors import AudioFormatError
from device.sound.channels import ChannelChoice, Sound, choose_channels, to_samples
from device.sound.content import FFMPEG_KINDS, HEAD_BYTES, SNDFILE_KINDS, WORDS, kind_of
from device.sound.pcm import Samples
from device.sound.resample import StreamResampler, check_rate
from device.sound.wavfile import BLOCK_SECONDS, open_recording_file, sound_blocks
from device.sound.wavform import OtherCodingError, WavForm, read_form
from training.corpus import ffmpeg

FORMS = (
    "WAV (also above 4 GB: W64, RF64), FLAC, Ogg (Vorbis, Opus), MP3, AIFF and CAF files, any number of channels, "
    "8 to 192 kHz; m4a, aac and videos through ffmpeg where it is installed"
)


SLACK_SECONDS = 0.5
# libsndfile's number for a length that the file does not name.
UNKNOWN_FRAMES = 1 << 62


class Decoder(Protocol):
    """One form of recordings. ``seconds``: by its header."""

    @property
    def rate_hz(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    def blocks(self, frames: int) -> Iterator[Sound]:
        """All its sound, float32 ``(n, channels)`` of full scale 1, ``frames`` at a time. Raises
        :class:`AudioFormatError` when that cannot be done to its end."""
        ...


@dataclass(slots=True, kw_only=True)
class AudioFile:
    """A recording that was looked at, and can be read as often as wanted."""

    path: Path
    decoder: Decoder
    _choice: ChannelChoice | None = field(default=None, init=False)

    @property
    def rate_hz(self) -> int:
        return self.decoder.rate_hz

    @property
    def seconds(self) -> float:
        return self.decoder.seconds

    @property
    def note(self) -> str:
        """What is to be known of how it is read, in a sentence; several channels are gone through once for it."""
        return self.channel_choice().note

    def channel_choice(self) -> ChannelChoice:
        """Which channels are used."""
        if self._choice is None:
            several = self.decoder.channels > 1
            self._choice = choose_channels(self.raw_blocks()) if several else ChannelChoice((0,))
        return self._choice

    def raw_blocks(self, *, block_seconds: float = BLOCK_SECONDS) -> Iterator[Sound]:
        """Its sound as decoded: float32 ``(n, channels)`` of full scale 1, at its own rate."""
        for block in self.decoder.blocks(max(1, round(block_seconds * self.rate_hz))):
            if not np.isfinite(block).all():
                raise AudioFormatError("holds values that are not numbers", where=str(self.path))
            yield block

    def blocks(self, *, block_seconds: float = BLOCK_SECONDS) -> Iterator[Samples]:
        """Its sound, int16 ``(n,)`` mono at 16 kHz, each block made of ``block_seconds`` of the file."""
        resampler, choice = StreamResampler(self.rate_hz), self.channel_choice()
        for block in self.raw_blocks(block_seconds=block_seconds):
            yield resampler.push(to_samples(choice.mono(block)))
        yield resampler.push(np.zeros(0, dtype=np.int16), last=True)


def open_audio(path: Path) -> AudioFile:
    """Look at a recording. Raises :class:`AudioFormatError`, in the same words every time, for one that cannot be
    decoded, holds nothing, or is of a rate that cannot be used."""
    with open_recording_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        kind = kind_of(file.read(HEAD_BYTES))
        decoder = _wav(path, read_form_or_none(file, size=size, where=str(path))) if kind == "wav" else None
    if decoder is None and kind in FFMPEG_KINDS:
        if not ffmpeg.is_installed():
            raise ffmpeg.missing(path, WORDS[kind])
        decoder = ffmpeg.open_ffmpeg(path)
    if decoder is None:
        decoder = _open_sndfile(path, kind)
    check_rate(decoder.rate_hz, where=str(path))
    return AudioFile(path=path, decoder=decoder)


def read_audio(path: Path) -> Samples:
    """A whole recording, int16 ``(n,)`` mono at 16 kHz. Raises :class:`AudioFormatError`."""
    return np.concatenate(list(open_audio(path).blocks()))


def read_form_or_none(file: object, *, size: int, where: str) -> WavForm | None:
    """The form of a WAV file; None where its sound is coded, for which libsndfile is asked."""
    try:
        return read_form(file, size=size, where=where)  # type: ignore[arg-type]
    except OtherCodingError:
        return None


@dataclass(frozen=True, slots=True)
class _WavDecoder:
    path: Path
    form: WavForm

    @property
    def rate_hz(self) -> int:
        return self.form.rate_hz

    @property
    def channels(self) -> int:
        return self.form.channels

    @property
    def seconds(self) -> float:
        return self.form.seconds

    def blocks(self, frames: int) -> Iterator[Sound]:
        with open_recording_file(self.path) as file:
            yield from sound_blocks(file, self.form, where=str(self.path), block_seconds=frames / self.rate_hz)


def _wav(path: Path, form: WavForm | None) -> Decoder | None:
    return None if form is None else _WavDecoder(path, form)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SndfileDecoder:
    path: Path
    rate_hz: int
    channels: int
    seconds: float

    def blocks(self, frames: int) -> Iterator[Sound]:
        count = 0
        with open_recording_file(self.path) as raw:
            try:
                with _opened(raw.fileno()) as file:
                    while len(sound := file.read(frames, dtype="float32", always_2d=True)):
                        count += len(sound)
                        yield sound
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise ffmpeg.unreadable(self.path, _reason(error)) from error
        # Lossy forms name a little more than they give.
        if count / self.rate_hz < self.seconds - SLACK_SECONDS:
            raise AudioFormatError(
                "the file was cut short", where=str(self.path),
                received=f"{count / self.rate_hz:.1f} s of sound, its header names {self.seconds:.1f} s",
                next_step="copy it again",
            )  # fmt: skip


def _open_sndfile(path: Path, kind: str) -> Decoder:
    with open_recording_file(path) as raw:
        if kind == "aiff":
            _refuse_a_cut_form(raw, path)
        try:
            with _opened(raw.fileno()) as file:
                frames, rate_hz, channels = int(file.frames), int(file.samplerate), int(file.channels)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            known = WORDS.get(kind, "no audio format that is known")
            reason = known if kind not in SNDFILE_KINDS else f"{known}: {_reason(error)}"
            raise ffmpeg.unreadable(path, reason) from error
    if frames >= UNKNOWN_FRAMES:
        # A recorder to a pipe: libsndfile cannot read it without its length.
        if not ffmpeg.is_installed():
            raise ffmpeg.missing(path, f"{WORDS.get(kind, kind)} that does not name its length")
        return ffmpeg.open_ffmpeg(path)
    if frames <= 0:
        raise AudioFormatError("holds no sound", where=str(path), next_step="record or copy it again")
    return _SndfileDecoder(path=path, rate_hz=rate_hz, channels=channels, seconds=frames / rate_hz)


def _refuse_a_cut_form(raw: BinaryIO, path: Path) -> None:
    """libsndfile takes an AIFF file that was cut short as it is, in silence."""
    size = os.fstat(raw.fileno()).st_size
    # Not by the file object: it reads ahead, and the decoder shares the descriptor's place.
    named = int.from_bytes(os.pread(raw.fileno(), 8, 0)[4:], "big") + 8
    # A recorder to a pipe names nothing, or everything.
    if size < named < 0x7FFF0000:
        raise AudioFormatError("the file was cut short", where=str(path),
                               received=f"{size} bytes, its header names {named}",
                               allowed="a complete recording", next_step="copy it again")  # fmt: skip


def _opened(descriptor: int) -> soundfile.SoundFile:
    # By descriptor: a name may be no UTF-8, or end in what libsndfile takes for headerless sound.
    return soundfile.SoundFile(os.dup(descriptor), closefd=True)


def _reason(error: Exception) -> str:
    """Why not, without the file object's address, which is another one in every run."""
    text = str(getattr(error, "error_string", error))
    return text.split(": ")[-1].strip()
