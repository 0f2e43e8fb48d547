"""A microphone that plays what it is given: arrays, WAV files, silence, gaps and faults, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from device.errors import MicrophoneError
from device.ports import Clock
from device.sound.pcm import FRAME_SAMPLES, FRAME_SECONDS, Frame, Gap, Samples
from device.sound.wavfile import read_wav

Segment = Samples | Path | Gap | MicrophoneError


def silence(seconds: float) -> Samples:
    """Digital silence, int16 ``(seconds * 16000,)``."""
    return np.zeros(round(seconds * 16_000), dtype=np.int16)


class SimulatedMicrophone:
    """:class:`~device.ports.Microphone` over ``segments``; each frame takes 20 ms of ``clock``.

    A :class:`Gap` is passed on with the time of the clock; a :class:`MicrophoneError` is raised where it stands. The
    last frame of a segment is filled with zeros. With a real clock it plays in real time, with a manual one at once.
    """

    def __init__(self, segments: Iterable[Segment], *, clock: Clock) -> None:
        self._items = _items(segments)
        self._clock = clock
        self._due_seconds: float | None = None
        self.closed = False

    def read(self) -> Frame | Gap | None:
        if self.closed:
            return None
        item = next(self._items, None)
        if isinstance(item, MicrophoneError):
            raise item
        if item is None:
            return None
        if isinstance(item, Gap):
            return Gap(item.reason, self._clock.monotonic_seconds(), item.lost_seconds)
        # Measured against a due time, so that sleeping a little too long does not add up.
        now = self._clock.monotonic_seconds()
        self._due_seconds = (now if self._due_seconds is None else self._due_seconds) + FRAME_SECONDS
        self._clock.sleep(max(0.0, self._due_seconds - now))
        return Frame(item, self._clock.monotonic_seconds())

    def close(self) -> None:
        self.closed = True


def _items(segments: Iterable[Segment]) -> Iterator[Samples | Gap | MicrophoneError]:
    for segment in segments:
        if isinstance(segment, Gap | MicrophoneError):
            yield segment
            continue
        samples = read_wav(segment) if isinstance(segment, Path) else segment
        for start in range(0, len(samples), FRAME_SAMPLES):
            frame = samples[start : start + FRAME_SAMPLES]
            yield np.pad(frame, (0, FRAME_SAMPLES - len(frame)))
