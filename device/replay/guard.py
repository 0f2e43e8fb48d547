"""Every clip against everything heard lately; then it is remembered too."""

from __future__ import annotations

from dataclasses import dataclass, field

from device.replay.likeness import likeness
from device.replay.memory import ReplayMemory
from device.replay.prints import Contrasts, Print, PrintSpec, contrasts_of, sound_of
from device.sound.pcm import SAMPLE_RATE_HZ, Clip

# Chosen on 440 people of the first half of the pack (``training/replay_study.py``), of whom 4 said a sentence again so
# alike; the README has the figures on the others. ``python -m training replay-study`` measures anew.
THRESHOLD = 29.0
# How far back a visit reaches when it opens: the policy's clips and the pauses between them.
VISIT_SECONDS = 30.0
# The clips of one utterance are joined while they fit in this, so that a recording cut elsewhere still overlaps.
JOINED_SECONDS = 6.0
LONGEST_GAP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """``likeness`` to the most similar of ``compared`` remembered utterances; a replay when it is ``threshold``."""

    likeness: float
    threshold: float
    compared: int

    @property
    def replayed(self) -> bool:
        # Written so that a value which is not a number is a replay.
        return not self.likeness < self.threshold


@dataclass(frozen=True, slots=True, eq=False)
class _Utterance:
    """What was heard of the utterance in progress, and its print as the memory's last entry holds it."""

    heard: Contrasts
    remembered: Print
    started_at_seconds: float


@dataclass(slots=True, kw_only=True)
class ReplayDetector:
    """Compares and remembers, in :meth:`hear`; ``threshold`` is that of :func:`~device.replay.likeness.likeness`."""

    memory: ReplayMemory
    threshold: float = THRESHOLD
    spec: PrintSpec = field(default_factory=PrintSpec)
    _current: _Utterance | None = None

    def hear(self, clip: Clip, *, now_seconds: float) -> Comparison:
        """Compare a clip with what was heard before it, then remember it. ``now_seconds`` is monotonic.

        The clip alone is compared with everything, the utterance as far as it has come with everything but itself.
        """
        heard = contrasts_of(sound_of(clip), self.spec)
        others = self.memory.prints(now_seconds=now_seconds)
        score = likeness(heard, others, self.spec)
        joined = self._joined(clip, heard, last=others[-1] if others else None)
        if joined is not None:
            score = max(score, likeness(joined.heard, others[:-1], self.spec))
        self._current = joined or _Utterance(heard, heard.to_print(), clip.started_at_seconds)
        self.memory.add(self._current.remembered, now_seconds=now_seconds, instead_of_last=joined is not None)
        return Comparison(score, self.threshold, len(others))

    def opened(self, *, now_seconds: float) -> None:
        """The visit in progress opened the door: its prints are those worth stealing."""
        self.memory.mark_opened(since_seconds=now_seconds - VISIT_SECONDS)

    def _joined(self, clip: Clip, heard: Contrasts, *, last: Print | None) -> _Utterance | None:
        current = self._current
        if current is None or clip.index == 0 or current.remembered is not last:
            return None
        away_seconds = clip.started_at_seconds - current.started_at_seconds
        gap_seconds = away_seconds - current.heard.seconds
        too_long = (away_seconds + len(sound_of(clip)) / SAMPLE_RATE_HZ) > JOINED_SECONDS + 1e-6
        if too_long or not -self.spec.frame_seconds / 2 <= gap_seconds <= LONGEST_GAP_SECONDS:
            return None
        both = current.heard.followed_by(heard, gap_seconds=gap_seconds)
        return _Utterance(both, both.to_print(), current.started_at_seconds)
