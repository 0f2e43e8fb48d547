"""THE front-end: a clip's log-mel spectrogram, in numpy. Training and the door both call this and nothing else.

The mel scale is Slaney's (Auditory Toolbox, 1998: linear to 1 kHz, logarithmic above) with bands of equal area, the
window a periodic Hann centred in the transform, no padding at the clip's ends; ``scale = "linear"`` spaces the bands
evenly in Hz instead. librosa's ``melspectrogram`` with the same settings is the oracle in the tests. Each clip is
computed alone and against a fixed reference, so its features do not depend on other clips, on a batch, or on what was
heard before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import ConfigError
from device.sound.fingerprint import fingerprint
from device.sound.pcm import CLIP_SAMPLES, FULL_SCALE, SAMPLE_RATE_HZ, Samples, check_samples

Features = NDArray[np.float32]
_Float = NDArray[np.float64]

SCALES = ("mel", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendSpec:
    """Every constant of the front-end.

    ``scale``: the ``mel_bands`` bands are evenly spaced in ``mel``, or in Hz (``linear``).
    ``log_floor`` is the power below which a band counts as silent (relative to full scale squared);
    ``remove_band_mean`` subtracts each band's mean over the clip, which takes away gain and the microphone's colour.
    For networks that learnt elsewhere: ``decibels`` False leaves powers as they are, ``centred`` puts half a transform
    of silence before and after the clip, ``lift_to_dbfs`` raises a quieter clip to that RMS level (0 never does).
    """

    fft_samples: int = 512
    window_samples: int = 400
    hop_samples: int = 160
    mel_bands: int = 64
    low_hz: float = 50.0
    high_hz: float = 7600.0
    log_floor: float = 1e-8
    remove_band_mean: bool = True
    decibels: bool = True
    centred: bool = False
    lift_to_dbfs: float = 0.0
    scale: str = "mel"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ConfigError("no such scale", where="frontend.scale", received=self.scale, allowed=", ".join(SCALES))
        if not 0 < self.hop_samples <= self.window_samples <= self.fft_samples <= CLIP_SAMPLES:
            raise ConfigError(
                "the lengths do not fit each other",
                where="frontend",
                received=f"hop {self.hop_samples}, window {self.window_samples}, fft {self.fft_samples}",
                allowed=f"0 < hop <= window <= fft <= {CLIP_SAMPLES}",
            )
        if not 0 <= self.low_hz < self.high_hz <= SAMPLE_RATE_HZ / 2:
            raise ConfigError(
                "the band edges do not fit the sample rate",
                where="frontend",
                received=f"{self.low_hz} to {self.high_hz} Hz",
                allowed=f"0 <= low_hz < high_hz <= {SAMPLE_RATE_HZ // 2}",
            )
        if self.mel_bands < 1 or self.log_floor <= 0:
            raise ConfigError(
                "out of range",
                where="frontend",
                received=f"mel_bands {self.mel_bands}, log_floor {self.log_floor}",
                allowed="mel_bands >= 1, log_floor > 0",
            )
        if self.lift_to_dbfs > 0 or (self.remove_band_mean and not self.decibels):
            raise ConfigError(
                "these do not go together",
                where="frontend",
                received=f"lift_to_dbfs {self.lift_to_dbfs}, decibels {self.decibels}",
                allowed="lift_to_dbfs <= 0; remove_band_mean only of decibels",
            )

    @property
    def frames(self) -> int:
        """How many frames a clip of 3 s has."""
        heard = CLIP_SAMPLES + 2 * self.margin_samples
        return 1 + (heard - self.fft_samples) // self.hop_samples

    @property
    def margin_samples(self) -> int:
        """The silence put before and after a clip."""
        return self.fft_samples // 2 if self.centred else 0

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, mel_bands)."""
        return self.frames, self.mel_bands

    def fingerprint(self) -> str:
        # Constants that came later count only where they are used: what was made before them stays valid.
        unused = {"decibels": True, "centred": False, "lift_to_dbfs": 0.0, "scale": "mel"}
        constants = asdict(self)
        return fingerprint("logmel-1", {key: value for key, value in constants.items() if unused.get(key) != value})


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


class LogMel:
    """The front-end with its tables made once. Call it with int16 ``(48000,)``; get float32 ``spec.shape`` in dB, or
    powers where ``spec.decibels`` is False.

    0 dB is the power of a full-scale signal per the filters' normalisation; with ``remove_band_mean`` values are dB
    relative to the band's mean over the clip. Raises :class:`~device.errors.AudioFormatError` for another shape or
    dtype.
    """

    def __init__(self, spec: FrontendSpec) -> None:
        self.spec = spec
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(spec.window_samples) / spec.window_samples)
        before = (spec.fft_samples - spec.window_samples) // 2
        self._window = np.zeros(spec.fft_samples)
        self._window[before : before + spec.window_samples] = hann
        self._filters = np.ascontiguousarray(band_filters(spec).T)

    def __call__(self, samples: Samples) -> Features:
        check_samples(samples, length=CLIP_SAMPLES, what="the front-end's input")
        return self.of_any_length(samples)

    def of_any_length(self, samples: Samples) -> Features:
        """The same for a sound of another length, int16 of at least one transform; for studies, never at the door."""
        # float64 throughout: numpy's real FFT is several times faster on it than on float32.
        sound = samples.astype(np.float64) / FULL_SCALE
        if self.spec.lift_to_dbfs < 0:
            level = 10.0 * np.log10(max(float(np.mean(np.square(sound))), 1e-12))
            sound = sound * 10.0 ** (max(self.spec.lift_to_dbfs - level, 0.0) / 20.0)
        if self.spec.centred:
            sound = np.pad(sound, self.spec.margin_samples)
        frames = np.lib.stride_tricks.sliding_window_view(sound, self.spec.fft_samples)[:: self.spec.hop_samples]
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        bands = power @ self._filters
        if not self.spec.decibels:
            return bands.astype(np.float32)
        decibels = 10.0 * np.log10(np.maximum(bands, self.spec.log_floor))
        if self.spec.remove_band_mean:
            decibels -= decibels.mean(axis=0, keepdims=True)
        return decibels.astype(np.float32)
