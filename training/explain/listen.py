"""A clip with only the parts that mattered: a map of patches becomes gains on its short-time Fourier transform."""

from __future__ import annotations

import base64
import io
import wave
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, band_filters
from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ, Samples
from training.explain.grid import Grid, Kept, Map


def most_important(importance: Map, share: float) -> Kept:
    """The ``share`` (0..1) of patches that speak for the resident most, bool; none that speaks against them."""
    count = max(1, round(share * importance.size))
    least = np.sort(importance.ravel())[-count]
    chosen: Kept = (importance >= least) & (importance > 0.0)
    return chosen


def only(samples: Samples, kept: Kept, grid: Grid, spec: FrontendSpec) -> Samples:
    """int16 ``(n,)`` of which only the ``kept`` patches (bool ``grid.shape``) remain, as loud as they were.

    A frequency between two bands is kept in the measure in which they hear it; what no band hears is gone.
    """
    import librosa

    sound = samples.astype(np.float32) / np.float32(FULL_SCALE)
    form: dict[str, Any] = {
        "n_fft": spec.fft_samples,
        "hop_length": spec.hop_samples,
        "win_length": spec.window_samples,
    }
    spectrum = librosa.stft(sound, **form)
    gains = _gains(grid.spread(kept).astype(np.float64), spec, frames=spectrum.shape[1])
    heard = librosa.istft(spectrum * gains, **form, length=len(samples))
    made: Samples = np.clip(np.rint(heard * FULL_SCALE), -32768, 32767).astype(np.int16)
    return made


def _gains(cells: NDArray[np.float64], spec: FrontendSpec, *, frames: int) -> NDArray[np.float64]:
    """``(fft_samples / 2 + 1, frames)``, 0..1, for librosa's centred frames, from ``cells`` ``(frames, bands)``."""
    filters = band_filters(spec)
    # A band is as loud as its filter's peak, whatever its width.
    filters = filters / np.maximum(filters.max(axis=1, keepdims=True), 1e-12)
    heard = filters.sum(axis=0)
    by_frame = np.divide(cells @ filters, heard, out=np.zeros((len(cells), len(heard))), where=heard > 1e-6)
    # The front-end's frames begin where librosa's are centred, unless it is centred too.
    offset = spec.frame_samples / 2 - spec.margin_samples
    own_centres = np.arange(len(cells)) * spec.hop_samples + offset
    centres = np.arange(frames) * spec.hop_samples
    return np.stack([np.interp(centres, own_centres, line) for line in by_frame.T])


def wav_bytes(samples: Samples) -> bytes:
    """int16 ``(n,)`` at 16 kHz as a WAV file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, len(samples), "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def player(samples: Samples, label: str) -> str:
    """An ``<audio>`` element that needs no other file."""
    sound = base64.b64encode(wav_bytes(samples)).decode()
    said = escape(label, quote=True)
    return f'<audio controls preload=none aria-label="{said}" src="data:audio/wav;base64,{sound}"></audio>'
