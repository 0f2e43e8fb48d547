"""Where frames and bands of the front-end lie: in seconds of the clip, and in Hz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, band_edges_hz
from device.sound.pcm import SAMPLE_RATE_HZ


def frame_seconds(spec: FrontendSpec, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where frames meet, in seconds of the clip: half-way between the centres of two windows."""
    first = (spec.frame_samples - spec.hop_samples) / 2 - spec.margin_samples
    seconds: NDArray[np.float64] = np.clip((edges * spec.hop_samples + first) / SAMPLE_RATE_HZ, 0.0, None)
    return seconds


def bounds_hz(spec: FrontendSpec, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where bands meet, in Hz: half-way between the peaks of two filters."""
    found: NDArray[np.float64] = np.interp(edges + 0.5, np.arange(spec.mel_bands + 2), band_edges_hz(spec))
    return found


def band_of(spec: FrontendSpec, frequencies_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Which band peaks at a frequency, counted from 0, with fractions between."""
    found: NDArray[np.float64] = np.interp(frequencies_hz, band_edges_hz(spec), np.arange(spec.mel_bands + 2)) - 1.0
    return found
