"""Odd recordings as people really have them, made from any clean sound: one file of each kind."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def speech_like(seconds: float = 3.0, *, seed: int = 1) -> NDArray[np.int16]:
    """A loud noise that comes and goes four times a second, int16 ``(n,)`` at 16 kHz."""
    times = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 3000, len(times))
    return np.clip(noise * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)), -32768, 32767).astype(np.int16)


def chunk(name: bytes, body: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav_bytes(
    sound: NDArray[np.int16], *, channels: int = 1, extensible: bool = False, declared_bytes: int | None = None,
    behind: bytes = b"", rate_hz: int = RATE_HZ,
) -> bytes:  # fmt: skip
    """A 16-bit WAV file whose header may name another length than it has, with ``behind`` after the sound."""
    content = sound.astype("<i2").tobytes()
    declared = len(content) if declared_bytes is None else declared_bytes
    head = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, channels, rate_hz, 2 * channels * rate_hz,
                       2 * channels, 16)  # fmt: skip
    extra = struct.pack("<HHI", 22, 16, 4) + _PCM_GUID if extensible else b""
    riff = b"RIFF" + struct.pack("<I", min(36 + declared, 0xFFFFFFFF)) + b"WAVE"
    return riff + chunk(b"fmt ", head + extra) + b"data" + struct.pack("<I", declared) + content + behind


def not_utf8(folder: Path, name: bytes, content: bytes) -> None:
    """A file whose name is bytes that are no UTF-8."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(os.path.join(os.fsencode(folder), name), "wb") as file:
        file.write(content)
