"""Records somebody at the door's microphone, as ``device record`` does, while a browser shows what to say.

One at a time, on a thread of its own. The door is held for so long (no voice opens it), so it ends by itself when the
browser is not heard of for a while, when there is enough for today, and at the latest after a quarter of an hour.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from device.enrolment.progress import GOALS, Progress, Role, missing
from device.enrolment.prompts import SENTENCES, Prompt
from device.enrolment.takes import Judged
from device.errors import DataError, VoicelatchError
from device.ports import Clock, Microphone
from device.service.ears import Ears
from device.service.record import Session, View
from device.service.record_command import make_session
from device.service.recordings import check_person
from device.sound.pcm import Frame, Gap, Samples
from device.web.broadcast import Message
from device.web.door import DoorClient

_LOG = logging.getLogger(__name__)
GONE_SECONDS = 20.0
LONGEST_SECONDS = 900.0
SHOW_SECONDS = 0.12
Why = Literal["", "enough", "stopped", "gone", "too long", "failed"]
ENDED: dict[Why, str] = {
    "": "",
    "enough": "That is enough for today.",
    "stopped": "Ended. What was kept stays.",
    "gone": "Ended, because the page was closed or lost its connection. What was kept stays.",
    "too long": "Ended after a quarter of an hour, so that the door does not stay held. Start again to go on.",
    "failed": "Ended by a fault.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``running``: somebody is being recorded. ``said``: how the last recording ended, and what is missing yet."""

    running: bool = False
    role: Role = "allowed"
    person: str = ""
    said: str = ""


class Recorder:
    """At the microphone of ``door``, which is held until that is closed. ``sentences``: what to say."""

    def __init__(self, door: DoorClient, publish: Callable[[Message], None], *, clock: Clock,
                 sentences: Sequence[str] = SENTENCES) -> None:  # fmt: skip
        self._sentences = sentences
        self._door, self._publish, self._clock = door, publish, clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._why: Why = ""
        self._here_at_seconds = self._started_at_seconds = 0.0
        self.state = State()

    def start(self, role: Role, person: str) -> None:
        """Begin. Raises :class:`DataError` for what is no name, or while somebody else is being recorded."""
        name = "" if role == "noise" else check_person(person)
        with self._lock:
            if self.state.running:
                raise DataError("somebody is being recorded already", received=self.state.person or "the background",
                                next_step="end that recording first")  # fmt: skip
            self._why = ""
            self._here_at_seconds = self._started_at_seconds = self._clock.monotonic_seconds()
            self.state = State(running=True, role=role, person=name)
            self._thread = threading.Thread(target=self._record, args=(role, name), name="recorder", daemon=True)
        self._tell()
        self._thread.start()

    def here(self) -> bool:
        """The browser still shows the page; False where nothing is being recorded."""
        self._here_at_seconds = self._clock.monotonic_seconds()
        return self.state.running

    def stop(self) -> None:
        """End it; what was said of the sentence in progress is judged as it is."""
        self._why = self._why or "stopped"

    def close(self) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(2.0)

    def _ended(self) -> bool:
        now = self._clock.monotonic_seconds()
        if not self._why and now - self._here_at_seconds > GONE_SECONDS:
            self._why = "gone"
        if not self._why and now - self._started_at_seconds > LONGEST_SECONDS:
            self._why = "too long"
        return bool(self._why)

    def _record(self, role: Role, person: str) -> None:
        try:
            said = self._hold(role, person)
        except VoicelatchError as error:
            _LOG.error("a recording ended: %s", error)
            said = f"{ENDED['failed']} {error.what}" + (f" ({error.next_step})" if error.next_step else "")
        except Exception as error:
            _LOG.exception("a recording ended by a defect")
            said = f"{ENDED['failed']} A defect: {type(error).__name__}; the journal has it."
        self.state = replace(self.state, running=False, said=said)
        self._tell()

    def _hold(self, role: Role, person: str) -> str:
        microphone = _Until(self._door.listen(), self._ended)
        try:
            session = make_session(
                Ears(microphone, self._clock, "the door"), _Kept(self._door), role, person,
                _Shown(self._publish), target_seconds=GOALS[role].seconds_a_day, now=self._clock.wall_time(),
                sentences=self._sentences,
            )  # fmt: skip
            session.hold()
        finally:
            # First of all the door is let go.
            microphone.close()
        return self._summary(session)

    def _summary(self, session: Session) -> str:
        why: Why = "enough" if session.enough else self._why or "failed"
        left = missing(session.progress, today=session.today)
        return (f"{ENDED[why]} Kept {session.kept} takes, refused {session.refused}; "
                + (f"missing yet: {left}." if left else "nothing is missing any more."))  # fmt: skip

    def _tell(self) -> None:
        now = self.state
        self._publish({"kind": "recorder", "running": now.running, "role": now.role, "person": now.person,
                       "said": now.said})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Kept:
    """A :class:`~device.service.record_command.TakeStore` at the door, which knows which day it is."""

    door: DoorClient

    def of(self, role: Role, person: str) -> Progress:
        return self.door.of(role, person)

    def keep(self, samples: Samples, role: Role, person: str, day: str) -> Path:
        return Path(self.door.save_take(samples, role, person))


@dataclass(frozen=True, slots=True)
class _Until:
    """A :class:`~device.ports.Microphone` whose input ends where ``ended`` says so."""

    inner: Microphone
    ended: Callable[[], bool]

    def read(self) -> Frame | Gap | None:
        return None if self.ended() else self.inner.read()

    def close(self) -> None:
        self.inner.close()


class _Shown:
    """A :class:`~device.service.record.Display` that browsers see, a few times a second."""

    def __init__(self, publish: Callable[[Message], None]) -> None:
        self._publish = publish
        self._due_seconds = 0.0
        self._asked: object = None

    def show(self, view: View, *, now_seconds: float) -> None:
        asked = (view.number, view.kept, view.refused, view.said)
        if now_seconds < self._due_seconds and asked == self._asked:
            return
        self._due_seconds, self._asked = now_seconds + SHOW_SECONDS, asked
        prompt, levels = view.prompt, view.levels
        self._publish({
            "kind": "prompt", "person": view.person, "number": view.number,
            "text": prompt.text if prompt is not None else "",
            "manner": prompt.manner.name if prompt is not None else "",
            "hint": prompt.manner.hint if prompt is not None else "",
            "level_dbfs": round(levels.level_dbfs, 1), "snr_db": _rounded(levels.snr_db), "clipped": levels.clipped,
            "speaking": view.speaking, "said": view.said, "today_seconds": round(view.today_seconds, 1),
            "target_seconds": view.target_seconds, "percent": view.progress.percent, "kept": view.kept,
            "refused": view.refused,
        })  # fmt: skip

    def took(self, judged: Judged, prompt: Prompt | None, path: Path | None) -> None:
        """The view says it."""

    def lost(self, reason: str) -> None:
        """The view says it."""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
