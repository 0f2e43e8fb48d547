"""How long a user's connections hold the door together: whoever holds it again and again must not keep everybody out.

A stretch goes on over pauses shorter than :data:`REST_SECONDS`, and from one connection to the next.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

# The page ends a recording after a quarter of an hour; one that does not is hung up on.
LONGEST_HOLD_SECONDS = 960.0
# After a stretch of that length the door is free for so long: a resident who waits gets in.
REST_SECONDS = 60.0


@dataclass(slots=True)
class Holds:
    """Stretches of holding by user id; times are monotonic, in seconds."""

    _holding: frozenset[int] = frozenset()
    _begun_seconds: dict[int, float] = field(default_factory=dict)
    _ended_seconds: dict[int, float] = field(default_factory=dict)

    def note(self, holding: Set[int], *, now_seconds: float) -> None:
        """These users hold the door from now on, and nobody else."""
        for uid in holding - self._holding:
            if not self._goes_on(uid, now_seconds):
                self._begun_seconds[uid] = now_seconds
        for uid in self._holding - holding:
            self._ended_seconds[uid] = now_seconds
        self._holding = frozenset(holding)

    def too_long(self, uid: int, *, now_seconds: float) -> bool:
        """Whether the stretch that this user is in, or would go on with, is over."""
        goes_on = uid in self._holding or self._goes_on(uid, now_seconds)
        return goes_on and now_seconds - self._begun_seconds[uid] > LONGEST_HOLD_SECONDS

    def _goes_on(self, uid: int, now_seconds: float) -> bool:
        ended_seconds = self._ended_seconds.get(uid)
        return ended_seconds is not None and now_seconds - ended_seconds < REST_SECONDS
