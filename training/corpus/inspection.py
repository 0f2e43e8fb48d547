"""One sound file opened once: its facts or the reason it cannot be used; and the cache that spares a second opening."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from device.errors import AudioFormatError
from device.sound.channels import to_samples
from device.sound.pcm import FULL_SCALE
from device.sound.resample import StreamResampler
from training.atomic import write_text
from training.corpus import ffmpeg
from training.corpus.audio_file import AudioFile, open_audio
from training.corpus.measures import Measures, Meter

# Three steps of 16 bits: below it there is only dither.
SILENT_PEAK = 1e-4
# Part of every cache line; raise it whenever the rules below change, and all files are opened again.
RULES = 5
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What opening a file told. ``reason`` is empty for a usable one; only then do the others mean anything.

    ``sha256`` is that of the file, ``sound_sha256`` that of the decoded sound, equal for a copy in another format.
    ``note``: what is to be known of how a usable one is read.
    """

    reason: str = ""
    seconds: float = 0.0
    sample_rate_hz: int = 0
    sha256: str = ""
    sound_sha256: str = ""
    measures: Measures = field(default_factory=Measures)
    note: str = ""


def inspect_file(path: Path) -> Facts:
    """Go through one file, block by block. Never raises for a bad one: that is told by ``reason``."""
    try:
        if path.name.startswith("._"):
            return Facts(reason="a macOS resource file, not a recording")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if file.tell() == 0:
                return Facts(reason="empty file")
    except OSError as error:
        return Facts(reason=f"cannot be opened: {error.strerror}")
    try:
        return _facts(open_audio(path), sha256)
    except AudioFormatError as error:
        return Facts(reason=error.what + (f": {error.received}" if error.received is not None else ""))


def _facts(audio: AudioFile, sha256: str) -> Facts:
    choice, channels, rate_hz = audio.channel_choice(), audio.decoder.channels, audio.rate_hz
    sound_hash, meter, resampler = hashlib.sha256(f"{rate_hz} {channels} ".encode()), Meter(), StreamResampler(rate_hz)
    count = 0
    for block in audio.raw_blocks():
        count += len(block)
        sound_hash.update(np.ascontiguousarray(block, dtype=np.float32).tobytes())
        meter.push(block, resampler.push(to_samples(choice.mono(block))))
    last = resampler.push(np.zeros(0, dtype=np.int16), last=True)
    meter.push(np.zeros((0, channels), dtype=np.float32), last)
    if count == 0:
        return Facts(reason="holds no sound")
    # Judged after mixing down, as it will be used.
    if not meter.peak > SILENT_PEAK * FULL_SCALE:
        return Facts(reason="digital silence")
    return Facts(
        seconds=round(count / rate_hz, 3), sample_rate_hz=rate_hz, sha256=sha256,
        sound_sha256=sound_hash.hexdigest(), measures=meter.measures(), note=choice.note,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What one file holds, and the size and time by which to tell later that it is still the same."""

    size_bytes: int
    modified_ns: int
    facts: Facts

    def still_describes(self, path: Path) -> bool:
        if ffmpeg.needs_it([self.facts.reason]) and ffmpeg.is_installed():
            return False
        return (self.size_bytes, self.modified_ns) == _stamp(path)


def know(path: Path) -> Known:
    """Open one file, whatever it is."""
    return Known(*_stamp(path), inspect_file(path))


def _stamp(path: Path) -> tuple[int, int]:
    # A link that leads nowhere has its own size and time.
    status = os.stat(path) if path.exists() else os.lstat(path)
    return status.st_size, status.st_mtime_ns


def read_cache(cache: Path | None) -> dict[str, Known]:
    """Entries by absolute path. Lines that are torn or of older rules are left out: those files are opened again."""
    if cache is None or not cache.is_file():
        return {}
    found: dict[str, Known] = {}
    unusable = 0
    for line in cache.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            if row["rules"] == RULES:
                facts = Facts(**{**row["facts"], "measures": Measures(**row["facts"]["measures"])})
                found[row["path"]] = Known(row["size_bytes"], row["modified_ns"], facts)
        except (ValueError, KeyError, TypeError):
            unusable += 1
    if unusable:
        _LOG.warning("%s: %d lines cannot be used; their files are opened again", cache, unusable)
    return found


def write_cache(cache: Path | None, entries: Mapping[str, Known]) -> None:
    """Replace the cache in one step. Raises :class:`StateError` when it cannot be written."""
    if cache is None:
        return
    rows = ({"path": path, "rules": RULES, **asdict(known)} for path, known in entries.items())
    write_text(cache, "".join(json.dumps(row) + "\n" for row in rows))
