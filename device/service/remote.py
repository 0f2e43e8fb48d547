"""A second way to an accepted decision, off unless ``[remote] open = true``: somebody elsewhere asks for the door.

What proves a voice (fresh sound, a score, the guards) proves nothing here; whoever may ask is trusted instead, by the
user at the other end of the socket and by what the gateway lets in. The rest holds as for a voice: the same relay
port, the same ``open_seconds``, a cool-down between two openings, an event that says who. A door with a fault (no
sound, a canary that fails) opens to nobody. The wait between visits does not hold here: it answers voices that are
tried at the door, and whoever uses them up must not keep the household from letting a resident in. What visits have
cost stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from device.errors import RelayError
from device.live.feed import Answered, LiveFeed, Opening
from device.service.pipeline import Door
from device.settings import within
from device.verdict.policy import forget

# Whoever asks more often is refused, and is not told of in an event each time: a log must not fill by asking, since the
# oldest events, openings among them, go when it is full.
SHORTEST_SECONDS = 1.0
MOST_REFUSALS_AN_HOUR = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteConfig:
    """``open``: the gateway's user (and the daemon's own) may ask for the door, at most ``most_an_hour`` times."""

    open: bool = False
    most_an_hour: int = 30

    def __post_init__(self) -> None:
        within("remote.most_an_hour", self.most_an_hour, 1, 1000)


@dataclass(slots=True)
class RemoteOpening:
    """Answers what is asked through ``feed``; kept over reloads, which set ``config``."""

    feed: LiveFeed
    config: RemoteConfig = field(default_factory=RemoteConfig)
    _opened_at_seconds: list[float] = field(default_factory=list)
    _asked_at_seconds: float = -math.inf
    _refused_at_seconds: list[float] = field(default_factory=list)
    _unreported: int = 0

    def heed(self, door: Door, *, fault: str) -> None:
        """Answer the opening that is asked for, if one is. ``fault``: what is wrong with the door, empty if nothing.

        Raises :class:`RelayError` only where the relay does not confirm that it is off.
        """
        if not self.feed.asked:
            return
        opening = self.feed.take_opening(door.clock)
        if opening is None:
            return
        now = door.clock.monotonic_seconds()
        often = now - self._asked_at_seconds < SHORTEST_SECONDS
        self._asked_at_seconds = now
        reason = "asked again too soon" if often else self._against(door, fault, now) or _open(door)
        self.feed.tell(Answered(opening=opening, reason=reason))
        if not reason:
            self._opened_at_seconds.append(now)
            door.state = replace(forget(door.state), cool_down_until_seconds=now + door.policy.cool_down_seconds)
            door.tell("remote_open", by=opening.by, uid=opening.uid, open_seconds=door.open_seconds)
            door.tell("relay_on", resident="", by=opening.by, open_seconds=door.open_seconds)
        elif often or not self._may_tell(now):
            self._unreported += 1
        else:
            self._refuse(door, opening, reason)

    def _against(self, door: Door, fault: str, now: float) -> str:
        """Why not, in words; empty where nothing is against it."""
        if not self.config.open:
            return "remote openings are not allowed (remote.open)"
        if fault:
            return f"the door has a fault: {fault}"
        if now < door.state.cool_down_until_seconds or door.relay_off_due_seconds < math.inf:
            return "the door was just opened"
        self._opened_at_seconds = [at for at in self._opened_at_seconds if now - at < 3600.0]
        if len(self._opened_at_seconds) >= self.config.most_an_hour:
            return f"opened {self.config.most_an_hour} times within an hour (remote.most_an_hour)"
        return ""

    def _may_tell(self, now: float) -> bool:
        self._refused_at_seconds = [at for at in self._refused_at_seconds if now - at < 3600.0]
        if len(self._refused_at_seconds) >= MOST_REFUSALS_AN_HOUR:
            return False
        self._refused_at_seconds.append(now)
        return True

    def _refuse(self, door: Door, opening: Opening, reason: str) -> None:
        unreported, self._unreported = self._unreported, 0
        door.tell("remote_refused", by=opening.by, uid=opening.uid, reason=reason, unreported=unreported)


def _open(door: Door) -> str:
    """Open; else why not. A pulse that was not granted is no opening, as long as the relay says that it is off."""
    try:
        door.open_latch()
    except RelayError as error:
        door.relay.off()
        return str(error.what)
    return ""
