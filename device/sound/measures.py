"""What sound is like: clipping, peak, how far speech stands above the noise. Pure, for the door and the workshop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import FRAME_SAMPLES, FULL_SCALE, Samples

# 16-bit recorders clip at 32767 of 32768; lossy formats move the flat tops a little.
CLIPPED_FROM = 0.999
# From here on clipping can be heard, and bends the spectrum.
CLIPPED_SHARE = 0.001
HIGHEST_SNR_DB = 60.0
LOWEST_SNR_DB = -20.0
SILENT_DBFS = -120.0
_QUIETEST_SHARE = 0.1


def clipped_share(sound: NDArray[np.float32] | Samples) -> float:
    """The share, 0..1, of samples at full scale. ``sound`` ``(n,)`` or ``(n, channels)``, int16 or float of full scale
    1; of several channels any clipped one counts. 0 for no samples."""
    if sound.size == 0:
        return 0.0
    # int16 has no absolute value of its lowest number: float first.
    scaled = np.abs(sound.astype(np.float64) / (FULL_SCALE if sound.dtype == np.int16 else 1.0))
    return float(np.mean((scaled.max(axis=1) if scaled.ndim == 2 else scaled) >= CLIPPED_FROM))


def peak_dbfs(samples: Samples) -> float:
    """The highest sample in dB relative to full scale; -120 for silence or nothing."""
    if samples.size == 0:
        return SILENT_DBFS
    highest = float(np.abs(samples.astype(np.float64)).max()) / FULL_SCALE
    return 20.0 * float(np.log10(max(highest, 1e-6)))


def frame_powers(samples: Samples) -> NDArray[np.float64]:
    """Mean square of each whole frame of int16 ``(n,)``, full scale 1: float64 ``(n // 320,)``."""
    whole = len(samples) // FRAME_SAMPLES
    frames = samples[: whole * FRAME_SAMPLES].reshape(whole, FRAME_SAMPLES).astype(np.float64) / FULL_SCALE
    return np.asarray(np.square(frames).mean(axis=1))


def noise_power(powers: NDArray[np.float64]) -> float:
    """The power of the background: the mean of the quietest tenth of frames, ``powers`` ``(frames,)``, frames > 0."""
    quietest = np.sort(powers)[: max(1, int(_QUIETEST_SHARE * len(powers)))]
    return max(float(quietest.mean()), 1e-12)


def estimate_snr_db(samples: Samples, speech: NDArray[np.bool_]) -> float:
    """Signal-to-noise ratio in dB, -20..60, from the power of frames: noise is the quietest tenth of all frames,
    signal what the frames of speech (the louder half where none is) have above it.

    ``speech`` bool ``(frames,)``. It needs pauses: without any, the ratio comes out too low.
    """
    return snr_of_powers(frame_powers(samples), speech)


def snr_of_powers(powers: NDArray[np.float64], speech: NDArray[np.bool_]) -> float:
    """:func:`estimate_snr_db` from the ``powers`` ``(frames,)`` of :func:`frame_powers`."""
    if len(powers) == 0:
        return LOWEST_SNR_DB
    marked = speech[: len(powers)]
    signal = powers[marked] if marked.any() else np.sort(powers)[len(powers) // 2 :]
    noise = noise_power(powers)
    ratio = max(float(signal.mean()) - noise, 1e-12) / noise
    return float(np.clip(10.0 * np.log10(ratio), LOWEST_SNR_DB, HIGHEST_SNR_DB))
