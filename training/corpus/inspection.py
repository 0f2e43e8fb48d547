"""One sound file opened once: its facts or the reason it cannot be used; and the cache that spares a second opening."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from device.errors import AudioFormatError
from device.sound.resample import check_rate
from training.atomic import write_text
from training.corpus.measures import Measures, measure

# Three steps of 16 bits: below it there is only dither.
SILENT_PEAK = 1e-4
# Part of every cache line; raise it whenever the rules below change, and all files are opened again.
RULES = 4
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What opening a file told. ``reason`` is empty for a usable one; only then do the others mean anything.

    ``sha256`` is that of the file, ``sound_sha256`` that of the decoded sound, equal for a copy in another format.
    """

    reason: str = ""
    seconds: float = 0.0
    sample_rate_hz: int = 0
    sha256: str = ""
    sound_sha256: str = ""
    measures: Measures = field(default_factory=Measures)


def inspect_file(path: Path) -> Facts:
    """Open one file. Never raises for a bad one: that is told by ``reason``."""
    if path.name.startswith("._"):
        return Facts(reason="a macOS resource file, not a recording")
    try:
        content = path.read_bytes()
    except OSError as error:
        return Facts(reason=f"cannot be opened: {error.strerror}")
    if not content:
        return Facts(reason="empty file")
    try:
        sound, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        return Facts(reason=f"cannot be decoded: {str(error).removeprefix('Error opening ')}")
    reason = _why_not(sound, int(rate_hz))
    if reason:
        return Facts(reason=reason)
    return Facts(
        seconds=round(len(sound) / rate_hz, 3),
        sample_rate_hz=int(rate_hz),
        sha256=hashlib.sha256(content).hexdigest(),
        sound_sha256=hashlib.sha256(f"{rate_hz} {sound.shape[1]} ".encode() + sound.tobytes()).hexdigest(),
        measures=measure(sound, int(rate_hz)),
    )


def _why_not(sound: NDArray[np.float32], rate_hz: int) -> str:
    try:
        check_rate(rate_hz)
    except AudioFormatError as error:
        return f"{error.what}: {error.received}"
    if len(sound) == 0:
        return "holds no sound"
    if not np.isfinite(sound).all():
        return "holds values that are not numbers"
    # Judged after mixing down, as it will be used: two channels of opposite sign cancel.
    if not np.abs(sound.mean(axis=1)).max() > SILENT_PEAK:
        return "digital silence"
    return ""


@dataclass(frozen=True, slots=True)
class Known:
    """What one file holds, and the size and time by which to tell later that it is still the same."""

    size_bytes: int
    modified_ns: int
    facts: Facts

    def still_describes(self, path: Path) -> bool:
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
