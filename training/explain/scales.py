"""Where frames and bands of the front-end lie: in seconds of the clip, and in Hz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, hz_to_mel, mel_to_hz
from device.sound.pcm import SAMPLE_RATE_HZ


def frame_seconds(spec: FrontendSpec, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where frames meet, in seconds of the clip: half-way between the centres of two windows."""
    first = (spec.fft_samples - spec.hop_samples) / 2 - spec.margin_samples
    seconds: NDArray[np.float64] = np.clip((edges * spec.hop_samples + first) / SAMPLE_RATE_HZ, 0.0, None)
    return seconds


def band_edges_hz(spec: FrontendSpec, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where bands meet, in Hz: half-way in mel between the peaks of two filters."""
    low, high = hz_to_mel(np.array([spec.low_hz, spec.high_hz], dtype=np.float64))
    return mel_to_hz(low + (edges + 0.5) * (high - low) / (spec.mel_bands + 1))


def band_of(spec: FrontendSpec, frequencies_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Which band peaks at a frequency, counted from 0, with fractions between."""
    low, high = hz_to_mel(np.array([spec.low_hz, spec.high_hz], dtype=np.float64))
    found: NDArray[np.float64] = (hz_to_mel(frequencies_hz) - low) / (high - low) * (spec.mel_bands + 1) - 1.0
    return found
