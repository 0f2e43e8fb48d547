"""Every clip against everything heard lately; then it is remembered too."""

from __future__ import annotations

from dataclasses import dataclass, field

from device.replay.likeness import likeness
from device.replay.memory import ReplayMemory
from device.replay.prints import PrintSpec, print_of, sound_of
from device.sound.pcm import Clip

# Measured by ``python -m training replay-study``: 1 % of second takes are at least so alike.
THRESHOLD = 11.0
# How far back a visit reaches when it opens: the policy's clips and the pauses between them.
VISIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """``likeness`` of the most similar of ``compared`` remembered clips; ``replayed`` when it reached ``threshold``."""

    likeness: float
    threshold: float
    compared: int

    @property
    def replayed(self) -> bool:
        # Written so that a value which is not a number is a replay.
        return not self.likeness < self.threshold


@dataclass(slots=True, kw_only=True)
class ReplayDetector:
    """Compares and remembers, in :meth:`hear`; ``threshold`` is that of :func:`~device.replay.likeness.likeness`."""

    memory: ReplayMemory
    threshold: float = THRESHOLD
    spec: PrintSpec = field(default_factory=PrintSpec)

    def hear(self, clip: Clip, *, now_seconds: float) -> Comparison:
        """Compare a clip with what was heard before it, then remember it. ``now_seconds`` is of the calendar."""
        heard = print_of(sound_of(clip), self.spec)
        others = self.memory.prints(now_seconds=now_seconds)
        scores = likeness(heard, others, self.spec)
        self.memory.add(heard, now_seconds=now_seconds)
        return Comparison(float(scores.max(initial=0.0)), self.threshold, len(others))

    def opened(self, *, now_seconds: float) -> None:
        """The visit in progress opened the door: its prints are those worth stealing."""
        self.memory.mark_opened(since_seconds=now_seconds - VISIT_SECONDS)
