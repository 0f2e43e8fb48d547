"""While somebody records sentences at the door, no voice opens it and nobody is refused."""

from __future__ import annotations

from dataclasses import dataclass

from device.live.feed import LiveFeed
from device.sound.pcm import Clip
from device.verdict.guards import JUDGED, Finding
from device.verdict.values import Decision, Outcome


@dataclass(frozen=True, slots=True)
class Hold:
    """A :class:`~device.verdict.guards.Guard`: objects for as long as a reader of the live feed holds the door."""

    feed: LiveFeed

    def look(self, _clip: Clip, decision: Decision) -> Finding:
        if not self.feed.held or decision.outcome not in JUDGED:
            return Finding()
        return Finding(objection=Outcome.HELD, reason="somebody records sentences at the door")
