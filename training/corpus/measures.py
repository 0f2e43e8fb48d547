"""What a recording is like, measured once when it is opened: level, clipping, noise, and how much of it is speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.channels import choose_channels, to_samples
from device.sound.measures import clipped_share, frame_powers, snr_of_powers
from device.sound.pcm import FRAME_SAMPLES, FRAME_SECONDS, FULL_SCALE, SAMPLE_RATE_HZ, Samples
from device.sound.resample import resample
from device.sound.segmenter import frames_of
from device.sound.vad import VadSpec, WebRtcDetector


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
    mono = mixed_down(sound)
    return mono if rate_hz == SAMPLE_RATE_HZ else resample(mono, from_hz=rate_hz)


def mixed_down(sound: NDArray[np.float32]) -> Samples:
    """Decoded sound ``(n, channels)``, full scale 1, to int16 ``(n,)`` at its own rate."""
    return to_samples(choose_channels([sound]).mono(sound))


class Meter:
    """Measures of a recording that is gone through once; only a frame's rest and a number a frame are held."""

    def __init__(self) -> None:
        self._detector = WebRtcDetector(VadSpec())
        self._rest: Samples = np.zeros(0, dtype=np.int16)
        self._speech: list[NDArray[np.bool_]] = []
        self._powers: list[NDArray[np.float64]] = []
        self._squares = self._clipped = 0.0
        self._count = self._decoded = 0
        self.peak = 0

    def push(self, sound: NDArray[np.float32], samples: Samples) -> None:
        """A block as decoded, ``(n, channels)``, and what the door hears then, int16 mono at 16 kHz (any length)."""
        # Judged before mixing down: one clipped channel is a clipped recording.
        self._clipped += clipped_share(sound) * len(sound)
        self._decoded += len(sound)
        self._squares += float(np.square(samples.astype(np.float64) / FULL_SCALE).sum())
        self._count += len(samples)
        self.peak = max(self.peak, int(np.abs(samples.astype(np.int32)).max(initial=0)))
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % FRAME_SAMPLES
        frames = joined[:whole]
        self._rest = joined[whole:]
        self._powers.append(frame_powers(frames))
        self._speech.append(np.array([self._detector.is_speech(each) for each in frames_of(frames)], dtype=bool))

    def measures(self) -> Measures:
        """Of everything pushed so far."""
        if not self._count:
            return Measures()
        speech = np.concatenate(self._speech)
        return Measures(
            level_dbfs=round(10.0 * float(np.log10(max(self._squares / self._count, 1e-12))), 2),
            clipped_share=round(self._clipped / self._decoded, 6),
            snr_db=round(snr_of_powers(np.concatenate(self._powers), speech), 1),
            speech_seconds=round(float(speech.sum()) * FRAME_SECONDS, 2),
        )


def measure(sound: NDArray[np.float32], rate_hz: int) -> Measures:
    """Measures of decoded sound ``(n, channels)``, full scale 1, n > 0."""
    meter = Meter()
    meter.push(sound, as_heard(sound, rate_hz))
    return meter.measures()
