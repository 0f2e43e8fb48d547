"""A print of a clip: which fine details of its spectrum stand out, frame by frame, and nothing of how loud they are.

The idea is Haitsma and Kalker's (A Highly Robust Audio Fingerprinting System, ISMIR 2002): keep only signs of local
contrasts, and find the offset at which two signs agree too often for chance. Their bands are too coarse here: a person
who says a sentence again agrees in them. What nobody repeats is the fine course of the pitch, so this print looks at
narrow bins, in which the harmonics of a voice stand out: the contrast of a bin against its neighbours within 73 Hz,
over 0.4 s, every 40 ms. A level, a microphone's colour and a steady hum vanish from it; an echo and moderate noise blur
it. A print is not audio: 2 kB for 3 s, without levels, phases, or anything above 3.5 kHz.

A recording played at another speed has its details at other frequencies and at other times, all by the same factor. So
what is heard stays a :class:`Contrasts`, from which the print of any speed can be read; what is remembered is a print.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import AudioFormatError
from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ, Clip, Samples

Signs = NDArray[np.float32]
# Of a frame's energy in the bins looked at: less than rounding to 16 bits adds.
FAINTEST = 1e-4
# The fastest at which a recording can be read: a little more than is searched.
MOST_SPEED = 1.08


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintSpec:
    """Constants of a print. Every ``bin_step``-th bin from ``low_hz`` to ``high_hz`` is compared with the mean of the
    ``half_width_bins`` on either side; a frame ``silent_below_db`` under the loudest says nothing."""

    window_samples: int = 6144
    hop_samples: int = 640
    # What is heard is looked at more often than a print, so that any speed finds its frames.
    dense_hop_samples: int = 320
    low_hz: float = 200.0
    high_hz: float = 3500.0
    bin_step: int = 6
    half_width_bins: int = 28
    silent_below_db: float = 35.0

    @property
    def bins(self) -> NDArray[np.int64]:
        """The numbers of the transform's bins that are looked at."""
        hertz_a_bin = SAMPLE_RATE_HZ / self.window_samples
        return np.arange(int(self.low_hz / hertz_a_bin), int(self.high_hz / hertz_a_bin), self.bin_step)

    @property
    def frame_seconds(self) -> float:
        return self.hop_samples / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """``packed``: the signs as bits, uint8 ``(frames, ceil(bins / 8))``; ``sounding``: bool ``(frames,)``, False where
    a frame was silent and its bits mean nothing."""

    packed: NDArray[np.uint8]
    sounding: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.packed.ndim != 2 or self.packed.dtype != np.uint8 or self.sounding.shape != self.packed.shape[:1]:
            raise AudioFormatError(
                "a print has the wrong form",
                received=f"{self.packed.dtype}{list(self.packed.shape)} and {list(self.sounding.shape)}",
                allowed="uint8[frames, bytes] and bool[frames]",
            )

    @property
    def frames(self) -> int:
        return len(self.sounding)

    def signs(self, bins: int, *, frame_step: int = 1) -> Signs:
        """float32 ``(frames, bins)`` of the lowest ``bins`` and every ``frame_step``-th frame: +1 and -1, and 0
        throughout a silent frame."""
        bits = np.unpackbits(self.packed[::frame_step, : -(-bins // 8)], axis=1, count=bins).astype(np.float32)
        signs: Signs = (2.0 * bits - 1.0) * self.sounding[::frame_step, None]
        return signs


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """How far each bin of the transform stands out from its neighbours, float32 ``(dense frames, bins)``; ``sounding``:
    bool ``(dense frames,)``. Kept while an utterance lasts, never longer."""

    table: NDArray[np.float32]
    sounding: NDArray[np.bool_]
    spec: PrintSpec

    @property
    def seconds(self) -> float:
        """The time that the frames step through."""
        return len(self.sounding) * self.spec.dense_hop_samples / SAMPLE_RATE_HZ

    def followed_by(self, later: Contrasts, *, gap_seconds: float) -> Contrasts:
        """These and ``later`` ones as one, with frames between them that say nothing."""
        gap = max(0, round(gap_seconds * SAMPLE_RATE_HZ / self.spec.dense_hop_samples))
        return Contrasts(
            np.concatenate([self.table, np.zeros((gap, self.table.shape[1]), np.float32), later.table]),
            np.concatenate([self.sounding, np.zeros(gap, np.bool_), later.sounding]),
            self.spec,
        )

    def signs_at(
        self, speed: float, bins: NDArray[np.int64], *, frame_step: int = 1
    ) -> tuple[Signs, NDArray[np.bool_]]:
        """The signs of a print, float32 ``(frames, len(bins))``, and which frames sound, for a recording that runs
        ``speed`` times as fast as what it is to be compared with. Every ``frame_step``-th frame of a print only."""
        hop = frame_step * self.spec.hop_samples / speed / self.spec.dense_hop_samples
        frames = np.arange(0.0, len(self.sounding) - 0.5, hop).round().astype(np.int64)
        sounding = self.sounding[frames]
        contrast = self.table[np.ix_(frames, (bins * speed).round().astype(np.int64))]
        # Less what stands out throughout: hum, and the room's colour.
        contrast = contrast - contrast[sounding].sum(axis=0) / max(1, int(sounding.sum()))
        return np.where(contrast > 0.0, np.float32(1.0), np.float32(-1.0)) * sounding[:, None], sounding

    def to_print(self) -> Print:
        """What is remembered."""
        signs, sounding = self.signs_at(1.0, self.spec.bins)
        return Print(np.packbits(signs > 0.0, axis=1), sounding)


def sound_of(clip: Clip) -> Samples:
    """A clip's sound without its filling, int16 ``(n,)``: a repetition that the segmenter made proves nothing."""
    if not clip.filled:
        return clip.samples
    return clip.samples[: round((clip.ended_at_seconds - clip.started_at_seconds) * SAMPLE_RATE_HZ)]


def contrasts_of(samples: Samples, spec: PrintSpec) -> Contrasts:
    """The contrasts of int16 ``(n,)`` at 16 kHz. Shorter than one window they have no frames."""
    half, bins = spec.half_width_bins, spec.bins
    highest = int(MOST_SPEED * bins[-1]) + 2
    if len(samples) < spec.window_samples:
        return Contrasts(np.zeros((0, highest), np.float32), np.zeros(0, np.bool_), spec)
    sound = samples.astype(np.float64) / FULL_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(sound, spec.window_samples)[:: spec.dense_hop_samples]
    spectrum = np.fft.rfft(frames * np.hanning(spec.window_samples), axis=1)[:, : highest + half]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # Of the bins that are looked at: a constant is as silent as nothing, and rumble hides no voice.
    voiced = power[:, bins[0] : bins[-1] + 1]
    energy = voiced.sum(axis=1)
    sounding = energy > max(float(energy.max()) * 10.0 ** (-spec.silent_below_db / 10.0), FAINTEST)
    # The floor keeps what is 40 dB under the mean from being compared: there is only noise.
    level = np.log(power + 1e-4 * voiced.mean() + 1e-12)
    summed = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1)
    table = np.zeros((len(level), highest), np.float32)
    table[:, half:] = level[:, half:highest] - (summed[:, 2 * half + 1 :] - summed[:, : -2 * half - 1]) / (2 * half + 1)
    return Contrasts(table, sounding, spec)


def print_of(samples: Samples, spec: PrintSpec) -> Print:
    """The print of int16 ``(n,)`` at 16 kHz. Shorter than one window it has no frames."""
    return contrasts_of(samples, spec).to_print()
