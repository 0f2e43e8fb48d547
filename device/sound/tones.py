"""Tones for the loudspeaker at the door, made by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.sound.pcm import Samples

# So that no note begins or ends with a click.
FADE_SECONDS = 0.01
# Digital headroom: at the highest volume a note reaches half of full scale.
LOUDEST = 16_384.0


@dataclass(frozen=True, slots=True)
class Note:
    """A sine of ``hertz`` (0: a rest) for ``seconds``."""

    hertz: float
    seconds: float


def melody(notes: Sequence[Note], *, rate_hz: int, volume: float) -> Samples:
    """The notes one after the other, int16 ``(n,)`` at ``rate_hz``; ``volume`` 0..1."""
    return np.concatenate([_note(each, rate_hz, volume) for each in notes])


def _note(note: Note, rate_hz: int, volume: float) -> Samples:
    count = round(note.seconds * rate_hz)
    wave = np.sin(2.0 * np.pi * note.hertz * np.arange(count) / rate_hz)
    fade = max(1, min(round(FADE_SECONDS * rate_hz), count // 2))
    ramp = np.linspace(0.0, 1.0, fade)
    wave[:fade] *= ramp
    wave[count - fade :] *= ramp[::-1]
    return np.round(wave * LOUDEST * min(1.0, max(0.0, volume))).astype(np.int16)
