"""THE front-end: a clip's log-mel spectrogram, in numpy. Training and the door both call this and nothing else.

``kind = "kaldi"`` is Kaldi's log-mel filter bank (Povey et al., ASRU 2011), which most published speaker networks have
learnt on: frames of 25 ms every 10 ms, none that reaches over the clip's ends; of each frame the mean is taken away,
then a pre-emphasis of 0.97, Povey's window, the power of a 512-point transform, bands that are triangular in mel
(1127 ln(1 + f / 700)), and the natural logarithm. No dither. ``kaldi-native-fbank`` is the oracle in the tests.
``kind = "slaney"`` is the front-end before it (:mod:`device.sound.slaney`), for bundles that were learnt on it.

Each clip is computed alone and against a fixed reference, so its features do not depend on other clips, on a batch, or
on what was heard before.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import ConfigError
from device.sound import slaney
from device.sound.fingerprint import fingerprint
from device.sound.pcm import CLIP_SAMPLES, FULL_SCALE, SAMPLE_RATE_HZ, Samples, check_samples

Features = NDArray[np.float32]
_Float = NDArray[np.float64]

KINDS = ("kaldi", "slaney")
SCALES = ("mel", "linear")
PRE_EMPHASIS = 0.97
POVEY_EXPONENT = 0.85
# A clip's frames at once would not stay in a small processor's cache: twice the time.
BLOCK_FRAMES = 64
# Kaldi's floor, the smallest step of float32 about 1: below it a band counts as silent.
KALDI_FLOOR = float(np.finfo(np.float32).eps)
DECIBELS_PER_NEPER = 10.0 / math.log(10.0)
# What only the older front-end knows, with the values at which it is not used.
_SLANEY_ONLY = {"decibels": True, "centred": False, "lift_to_dbfs": 0.0, "scale": "mel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendSpec:
    """Every constant of the front-end.

    ``kind``: ``kaldi`` or ``slaney``; its further defaults are those of ``slaney``, :data:`KALDI` has the others.
    ``scale``: the ``mel_bands`` bands are evenly spaced in ``mel``, or in Hz (``linear``).
    ``log_floor`` is the power below which a band counts as silent (relative to full scale squared);
    ``remove_band_mean`` subtracts each band's mean over the clip, which takes away gain and the microphone's colour.
    For networks that learnt elsewhere: ``decibels`` False leaves powers as they are, ``centred`` puts half a transform
    of silence before and after the clip, ``lift_to_dbfs`` raises a quieter clip to that RMS level (0 never does).
    """

    kind: str = "slaney"
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
        if self.kind not in KINDS:
            raise _wrong("no such front-end", "frontend.kind", self.kind, ", ".join(KINDS))
        if self.scale not in SCALES:
            raise _wrong("no such scale", "frontend.scale", self.scale, ", ".join(SCALES))
        if not 0 < self.hop_samples <= self.window_samples <= self.fft_samples <= CLIP_SAMPLES:
            lengths = f"hop {self.hop_samples}, window {self.window_samples}, fft {self.fft_samples}"
            allowed = f"0 < hop <= window <= fft <= {CLIP_SAMPLES}"
            raise _wrong("the lengths do not fit each other", "frontend", lengths, allowed)
        if not 0 <= self.low_hz < self.high_hz <= SAMPLE_RATE_HZ / 2:
            edges, allowed = f"{self.low_hz} to {self.high_hz} Hz", f"0 <= low_hz < high_hz <= {SAMPLE_RATE_HZ // 2}"
            raise _wrong("the band edges do not fit the sample rate", "frontend", edges, allowed)
        if self.mel_bands < 1 or self.log_floor <= 0:
            values = f"mel_bands {self.mel_bands}, log_floor {self.log_floor}"
            raise _wrong("out of range", "frontend", values, "mel_bands >= 1, log_floor > 0")
        if self.lift_to_dbfs > 0 or (self.remove_band_mean and not self.decibels):
            values = f"lift_to_dbfs {self.lift_to_dbfs}, decibels {self.decibels}"
            allowed = "lift_to_dbfs <= 0; remove_band_mean only of decibels"
            raise _wrong("these do not go together", "frontend", values, allowed)
        foreign = [key for key, unused in _SLANEY_ONLY.items() if getattr(self, key) != unused]
        if self.kind == "kaldi" and foreign:
            raise _wrong("these do not go together", "frontend", f"kind kaldi, {', '.join(foreign)}", "kind slaney")

    @property
    def frames(self) -> int:
        """How many frames a clip of 3 s has."""
        return 1 + (CLIP_SAMPLES + 2 * self.margin_samples - self.frame_samples) // self.hop_samples

    @property
    def frame_samples(self) -> int:
        """How long a frame is: Kaldi fills its transform up with zeros, the older front-end with sound."""
        return self.window_samples if self.kind == "kaldi" else self.fft_samples

    @property
    def margin_samples(self) -> int:
        """The silence put before and after a clip."""
        return self.fft_samples // 2 if self.centred else 0

    @property
    def shape(self) -> tuple[int, int]:
        """(frames, mel_bands)."""
        return self.frames, self.mel_bands

    @property
    def decibels_per_unit(self) -> float:
        """How many dB a difference of 1 between two features is, where they are logarithms."""
        return DECIBELS_PER_NEPER if self.kind == "kaldi" else 1.0

    def fingerprint(self) -> str:
        constants = asdict(self)
        if constants.pop("kind") == "kaldi":
            return fingerprint("fbank-1", {key: constants[key] for key in constants if key not in _SLANEY_ONLY})
        # Constants that came later count only where they are used: what was made before them stays valid.
        return fingerprint("logmel-1", {key: constants[key] for key in constants
                                        if key not in _SLANEY_ONLY or constants[key] != _SLANEY_ONLY[key]})  # fmt: skip


# What CAM++ and its relatives learnt on: 298 frames of 80 bands.
KALDI = FrontendSpec(kind="kaldi", mel_bands=80, low_hz=20.0, high_hz=8000.0, log_floor=KALDI_FLOOR)


def hz_to_mel(frequency_hz: _Float) -> _Float:
    """Kaldi's mel scale."""
    return 1127.0 * np.log1p(frequency_hz / 700.0)


