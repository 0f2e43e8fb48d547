"""Whether sound still brings anything new: a microphone's own noise makes every 20 ms differ from all others.

A muted microphone delivers exact zeros, a stuck converter one value, a driver that lost its device the same buffer
again and again: all of them are frames that were heard before, bit for bit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np

from device.sound.pcm import FRAME_SECONDS, Frame

# A buffer that repeats is found when it is shorter than this; the longest that drivers have is about a second.
REMEMBERED_SECONDS = 10.0


class Novelty:
    """Counts the sound since the last frame that was new. Time is counted in frames: no clock can jump it."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[int, None] = OrderedDict()
        self._stale_frames = 0
        self.reason = ""

    @property
    def stale_seconds(self) -> float:
        """How much sound came since the last frame that was new (0: that was the last one)."""
        return self._stale_frames * FRAME_SECONDS

    def push(self, frame: Frame) -> None:
        """Take the next frame; ``reason`` then says what is odd about it, empty where it was new."""
        digest = hash(frame.samples.tobytes())
        is_new = digest not in self._remembered
        self._remembered[digest] = None
        self._remembered.move_to_end(digest)
        if len(self._remembered) > REMEMBERED_SECONDS / FRAME_SECONDS:
            self._remembered.popitem(last=False)
        self._stale_frames = 0 if is_new else self._stale_frames + 1
        self.reason = "" if is_new else _reason(frame)


def why_lifeless(frames: Iterable[Frame]) -> str:
    """Why these frames, one after another, are no sound of a microphone that works; empty where they may be: something
    new came in their second half."""
    items = list(frames)
    novelty = Novelty()
    for frame in items:
        novelty.push(frame)
    return novelty.reason if novelty.stale_seconds >= len(items) / 2 * FRAME_SECONDS else ""


def _reason(frame: Frame) -> str:
    low, high = int(np.min(frame.samples)), int(np.max(frame.samples))
    if low != high:
        return "the same sound comes again and again, bit for bit"
    return "every sample is exactly 0: it is muted" if low == 0 else f"every sample is {low}: its converter is stuck"
