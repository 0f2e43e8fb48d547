"""What a reader of the live feed may ask, one JSON object a line. It comes from outside, so everything is checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from device.errors import LiveError
from device.live.access import QUESTIONS

MAX_LINE_BYTES = 1024
# A question may bring a part of a recording along: 2 s of it, in base64.
MAX_QUESTION_BYTES = 1 << 17
TOPICS = ("level", "event", "status", "audio")
# What a reader gets that asks for nothing.
USUAL = frozenset(("level", "event", "status"))
MAX_NAME = 64
MOST_RECENT = 100
# Thirty years of a machine that was never switched off.
MOST_SECONDS = 1e9
_ALLOWED = '{"subscribe": [...]}, {"open": {"by": "...", "asked_at_seconds": 12.5}} or {"ask": "...", "with": {...}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The ``topics`` that are told from now on, in place of those before.

    ``hold``: no voice opens the door while this connection lasts, so that its reader can record sentences. ``recent``:
    so many of the last events are told first, marked as such (0 to 100; the daemon remembers no more).
    """

    topics: frozenset[str] = USUAL
    hold: bool = False
    recent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """Open the door now. ``by``: who asks, as the event will tell; 1 to 64 printable characters.

    ``asked_at_seconds``: when somebody asked, on this machine's monotonic clock (CLOCK_MONOTONIC), which all its
    processes share. A request that waited anywhere since, also in a socket, is thereby known to be old.
    """

    by: str
    asked_at_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of :data:`~device.live.access.QUESTIONS`, with its ``details`` as they came: whoever answers checks them."""

    name: str
    details: Mapping[str, object]


_QUESTION = re.compile(rb'\s*\{\s*"ask"\s*:')


def parse_request(line: bytes) -> Subscription | OpenRequest | Question:
    """``{"subscribe": [...], "hold": true, "recent": 10}``, ``{"open": {"by": "...", "asked_at_seconds": 12.5}}``, or a
    question ``{"ask": "event", "with": {"n": 7}}``, which alone may be long. Raises :class:`LiveError` on all else."""
    most = MAX_QUESTION_BYTES if _QUESTION.match(line) else MAX_LINE_BYTES
    if len(line) > most:
        raise _wrong("a line that is too long", f"{len(line)} bytes", f"at most {most} bytes")
    try:
        asked = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong("not a JSON object", type(error).__name__, "one JSON object a line") from error
    match asked:
        case {"open": {"by": str(by), "asked_at_seconds": at, **others}, **more} if not others and not more:
            return OpenRequest(by=_name(by), asked_at_seconds=_seconds(at))
        case {"subscribe": list(topics), **more} if set(more) <= {"hold", "recent"}:
            return Subscription(topics=_topics(topics), hold=_flag(more.get("hold", False)),
                                recent=_count(more.get("recent", 0)))  # fmt: skip
        case {"ask": str(name), "with": dict(details), **more} if not more:
            if name not in QUESTIONS:
                raise _wrong("an unknown question", ascii(name)[:80], ", ".join(sorted(QUESTIONS)))
            return Question(name=name, details=details)
        case _:
            raise _wrong("an unknown request", ascii(asked)[:80], _ALLOWED)


def _topics(topics: list[object]) -> frozenset[str]:
    unknown = [each for each in topics if each not in TOPICS]
    if unknown:
        raise _wrong("an unknown topic", str(unknown[0])[:80], ", ".join(TOPICS))
    return frozenset(str(each) for each in topics)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong("hold is not a truth value", str(value)[:80], "true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_RECENT:
        raise _wrong("recent is not such a number", str(value)[:80], f"0 to {MOST_RECENT}")
    return value


def _seconds(value: object) -> float:
    # A whole number may be too large for a float, which is an error of its own.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST_SECONDS:
        raise _wrong("asked_at_seconds is no time", type(value).__name__, f"seconds, at most {MOST_SECONDS:g}")
    return float(value)


def _name(by: str) -> str:
    # Half characters cannot be written to the log, line breaks would forge lines of it.
    if not 1 <= len(by) <= MAX_NAME or not by.isprintable():
        raise _wrong("an unusable name", ascii(by)[:80], f"1 to {MAX_NAME} printable characters")
    return by


def _wrong(what: str, received: str, allowed: str) -> LiveError:
    return LiveError(what, where="the live feed's request", received=received, allowed=allowed)