def mel_to_hz(mel: _Float) -> _Float:
    """Inverse of :func:`hz_to_mel`."""
    return 700.0 * np.expm1(mel / 1127.0)


def band_edges_hz(spec: FrontendSpec) -> _Float:
    """Where the bands begin, peak and end, float64 ``(mel_bands + 2,)``: band ``n`` from edge ``n`` to ``n + 2``."""
    if spec.kind == "slaney":
        return slaney.band_edges_hz(spec)
    low, high = hz_to_mel(np.array([spec.low_hz, spec.high_hz], dtype=np.float64))
    return mel_to_hz(np.linspace(low, high, spec.mel_bands + 2))


def band_filters(spec: FrontendSpec) -> _Float:
    """Triangular filters, float64 ``(mel_bands, fft_samples / 2 + 1)``: Kaldi's with a peak of 1, triangular in mel."""
    if spec.kind == "slaney":
        return slaney.band_filters(spec)
    edges = hz_to_mel(band_edges_hz(spec))
    bins = hz_to_mel(np.arange(spec.fft_samples // 2 + 1, dtype=np.float64) * SAMPLE_RATE_HZ / spec.fft_samples)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters: _Float = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    # Kaldi leaves out the last bin, half the sample rate.
    filters[:, -1] = 0.0
    return filters


class LogMel:
    """The front-end with its tables made once. Call it with int16 ``(48000,)``; get float32 ``spec.shape``.

    Features are natural logarithms of power for ``kaldi``, dB for ``slaney`` (powers where ``spec.decibels`` is False),
    relative to the band's mean over the clip with ``remove_band_mean``. Raises
    :class:`~device.errors.AudioFormatError` for another shape or dtype.
    """

    def __init__(self, spec: FrontendSpec) -> None:
        self.spec = spec
        self._bands = slaney.Bands(spec) if spec.kind == "slaney" else Bands(spec)

    def __call__(self, samples: Samples) -> Features:
        check_samples(samples, length=CLIP_SAMPLES, what="the front-end's input")
        return self.of_any_length(samples)

    def of_any_length(self, samples: Samples) -> Features:
        """The same for a sound of another length, int16 of at least one transform; for studies, never at the door."""
        bands = self._bands(samples)
        if not self.spec.decibels:
            return bands.astype(np.float32)
        logarithms = np.log(np.maximum(bands, self.spec.log_floor))
        if self.spec.kind == "slaney":
            logarithms *= DECIBELS_PER_NEPER
        if self.spec.remove_band_mean:
            logarithms -= logarithms.mean(axis=0, keepdims=True)
        return logarithms.astype(np.float32)

    def to_look_at(self, samples: Samples) -> Features:
        """The same clip in dB, whatever the network hears, with the bands' means left in: for pictures."""
        bands = np.maximum(self._bands(samples), self.spec.log_floor)
        return (DECIBELS_PER_NEPER * np.log(bands)).astype(np.float32)


class Bands:
    """Kaldi's band powers: int16 ``(n,)`` to float64 ``(frames, mel_bands)``."""

    def __init__(self, spec: FrontendSpec) -> None:
        self._spec = spec
        steps = np.arange(spec.window_samples) / (spec.window_samples - 1)
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * steps)) ** POVEY_EXPONENT
        self._filters = np.ascontiguousarray(band_filters(spec).T)

    def __call__(self, samples: Samples) -> _Float:
        # float64 throughout: numpy's real FFT is several times faster on it than on float32.
        sound = samples.astype(np.float64) / FULL_SCALE
        # A frame's mean is taken away before the pre-emphasis, which leaves a share of it in every sample: so the whole
        # sound is emphasised once, and what the mean would have left is taken away from each frame after it.
        emphasised = np.concatenate([[0.0], sound[1:] - PRE_EMPHASIS * sound[:-1]])
        left = 1.0 - PRE_EMPHASIS
        plain, frames = (
            np.lib.stride_tricks.sliding_window_view(each, self._spec.window_samples)[:: self._spec.hop_samples]
            for each in (sound, emphasised)
        )
        means = plain.mean(axis=1)
        bands = np.empty((len(frames), self._spec.mel_bands))
        for start in range(0, len(frames), BLOCK_FRAMES):
            block = slice(start, start + BLOCK_FRAMES)
            shaped = frames[block] - left * means[block, None]
            # A frame's first sample has none before it: Kaldi takes it for its own predecessor.
            shaped[:, 0] = left * (plain[block, 0] - means[block])
            shaped *= self._window
            spectrum = np.fft.rfft(shaped, self._spec.fft_samples, axis=1)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            np.matmul(power, self._filters, out=bands[block])
        return bands


def _wrong(what: str, where: str, received: str, allowed: str) -> ConfigError:
    return ConfigError(what, where=where, received=received, allowed=allowed)
