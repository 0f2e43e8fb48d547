"""Counts what was asked by somebody who may not ask it, and has the door write an event of it, now and then."""

from __future__ import annotations

from device.live.access import Role
from device.live.feed import LiveFeed, Note
from device.ports import Clock

KIND = "request_refused"
# A log must not fill by asking.
REPORT_SECONDS = 600.0
MOST_USERS = 64


class Refusals:
    """``total`` since the start. One event for a user in ten minutes, with the number of those before it."""

    def __init__(self, feed: LiveFeed, clock: Clock) -> None:
        self._feed, self._clock = feed, clock
        self._due_seconds: dict[int, float] = {}
        self._unreported: dict[int, int] = {}
        self.total = 0

    def count(self, uid: int, role: Role, asked: str) -> None:
        """``asked``: what for, in words that the server chose or that were checked."""
        now = self._clock.monotonic_seconds()
        self.total += 1
        if now < self._due_seconds.get(uid, now):
            self._unreported[uid] = self._unreported.get(uid, 0) + 1
            return
        if len(self._due_seconds) >= MOST_USERS:
            self._due_seconds.clear()
            self._unreported.clear()
        self._due_seconds[uid] = now + REPORT_SECONDS
        self._feed.note(Note(kind=KIND, details={
            "uid": uid, "role": role.value, "asked": asked[:200], "unreported": self._unreported.pop(uid, 0),
        }))  # fmt: skip
