"""What the door needs from the world. The real things are in ``device.hardware``, the shipped simulations in
``device.simulated``; the same test suite runs on both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from device.errors import RelayError
from device.sound.pcm import Frame, Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at the door, as data.

    ``kind`` is a lower-case word such as ``decision``, ``relay_on``, ``relay_off``, ``speech``, ``gap``, ``reload``;
    ``at_seconds`` is the monotonic clock, ``wall_time`` the calendar, for people; ``details`` is
    ready for JSON.
    """

    kind: str
    at_seconds: float
    wall_time: datetime
    details: Mapping[str, object] = field(default_factory=dict)


MAX_OPEN_SECONDS = 30.0


def check_open_seconds(open_seconds: float) -> None:
    """Raise :class:`RelayError` unless ``0 < open_seconds <= 30``: a door is never held open by a number."""
    if not 0.0 < open_seconds <= MAX_OPEN_SECONDS:
        raise RelayError(
            "the relay cannot be on for that long",
            where="open_seconds",
            received=open_seconds,
            allowed=f"more than 0, at most {MAX_OPEN_SECONDS:g}",
        )


class Microphone(Protocol):
    """A stream of 20 ms frames, mono, 16 kHz, int16.

    ``read`` returns the next :class:`Frame`; a :class:`Gap` where sound was lost or did not arrive in time (it never
    blocks for more than half a second); or ``None`` when the input has ended, which a live microphone never does.
    It raises :class:`~device.errors.MicrophoneError` once the device is lost for good.
    ``close`` may be called in any state and more than once.
    """

    def read(self) -> Frame | Gap | None: ...

    def close(self) -> None: ...


class SpeechDetector(Protocol):
    """Says of one frame whether it holds speech; ``reset`` forgets what came before (after a Gap)."""

    def is_speech(self, frame: Frame) -> bool: ...

    def reset(self) -> None: ...


class Relay(Protocol):
    """The door's latch. Off when constructed, off after ``close``, off by its own deadline after ``pulse``.

    ``pulse`` returns at once; the latch is released ``open_seconds`` later (0 < open_seconds <= 30) without further
    help from the caller; a second pulse while on does not lengthen the first. ``off`` releases at once.
    All raise :class:`~device.errors.RelayError` when the pin cannot be driven; ``close`` is idempotent.
    """

    @property
    def is_on(self) -> bool: ...

    def pulse(self, *, open_seconds: float) -> None: ...

    def off(self) -> None: ...

    def close(self) -> None: ...


class Button(Protocol):
    """A push-button at the door. ``pressed_at_seconds`` is the monotonic time of the last press, None before the
    first; a button that is held down was pressed once. ``close`` is idempotent."""

    def pressed_at_seconds(self) -> float | None: ...

    def close(self) -> None: ...


class Signal(StrEnum):
    """What a visitor is shown: somebody is heard, the door opens, it does not, more speech is needed."""

    LISTENING = "listening"
    GRANTED = "granted"
    REFUSED = "refused"
    SAY_MORE = "say_more"


class Indicator(Protocol):
    """A light or a loudspeaker at the door. ``show`` may take its time, so the door never calls it itself.

    ``audible``: the microphone hears it too, so it is not used while somebody speaks. ``show`` raises
    :class:`~device.errors.IndicatorError` where the signal cannot be given; ``close`` is idempotent.
    """

    @property
    def audible(self) -> bool: ...

    def show(self, signal: Signal) -> None: ...

    def close(self) -> None: ...


class Clock(Protocol):
    """Time, passed in. ``monotonic_seconds`` never goes back; ``wall_time`` is aware (has a time zone)."""

    def monotonic_seconds(self) -> float: ...

    def wall_time(self) -> datetime: ...

    def sleep(self, seconds: float) -> None: ...


class Supervisor(Protocol):
    """Whoever watches the daemon (systemd): told when it is ready, alive, reloading and stopping."""

    def ready(self) -> None: ...

    def alive(self) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...

    def status(self, text: str) -> None: ...


class EventSink(Protocol):
    """Takes one event. It must return quickly and must not raise: a full disk is not a reason to stop listening."""

    def record(self, event: Event) -> None: ...

    def close(self) -> None: ...
