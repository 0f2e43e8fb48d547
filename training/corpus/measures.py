"""What a recording is like, measured once when it is opened: level, clipping, noise, and how much of it is speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import FRAME_SAMPLES, FRAME_SECONDS, FULL_SCALE, SAMPLE_RATE_HZ, Samples, level_dbfs
from device.sound.resample import resample
from device.sound.segmenter import frames_of
from device.sound.vad import VadSpec, WebRtcDetector

# 16-bit recorders clip at 32767 of 32768; lossy formats move the flat tops a little.
CLIPPED_FROM = 0.999
HIGHEST_SNR_DB = 60.0
LOWEST_SNR_DB = -20.0
_QUIETEST_SHARE = 0.1


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
    # Float files may exceed full scale, and +1.0 has no int16: clip, do not wrap.
    mono = np.clip(np.rint(sound.mean(axis=1) * FULL_SCALE), -32768, 32767).astype(np.int16)
    return mono if rate_hz == SAMPLE_RATE_HZ else resample(mono, from_hz=rate_hz)


def measure(sound: NDArray[np.float32], rate_hz: int) -> Measures:
    """Measures of decoded sound ``(n, channels)``, full scale 1, n > 0."""
    samples = as_heard(sound, rate_hz)
    detector = WebRtcDetector(VadSpec())
    speech = np.array([detector.is_speech(frame) for frame in frames_of(samples)], dtype=bool)
    return Measures(
        level_dbfs=round(level_dbfs(samples), 2),
        # Judged before mixing down: one clipped channel is a clipped recording.
        clipped_share=round(float(np.mean(np.abs(sound).max(axis=1) >= CLIPPED_FROM)), 6),
        snr_db=round(estimate_snr_db(samples, speech), 1),
        speech_seconds=round(float(speech.sum()) * FRAME_SECONDS, 2),
    )


def estimate_snr_db(samples: Samples, speech: NDArray[np.bool_]) -> float:
    """Signal-to-noise ratio in dB, -20..60, from the power of frames: noise is the quietest tenth of all frames,
    signal what the frames of speech (the louder half where none is) have above it.

    ``speech`` bool ``(frames,)``. It needs pauses: without any, the ratio comes out too low.
    """
    whole = len(samples) // FRAME_SAMPLES
    if whole == 0:
        return LOWEST_SNR_DB
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES).astype(np.float64) / FULL_SCALE
    power = np.square(frames).mean(axis=1)
    marked = speech[:whole]
    signal = power[marked] if marked.any() else np.sort(power)[whole // 2 :]
    quietest = np.sort(power)[: max(1, int(_QUIETEST_SHARE * whole))]
    noise = max(float(quietest.mean()), 1e-12)
    ratio = max(float(signal.mean()) - noise, 1e-12) / noise
    return float(np.clip(10.0 * np.log10(ratio), LOWEST_SNR_DB, HIGHEST_SNR_DB))
