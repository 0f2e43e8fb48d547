"""The door over the daemon's live socket: a :class:`~device.web.door.DoorClient` that asks, a question at a time."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from device.enrolment.progress import ROLES, Day, Progress, Role
from device.errors import LiveError
from device.live.reader import LiveReader
from device.ports import Clock, Microphone
from device.service.kept_clips import KeptClip, Label
from device.service.live_ears import LiveMicrophone
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.web.door import ClipList
from device.web.words import Told

# Two questions at a time, so that a slow one does not hold up every page; the daemon allows few connections.
MOST_LINES = 2
WAIT_SECONDS = 20.0
# 2 s of sound in base64 make a line that the daemon reads.
PART_BYTES = 64_000
MOST_CLIP_BYTES = 8 << 20
NEWEST = 2**63 - 1
MOST_ANSWERS = 20


class Line(Protocol):
    """A connection on which questions are asked: :class:`~device.live.reader.LiveReader`."""

    def ask(self, name: str, /, **details: object) -> Mapping[str, Any]: ...

    def close(self) -> None: ...


class DoorLine:
    """``connect`` opens a line, ``listen`` the door's microphone. For several threads at once."""

    def __init__(self, connect: Callable[[], Line], listen: Callable[[], Microphone]) -> None:
        self._connect, self._listen = connect, listen
        self._free = threading.BoundedSemaphore(MOST_LINES)

    def events(self, *, kinds: Sequence[str], since: datetime, until: datetime, most: int) -> Sequence[Told]:
        events: list[Told] = []
        through, more = NEWEST, True
        with self._line() as line:
            for _ in range(MOST_ANSWERS):
                if not more or len(events) >= most or through < 0:
                    break
                answer = line.ask("events", kinds=list(kinds), since=since.isoformat(), until=until.isoformat(),
                                  through=through, count=most - len(events))  # fmt: skip
                rows = _tables(answer, "events")
                events += rows
                more = answer.get("more") is True and bool(rows)
                through = _number(rows[-1], "n") - 1 if rows else -1
        return events

    def event(self, n: int) -> Told | None:
        with self._line() as line:
            found = line.ask("event", n=n).get("event")
        return found if isinstance(found, dict) else None

    def clips(self) -> ClipList:
        with self._line() as line:
            answer = line.ask("clips")
        people = answer.get("people")
        return ClipList(
            are_kept=answer.get("are_kept") is True, count=_number(answer, "count"),
            people=tuple(str(person) for person in people) if isinstance(people, list) else (),
            clips=tuple(_clip(row) for row in _tables(answer, "clips")),
        )  # fmt: skip

    def clip_audio(self, name: str) -> bytes:
        content = b""
        with self._line() as line:
            while True:
                answer = line.ask("clip_audio", name=name, offset=len(content))
                part = _decoded(answer)
                content += part
                size = _number(answer, "size")
                if len(content) >= size or not part or len(content) > MOST_CLIP_BYTES:
                    return content

    def label_clip(self, name: str, label: Label) -> None:
        with self._line() as line:
            line.ask("label_clip", name=name, role=label.role, person=label.person)

    def delete_clip(self, name: str) -> None:
        with self._line() as line:
            line.ask("delete_clip", name=name)

    def progress(self) -> Sequence[Progress]:
        with self._line() as line:
            return tuple(_progress(row) for row in _tables(line.ask("recordings"), "people"))

    def of(self, role: Role, person: str) -> Progress:
        with self._line() as line:
            return _progress(line.ask("recording_of", role=role, person=person))

    def save_take(self, samples: Samples, role: Role, person: str) -> PurePosixPath:
        content = samples.astype("<i2").tobytes()
        with self._line() as line:
            for start in range(0, len(content), PART_BYTES):
                part = base64.b64encode(content[start : start + PART_BYTES]).decode("ascii")
                line.ask("take_part", samples=part)
            saved = line.ask("save_take", role=role, person=person, samples=len(samples), sample_type="int16",
                             rate_hz=SAMPLE_RATE_HZ)  # fmt: skip
        return PurePosixPath(str(saved.get("path", "")))

    def listen(self) -> Microphone:
        return self._listen()

    @contextmanager
    def _line(self) -> Iterator[Line]:
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise LiveError("the daemon does not answer", next_step="try again in a few seconds")
        try:
            line = self._connect()
            try:
                yield line
            finally:
                line.close()
        finally:
            self._free.release()


def door_at(socket: Path, clock: Clock) -> DoorLine:
    """The door whose daemon answers at ``socket``."""
    return DoorLine(lambda: LiveReader(socket, topics=()), lambda: LiveMicrophone(socket, clock=clock, hold=True))


def _tables(answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = answer.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LiveError("not an answer", where=key, received=type(rows).__name__)
    return rows


def _number(table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise LiveError("not an answer", where=key, received=type(value).__name__)
    return value


def _decoded(answer: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(answer.get("audio", "")), validate=True)
    except binascii.Error as error:
        raise LiveError("not an answer", where="audio", received=error) from error


def _clip(row: Mapping[str, Any]) -> KeptClip:
    try:
        return KeptClip(name=str(row["name"]), heard_at=datetime.fromisoformat(str(row["heard_at"])),
                        nearest=str(row["nearest"]), outcome=str(row["outcome"]),
                        seconds=float(row["seconds"]))  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise LiveError("not an answer", where="clips", received=type(error).__name__) from error


def _progress(row: Mapping[str, Any]) -> Progress:
    try:
        role = next(each for each in ROLES if each == row["role"])
        days = tuple(Day(str(name), int(takes), float(seconds)) for name, takes, seconds in row["days"])
        return Progress(role, str(row["person"]), days)
    except (StopIteration, KeyError, ValueError, TypeError) as error:
        raise LiveError("not an answer", where="recordings", received=type(error).__name__) from error
