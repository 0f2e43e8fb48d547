"""A print of a clip: which fine details of its spectrum stand out, frame by frame, and nothing of how loud they are.

The idea is Haitsma and Kalker's (A Highly Robust Audio Fingerprinting System, ISMIR 2002): keep only signs of local
contrasts, and find the offset at which two signs agree too often for chance. Their bands are too coarse here: a person
who says a sentence again agrees in them. What nobody repeats is the fine course of the pitch, so this print looks at
narrow bins, in which the harmonics of a voice stand out: the contrast of a bin against its neighbours within 31 Hz,
over 0.4 s, every 40 ms. A level, a microphone's colour and a steady hum vanish from it; an echo and moderate noise blur
it. A print is not audio: 2 kB for 3 s, without levels, phases, or anything above 3.5 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import AudioFormatError
from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ, Clip, Samples

Signs = NDArray[np.int8]
# Of a frame's energy in the bins looked at: less than rounding to 16 bits adds.
FAINTEST = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintSpec:
    """Constants of a print. Every ``bin_step``-th bin from ``low_hz`` to ``high_hz`` is compared with the mean of the
    ``half_width_bins`` on either side; a frame ``silent_below_db`` under the loudest says nothing."""

    window_samples: int = 6144
    hop_samples: int = 640
    low_hz: float = 200.0
    high_hz: float = 3500.0
    bin_step: int = 6
    half_width_bins: int = 12
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

    def followed_by(self, later: Print, *, gap_frames: int) -> Print:
        """This print and a ``later`` one as one, with ``gap_frames`` frames between them that say nothing."""
        gap = np.zeros((gap_frames, self.packed.shape[1]), np.uint8)
        return Print(
            np.concatenate([self.packed, gap, later.packed]),
            np.concatenate([self.sounding, np.zeros(gap_frames, np.bool_), later.sounding]),
        )

    def signs(self, bins: int) -> Signs:
        """int8 ``(frames, bins)``: +1 and -1, and 0 throughout a silent frame."""
        bits = np.unpackbits(self.packed, axis=1, count=bins).astype(np.int8)
        signs: Signs = (2 * bits - 1) * self.sounding[:, None].astype(np.int8)
        return signs


def sound_of(clip: Clip) -> Samples:
    """A clip's sound without its filling, int16 ``(n,)``: a repetition that the segmenter made proves nothing."""
    if not clip.filled:
        return clip.samples
    return clip.samples[: round((clip.ended_at_seconds - clip.started_at_seconds) * SAMPLE_RATE_HZ)]


def print_of(samples: Samples, spec: PrintSpec) -> Print:
    """The print of int16 ``(n,)`` at 16 kHz. Shorter than one window it has no frames."""
    bins = spec.bins
    if len(samples) < spec.window_samples:
        return Print(np.zeros((0, -(-len(bins) // 8)), np.uint8), np.zeros(0, np.bool_))
    sound = samples.astype(np.float64) / FULL_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(sound, spec.window_samples)[:: spec.hop_samples]
    spectrum = np.fft.rfft(frames * np.hanning(spec.window_samples), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # Of the bins that are looked at: a constant is as silent as nothing, and rumble hides no voice.
    voiced = power[:, bins[0] : bins[-1] + 1]
    energy = voiced.sum(axis=1)
    sounding = energy > max(float(energy.max()) * 10.0 ** (-spec.silent_below_db / 10.0), FAINTEST)
    # The floor keeps what is 40 dB under the mean from being compared: there is only noise.
    level = np.log(power + 1e-4 * voiced.mean() + 1e-12)
    return Print(np.packbits(_contrast(level, bins, spec.half_width_bins) > 0.0, axis=1), sounding)


def _contrast(level: NDArray[np.float64], bins: NDArray[np.int64], half: int) -> NDArray[np.float64]:
    """How far each bin stands out from its neighbours, less what it does so throughout (hum, the room's colour)."""
    summed = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1)
    around: NDArray[np.float64] = (summed[:, bins + half + 1] - summed[:, bins - half]) / (2 * half + 1)
    contrast: NDArray[np.float64] = level[:, bins] - around
    contrast -= contrast.mean(axis=0, keepdims=True)
    return contrast
