"""What a recording is like, measured once when it is opened: level, clipping, noise, and how much of it is speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.measures import clipped_share, estimate_snr_db
from device.sound.pcm import FRAME_SECONDS, FULL_SCALE, SAMPLE_RATE_HZ, Samples, level_dbfs
from device.sound.resample import resample
from device.sound.segmenter import frames_of
from device.sound.vad import VadSpec, WebRtcDetector


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """``level_dbfs``: RMS of the whole recording; ``clipped_share`` 0..1: samples at full scale; ``snr_db``: an
    estimate, -20..60; ``speech_seconds``: what the door's detector calls speech."""

    level_dbfs: float = -120.0
    clipped_share: float = 0.0
    snr_db: float = 0.0
    speech_seconds: float = 0.0


def as_heard(sound: NDArray[np.float32], rate_hz: int) -> Samples:
    """Decoded sound ``(n, channels)``, full scale 1, as everything here hears it: int16 ``(m,)``, mono, 16 kHz."""
    mono = mixed_down(sound)
    return mono if rate_hz == SAMPLE_RATE_HZ else resample(mono, from_hz=rate_hz)


def mixed_down(sound: NDArray[np.float32]) -> Samples:
    """Decoded sound ``(n, channels)``, full scale 1, to int16 ``(n,)`` at its own rate."""
    # Float files may exceed full scale, and +1.0 has no int16: clip, do not wrap.
    mono: Samples = np.clip(np.rint(sound.mean(axis=1) * FULL_SCALE), -32768, 32767).astype(np.int16)
    return mono


def measure(sound: NDArray[np.float32], rate_hz: int) -> Measures:
    """Measures of decoded sound ``(n, channels)``, full scale 1, n > 0."""
    samples = as_heard(sound, rate_hz)
    detector = WebRtcDetector(VadSpec())
    speech = np.array([detector.is_speech(frame) for frame in frames_of(samples)], dtype=bool)
    return Measures(
        level_dbfs=round(level_dbfs(samples), 2),
        # Judged before mixing down: one clipped channel is a clipped recording.
        clipped_share=round(clipped_share(sound), 6),
        snr_db=round(estimate_snr_db(samples, speech), 1),
        speech_seconds=round(float(speech.sum()) * FRAME_SECONDS, 2),
    )
