"""Any common rate to 16 kHz, through libsoxr (band-limited; nothing above 8 kHz folds back)."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from device.errors import AudioFormatError
from device.sound.pcm import FRAME_SAMPLES, SAMPLE_RATE_HZ, Frame, Samples, check_samples

LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 192_000


def check_rate(rate_hz: int, *, where: str = "") -> None:
    """Raise :class:`AudioFormatError` unless ``rate_hz`` is one a microphone or a recording (``where``) may have."""
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise AudioFormatError(
            "a sample rate that cannot be used",
            where=where,
            received=f"{rate_hz} Hz",
            allowed=f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz",
            next_step="convert the recording to 16 kHz, or choose another microphone",
        )


def _to_int16(sound: NDArray[np.float32]) -> Samples:
    # The filter may overshoot full scale by a little: clip, do not wrap.
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def resample(samples: Samples, *, from_hz: int) -> Samples:
    """A whole recording, int16 ``(n,)`` at ``from_hz``, to int16 at 16 kHz."""
    check_samples(samples, length=None, what="the resampler's input")
    check_rate(from_hz)
    if from_hz == SAMPLE_RATE_HZ:
        return samples
    return _to_int16(soxr.resample(samples.astype(np.float32), from_hz, SAMPLE_RATE_HZ, quality="HQ"))


class StreamResampler:
    """The same in pieces of any length, as a microphone delivers them. The output lags by a few milliseconds."""

    def __init__(self, from_hz: int) -> None:
        check_rate(from_hz)
        self.from_hz = from_hz
        self._stream = soxr.ResampleStream(from_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """int16 ``(n,)`` in, what is ready out; ``last`` drains the rest."""
        check_samples(samples, length=None, what="the resampler's input")
        if self.from_hz == SAMPLE_RATE_HZ:
            return samples
        return _to_int16(self._stream.resample_chunk(samples.astype(np.float32), last=last))


class FrameCutter:
    """Blocks of any length to frames of 20 ms, each with the time at which its last sample was heard."""

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, dtype=np.int16)

    def push(self, samples: Samples, ended_at_seconds: float) -> list[Frame]:
        """Take 16 kHz samples whose last one was heard at ``ended_at_seconds``."""
        sound = np.concatenate([self._rest, samples])
        count = len(sound) // FRAME_SAMPLES
        self._rest = sound[count * FRAME_SAMPLES :].copy()
        frames = []
        for index in range(count):
            stop = (index + 1) * FRAME_SAMPLES
            ended = ended_at_seconds - (len(sound) - stop) / SAMPLE_RATE_HZ
            frames.append(Frame(sound[stop - FRAME_SAMPLES : stop], ended))
        return frames

    def discard(self) -> None:
        """Forget an incomplete frame (after a Gap)."""
        self._rest = np.zeros(0, dtype=np.int16)
