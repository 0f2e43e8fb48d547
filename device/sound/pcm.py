"""The values sound travels in: a Frame of 20 ms, a Gap where sound is missing, a Clip of 3 s.

Everything in Voicelatch is mono int16 at 16 kHz; a value of another shape or dtype cannot be constructed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import AudioFormatError

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 320
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE_HZ
CLIP_FRAMES = 150
CLIP_SAMPLES = CLIP_FRAMES * FRAME_SAMPLES
CLIP_SECONDS = CLIP_SAMPLES / SAMPLE_RATE_HZ
FULL_SCALE = 32_768.0

Samples = NDArray[np.int16]


def check_samples(samples: Samples, *, length: int | None, what: str) -> None:
    """Raise :class:`AudioFormatError` unless ``samples`` is int16 of shape ``(length,)`` (any length for None)."""
    good_shape = samples.ndim == 1 and (length is None or samples.shape[0] == length)
    if samples.dtype != np.int16 or not good_shape:
        raise AudioFormatError(
            f"{what} has the wrong form",
            received=f"{samples.dtype}{list(samples.shape)}",
            allowed=f"int16[{'any' if length is None else length}] (mono, {SAMPLE_RATE_HZ} Hz)",
            next_step="convert with device.sound.resample before making frames",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """20 ms of sound: ``samples`` int16 ``(320,)``; ``ended_at_seconds`` on the monotonic clock, its last sample."""

    samples: Samples
    ended_at_seconds: float

    def __post_init__(self) -> None:
        check_samples(self.samples, length=FRAME_SAMPLES, what="a frame")


@dataclass(frozen=True, slots=True)
class Gap:
    """Sound is missing here: an overflow, a lost or silent device. Never followed by a decision on what came before.

    ``lost_seconds`` is how much is known to be lost (0 where unknown).
    """

    reason: str
    at_seconds: float
    lost_seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What the model hears: ``samples`` int16 ``(48000,)``.

    ``speech_seconds`` (0..3) is how much of it the detector called speech before any filling; ``filled`` says that
    the speech was repeated to reach 3 s; ``index`` counts clips within the utterance from 0; the times are those of
    the recorded sound on the monotonic clock.
    """

    samples: Samples
    speech_seconds: float
    filled: bool
    index: int
    started_at_seconds: float
    ended_at_seconds: float

    def __post_init__(self) -> None:
        check_samples(self.samples, length=CLIP_SAMPLES, what="a clip")
        if not 0.0 <= self.speech_seconds <= CLIP_SECONDS + 1e-9:
            raise AudioFormatError(
                "a clip's speech_seconds is out of range",
                received=self.speech_seconds,
                allowed=f"0 to {CLIP_SECONDS}",
            )


def level_dbfs(samples: Samples) -> float:
    """Root-mean-square level in dB relative to full scale (a full-scale square wave is 0 dBFS); -120 for silence."""
    if samples.size == 0:
        return -120.0
    mean_square = float(np.mean(np.square(samples.astype(np.float64) / FULL_SCALE)))
    return 10.0 * float(np.log10(max(mean_square, 1e-12)))
