"""The front-end before Kaldi's: log-mel on Slaney's scale, for bundles whose network learnt on it.

The mel scale is Slaney's (Auditory Toolbox, 1998: linear to 1 kHz, logarithmic above) with bands of equal area, the
window a periodic Hann centred in the transform, no padding at the clip's ends; ``scale = "linear"`` spaces the bands
evenly in Hz instead. librosa's ``melspectrogram`` with the same settings is the oracle in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ, Samples

if TYPE_CHECKING:
    from device.sound.logmel import FrontendSpec

_Float = NDArray[np.float64]


def hz_to_mel(frequency_hz: _Float) -> _Float:
    """Slaney's mel scale: 3 mel per 200 Hz up to 1 kHz, then 27 mel for each factor of 6.4."""
    linear = frequency_hz * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(frequency_hz, 1e-9) / 1000.0) / np.log(6.4)
    return np.where(frequency_hz < 1000.0, linear, logarithmic)


def mel_to_hz(mel: _Float) -> _Float:
    """Inverse of :func:`hz_to_mel`."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


def band_edges_hz(spec: FrontendSpec) -> _Float:
    """Where the bands begin, peak and end, float64 ``(mel_bands + 2,)``: band ``n`` from edge ``n`` to ``n + 2``."""
    if spec.scale == "linear":
        return np.linspace(spec.low_hz, spec.high_hz, spec.mel_bands + 2)
    edges_mel = hz_to_mel(np.array([spec.low_hz, spec.high_hz], dtype=np.float64))
    return mel_to_hz(np.linspace(edges_mel[0], edges_mel[1], spec.mel_bands + 2))


def band_filters(spec: FrontendSpec) -> _Float:
    """Triangular filters, float64 ``(mel_bands, fft_samples / 2 + 1)``, each of area 1 over frequency in Hz."""
    edges_hz = band_edges_hz(spec)
    bins_hz = np.arange(spec.fft_samples // 2 + 1) * (SAMPLE_RATE_HZ / spec.fft_samples)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    filters: _Float = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    return filters


class Bands:
    """Band powers: int16 ``(n,)`` to float64 ``(frames, mel_bands)``."""

    def __init__(self, spec: FrontendSpec) -> None:
        self._spec = spec
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(spec.window_samples) / spec.window_samples)
        before = (spec.fft_samples - spec.window_samples) // 2
        self._window = np.zeros(spec.fft_samples)
        self._window[before : before + spec.window_samples] = hann
        self._filters = np.ascontiguousarray(band_filters(spec).T)

    def __call__(self, samples: Samples) -> _Float:
        # float64 throughout: numpy's real FFT is several times faster on it than on float32.
        sound = samples.astype(np.float64) / FULL_SCALE
        if self._spec.lift_to_dbfs < 0:
            level = 10.0 * np.log10(max(float(np.mean(np.square(sound))), 1e-12))
            sound = sound * 10.0 ** (max(self._spec.lift_to_dbfs - level, 0.0) / 20.0)
        if self._spec.centred:
            sound = np.pad(sound, self._spec.margin_samples)
        frames = np.lib.stride_tricks.sliding_window_view(sound, self._spec.fft_samples)[:: self._spec.hop_samples]
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        bands: _Float = power @ self._filters
        return bands
