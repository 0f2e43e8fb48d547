"""A WAV file's header: form, rate, where the sound is and how much of it; and bytes of sound to numbers.

Read here, not with the standard library: that refuses WAVE_FORMAT_EXTENSIBLE before Python 3.12, and believes a length
that a recorder to a pipe never knew. A header that names less sound than is there, or more, is an error with both
lengths, wherever the file is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from device.errors import AudioFormatError
from device.sound.content import HEAD_BYTES, in_words, kind_of
from device.sound.resample import check_rate

CONVERT = "ffmpeg -i INPUT -ac 1 -ar 16000 -c:a pcm_s16le OUTPUT.wav"
MEND = "copy it again; or, to use what is there: ffmpeg -ignore_length 1 -i INPUT OUTPUT.wav"
FORMS = "PCM of 8, 16, 24 or 32 bit, or float; up to 64 channels"
MOST_CHANNELS = 64
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_MOST_CHUNKS = 10_000
# Recorders that write to a pipe name 2 or 4 GiB, less what a header takes.
_PIPE_SLACK = 1 << 16
# So much behind the named sound is a tag or padding that nobody would miss.
_SLACK_SECONDS = 0.1


class OtherCodingError(AudioFormatError):
    """A WAV file whose sound is coded (ADPCM, mu-law, MP3 ...): it needs a decoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavForm:
    """``frames`` (one sample of each channel) of sound begin at byte ``start`` of the file."""

    rate_hz: int
    channels: int
    width_bytes: int
    is_float: bool
    start: int
    frames: int

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.width_bytes

    @property
    def seconds(self) -> float:
        return self.frames / self.rate_hz

    def decode(self, content: bytes, *, where: str) -> NDArray[np.float32]:
        """Whole frames to float32 ``(n, channels)``, full scale 1. Raises :class:`AudioFormatError` for values that
        are not numbers."""
        flat = self._numbers(content)
        if self.is_float and not np.isfinite(flat).all():
            raise AudioFormatError("holds values that are not numbers", where=where, next_step="record it again")
        return flat.reshape(-1, self.channels)

    def _numbers(self, content: bytes) -> NDArray[np.float32]:
        if self.is_float:
            return np.frombuffer(content, dtype=f"<f{self.width_bytes}").astype(np.float32)
        if self.width_bytes == 1:
            return (np.frombuffer(content, dtype=np.uint8).astype(np.float32) - 128.0) / 128.0
        if self.width_bytes == 3:
            wide = np.zeros((len(content) // 3, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(content, dtype=np.uint8).reshape(-1, 3)
            return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(1 << 31)
        kind = np.dtype(f"<i{self.width_bytes}")
        return np.frombuffer(content, dtype=kind).astype(np.float32) / np.float32(1 << (8 * self.width_bytes - 1))


def read_form(file: BinaryIO, *, size: int, where: str) -> WavForm:
    """The form of an open WAV file of ``size`` bytes.

    Raises :class:`AudioFormatError` for what is no WAV file, holds no sound, names another length than is there, or has
    a rate that cannot be used; :class:`OtherCodingError` for coded sound.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if kind_of(head) != "wav":
        raise not_wav(where, in_words(head))
    position, form = 12, None
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            break
        name, length = header[:4], struct.unpack("<I", header[4:])[0]
        position += 8
        if name == b"fmt ":
            form = _form(file.read(min(length, 40)), where)
        elif name == b"data":
            if form is None:
                break
            return _measured(file, form, start=position, declared=length, size=size, where=where)
        position += length + length % 2
    raise not_wav(where, "a WAV header without " + ("its form" if form is None else "sound"))


def _form(content: bytes, where: str) -> WavForm:
    if len(content) < 16:
        raise not_wav(where, "a WAV header that is cut off")
    tag, channels, rate_hz, _, align, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == _EXTENSIBLE and content[26:40] == _GUID_TAIL:
        (tag,) = struct.unpack("<H", content[24:26])
    width = (bits + 7) // 8
    if tag not in (_PCM, _FLOAT):
        raise OtherCodingError("a WAV file whose sound is coded", where=where, received=f"coding {tag:#06x}",
                               allowed=FORMS, next_step=f"convert it: {CONVERT}")  # fmt: skip
    good = width in ((1, 2, 3, 4) if tag == _PCM else (4, 8)) and align == channels * width
    if not good or not 1 <= channels <= MOST_CHANNELS:
        raise AudioFormatError("a WAV file of the wrong form", where=where,
                               received=f"{channels} channel(s) of {bits} bit, {align} bytes together",
                               allowed=FORMS, next_step=f"convert it: {CONVERT}")  # fmt: skip
    check_rate(rate_hz, where=where)
    return WavForm(rate_hz=rate_hz, channels=channels, width_bytes=width, is_float=tag == _FLOAT, start=0, frames=0)


def _measured(file: BinaryIO, form: WavForm, *, start: int, declared: int, size: int, where: str) -> WavForm:
    there = max(0, size - start)
    used = declared
    if declared > there or declared == 0:
        unknown = declared == 0 or _is_placeholder(declared)
        if not unknown:
            raise cut_short(form, there_bytes=there, declared_bytes=declared, where=where)
        used = there if declared or not _only_chunks(file, start, size) else 0
    else:
        behind = start + declared + declared % 2
        slack = _SLACK_SECONDS * form.rate_hz * form.frame_bytes
        if size - behind >= slack and not _only_chunks(file, behind, size):
            raise AudioFormatError(
                "its header names less sound than the file holds (a recorder that died?)", where=where,
                received=f"{_seconds(form, declared)} named, {_seconds(form, there)} there", allowed="one length",
                next_step=MEND,
            )  # fmt: skip
    frames = used // form.frame_bytes
    if frames == 0:
        raise AudioFormatError("the file is empty: it holds no sound", where=where, allowed="a complete recording",
                               next_step="record or copy it again")  # fmt: skip
    return WavForm(rate_hz=form.rate_hz, channels=form.channels, width_bytes=form.width_bytes, is_float=form.is_float,
                   start=start, frames=frames)  # fmt: skip


def _is_placeholder(declared: int) -> bool:
    return any(top - _PIPE_SLACK <= declared <= top for top in (1 << 31, 1 << 32))


def _only_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Whether nothing but further chunks (titles, markers), or zeros that fill a block, stands from there on."""
    for _ in range(_MOST_CHUNKS):
        if size - position < 8:
            return True
        file.seek(position)
        header = file.read(8)
        length = struct.unpack("<I", header[4:])[0] if len(header) == 8 else size
        if not all(0x20 <= byte < 0x7F for byte in header[:4]) or position + 8 + length > size:
            return _only_zeros(file, position)
        position += 8 + length + length % 2
    return False


def _only_zeros(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    while block := file.read(1 << 20):
        if block.count(0) != len(block):
            return False
    return True


def _seconds(form: WavForm, count_bytes: int) -> str:
    return f"{count_bytes / form.frame_bytes / form.rate_hz:.1f} s"


def cut_short(form: WavForm, *, there_bytes: int, declared_bytes: int, where: str) -> AudioFormatError:
    """What to raise for a file that holds less sound than its header names."""
    return AudioFormatError(
        "the file was cut short", where=where,
        received=f"{_seconds(form, there_bytes)} of sound, its header names {_seconds(form, declared_bytes)}",
        allowed="a complete recording", next_step=MEND,
    )  # fmt: skip


def not_wav(where: str, received: object) -> AudioFormatError:
    """What to raise for a file that is no WAV file, or cannot be read."""
    return AudioFormatError("not a PCM WAV file", where=where, received=received, allowed=f"WAV: {FORMS}",
                            next_step=f"convert it: {CONVERT}")  # fmt: skip
