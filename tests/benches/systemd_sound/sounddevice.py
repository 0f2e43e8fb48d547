"""Stands in for sounddevice where there is no sound card: one microphone, in real time, steered by files.

Below the folder that VOICELATCH_TEST_SOUND names: whenever ``say`` is written anew, the 16 kHz WAV is played once whose
path is its last word; while ``frozen`` exists no read returns, as with a frozen sound server. Otherwise it is quiet.
"""

from __future__ import annotations

import os
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np

_FOLDER = Path(os.environ["VOICELATCH_TEST_SOUND"])
_RATE_HZ = 16_000


class PortAudioError(Exception):
    """As in sounddevice."""


def query_devices(_device: str | None = None, kind: str | None = None) -> Any:
    facts = {"name": "Porch: USB Audio (hw:3,0)", "max_input_channels": 1, "default_samplerate": float(_RATE_HZ)}
    return facts if kind else [facts]


def _asked() -> str:
    asked = _FOLDER / "say"
    return asked.read_text() if asked.exists() else ""


class RawInputStream:
    def __init__(self, *, samplerate: float, blocksize: int, device: str | None, channels: int, dtype: str) -> None:
        if round(samplerate) != _RATE_HZ or channels != 1 or dtype != "int16":
            raise PortAudioError("this microphone has 16 kHz, one channel, int16")
        self._due_seconds = 0.0
        self._left, self._said = b"", _asked()

    def start(self) -> None:
        self._due_seconds = time.monotonic()

    def read(self, frames: int) -> tuple[bytes, bool]:
        while (_FOLDER / "frozen").exists():
            time.sleep(0.05)
        if self._said != (asked := _asked()):
            self._said = asked
            with wave.open(asked.split()[-1], "rb") as file:
                self._left = file.readframes(file.getnframes())
        now = time.monotonic()
        # After a freeze it goes on from now: what was not heard is lost.
        self._due_seconds = max(self._due_seconds, now - 0.1) + frames / _RATE_HZ
        time.sleep(max(0.0, self._due_seconds - now))
        content, self._left = self._left[: 2 * frames], self._left[2 * frames :]
        missing = frames - len(content) // 2
        # A microphone's own noise: no two stretches of it are the same.
        return content + np.random.default_rng().integers(-2, 3, missing, np.int16).tobytes(), False

    def close(self) -> None:
        """Nothing is held."""


def _initialize() -> None:
    """As in sounddevice."""


def _terminate() -> None:
    """As in sounddevice."""
