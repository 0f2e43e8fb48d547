"""The door's side of the live feed. Nothing here waits, and nothing it does is raised into the door.

The door hands over what it has (frames, events) and goes on; the server's thread makes messages of it. Without a reader
nothing is handed over but events, and without a server not even those.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from device.ports import Clock, Event, EventSink, SpeechDetector
from device.sound.pcm import Frame

_LOG = logging.getLogger(__name__)
MOST_WAITING = 512
MOST_NOTES = 16
# An opening that the door could not answer by then is withdrawn: nobody may still want it.
OPENING_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One frame as the door heard it: ``clip_seconds`` (0 to 3) of the clip in progress, ``age_seconds`` old."""

    frame: Frame
    speech: bool
    clip_seconds: float
    age_seconds: float


@dataclass(frozen=True, slots=True)
class SoundLost:
    """Sound is missing after the last frame."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opening:
    """Somebody asks for the door: ``by`` as they say, ``uid`` as the kernel says; the time is monotonic."""

    by: str
    uid: int
    asked_at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the door did with an :class:`Opening`; ``reason`` is empty where it opened."""

    opening: Opening
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that the server wants to have in the event log: an event of ``kind`` with these ``details``."""

    kind: str
    details: Mapping[str, object]


class Forming(Protocol):
    """Knows how much of a clip there is so far: the segmenter."""

    @property
    def forming_seconds(self) -> float: ...


class LiveFeed:
    """Between the door's thread and the server's. ``connect`` is the server's, everything else is described below.

    ``held``: a reader asks that no voice opens the door. ``lost`` counts what found the queue full.
    """

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._waiting: deque[Heard | SoundLost | Event | Answered] = deque()
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._opening: Opening | None = None
        # The newest stay: what is noted is rare, and the door takes it with its next frame.
        self._notes: deque[Note] = deque(maxlen=MOST_NOTES)
        self._wake: Callable[[], None] | None = None
        self.watched = False
        self.held = False
        self.lost = 0
        self._sound_lost = False

    def connect(self, wake: Callable[[], None] | None) -> None:
        """A server takes what is told from now on, woken by ``wake``; None: nobody does any more."""
        self._wake = wake
        if wake is None:
            self.watched = self.held = False

    def tell(self, item: Heard | SoundLost | Event | Answered) -> None:
        """Hand over one item; at once, whatever becomes of it."""
        wake = self._wake
        if wake is None:
            return
        if len(self._waiting) >= self._most_waiting:
            self.lost += 1
            self._sound_lost |= isinstance(item, Heard | SoundLost)
            return
        try:
            if self._sound_lost:
                # Whoever records must not take what is before and after for one stretch of sound.
                self._waiting.append(SoundLost())
                self._sound_lost = False
            self._waiting.append(item)
            wake()
        except Exception as error:  # whatever it was, the door goes on
            self.lost += 1
            if self.lost == 1:
                _LOG.error("the live feed lost something, the door goes on: %s: %s", type(error).__name__, error)

    def take(self) -> Heard | SoundLost | Event | Answered | None:
        """The server's: the next item, None when there is none."""
        return self._waiting.popleft() if self._waiting else None

    def ask(self, opening: Opening) -> bool:
        """The server's: lay an opening before the door; False while another one waits."""
        with self._lock:
            if self._opening is not None:
                return False
            self._opening = opening
            return True

    def note(self, note: Note) -> None:
        """The server's: have the door write an event."""
        self._notes.append(note)

    def take_note(self) -> Note | None:
        """The door's: what the server noted, None when there is nothing."""
        return self._notes.popleft() if self._notes else None

    def withdraw(self, opening: Opening) -> bool:
        """The server's: take it back; False where the door has it already, and will answer."""
        with self._lock:
            waited = self._opening is opening
            self._opening = None if waited else self._opening
            return waited

    @property
    def asked(self) -> bool:
        """Whether an opening waits for the door's answer."""
        return self._opening is not None

    def take_opening(self, clock: Clock) -> Opening | None:
        """The door's: the opening that is asked for, which it must answer; None where none is, or it is too old."""
        with self._lock:
            opening, self._opening = self._opening, None
        if opening is None:
            return None
        if not 0.0 <= clock.monotonic_seconds() - opening.asked_at_seconds <= OPENING_SECONDS:
            self.tell(Answered(opening=opening, reason="the door was busy for too long"))
            return None
        return opening


@dataclass(frozen=True, slots=True)
class Overheard:
    """:class:`~device.ports.SpeechDetector` that lets the feed have each frame with the inner one's word."""

    inner: SpeechDetector
    forming: Forming
    feed: LiveFeed
    clock: Clock

    def is_speech(self, frame: Frame) -> bool:
        speech = self.inner.is_speech(frame)
        if self.feed.watched:
            age_seconds = self.clock.monotonic_seconds() - frame.ended_at_seconds
            self.feed.tell(Heard(frame=frame, speech=speech, clip_seconds=self.forming.forming_seconds,
                                 age_seconds=age_seconds))  # fmt: skip
        return speech

    def reset(self) -> None:
        self.inner.reset()
        if self.feed.watched:
            self.feed.tell(SoundLost())


@dataclass(frozen=True, slots=True)
class Announced:
    """:class:`~device.ports.EventSink` that lets the feed have each event once the inner one has recorded it."""

    inner: EventSink
    feed: LiveFeed

    def record(self, event: Event) -> None:
        self.inner.record(event)
        self.feed.tell(event)

    def close(self) -> None:
        self.inner.close()
