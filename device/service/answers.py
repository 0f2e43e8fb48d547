"""Answers what the page asks of the daemon's files: events, kept clips, recordings. Runs on the thread for answers.

Everything asked for is checked here as if a stranger had sent it: names of people by the recordings' own rule, numbers
by their bounds, no path ever. The daemon's clock says which day it is.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from device.enrolment.progress import Progress
from device.errors import DataError
from device.live.answering import Asker
from device.live.requests import Question
from device.ports import Clock
from device.service.answer_fields import Fields
from device.service.config import Config
from device.service.counted import CountedOnce
from device.service.kept_clips import Label, clip_path, delete_clip, label_clip, list_clips, recorded_residents
from device.service.log_window import LogWindow
from device.service.recordings import Shelf
from device.service.takes_received import receive_part, received_samples
from device.service.where import events_path
from device.sound.pcm import SAMPLE_RATE_HZ

# Base64 makes four bytes of three: an answer of 128 kB.
CLIP_PART_BYTES = 96 << 10
# A kept clip has 3 s; nothing larger was written by the door.
MOST_CLIP_BYTES = 8 << 20
MOST_CLIPS = 500
MOST_EVENTS = 500
# Nobody reads more in one answer; what is longer is asked for in parts.
MOST_NUMBER = 2**63 - 1
# Recording stops before the card is full: the event log needs room.
FREE_BYTES = 200 << 20


class DoorAnswers:
    """An :class:`~device.live.answering.Answerer` over the state directory ``state`` (None: there is none).

    ``serves`` says which configuration and residents are in force: the door's thread calls it at start and at each
    reload.
    """

    def __init__(self, *, state: Path | None = None, clock: Clock | None = None,
                 free_bytes: Callable[[Path], int] | None = None) -> None:  # fmt: skip
        self._state, self._clock = state, clock
        self._free_bytes = free_bytes if free_bytes is not None else _free_bytes
        self._in_force: tuple[Config, tuple[str, ...]] | None = None
        self._window: LogWindow | None = None
        self._seconds = CountedOnce()
        self._answers: Mapping[str, Callable[[Fields, Asker], Mapping[str, object]]] = {
            "events": self._events, "event": self._event, "clips": self._clips, "clip_audio": self._clip_audio,
            "label_clip": self._label, "delete_clip": self._delete, "recordings": self._recordings,
            "recording_of": self._recording_of, "take_part": self._take_part, "save_take": self._save_take,
        }  # fmt: skip

    def serves(self, config: Config, residents: Sequence[str]) -> None:
        """From now on; at once."""
        self._in_force = (config, tuple(residents))

    def answer(self, question: Question, asker: Asker) -> Mapping[str, object]:
        """Raises a :class:`~device.errors.VoicelatchError` for what cannot be answered."""
        return self._answers[question.name](Fields(question.details, where=question.name), asker)

    # Events

    def _events(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        kinds, since, until = fields.words("kinds", most=40), fields.time("since"), fields.time("until")
        through = fields.number("through", 0, MOST_NUMBER)
        count = fields.number("count", 1, MOST_EVENTS)
        fields.done()
        rows, more = self._log().newest(count, kinds=kinds, since=since, until=until, through=through)
        return {"events": rows, "more": more}

    def _event(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        n = fields.number("n", 0, MOST_NUMBER)
        fields.done()
        return {"event": self._log().event(n)}

    def _log(self) -> LogWindow:
        config, _ = self._served()
        path = events_path(config.events, self._folder()) if not config.events.path else Path(config.events.path)
        if self._window is None or self._window.path != path:
            self._window = LogWindow(path)
        return self._window

    # Kept clips

    def _clips(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        fields.done()
        config, _residents = self._served()
        people = self._people()
        clips = list_clips(self._folder(), people)[::-1]
        rows = [{"name": clip.name, "heard_at": clip.heard_at.isoformat(), "nearest": clip.nearest,
                 "outcome": clip.outcome, "seconds": clip.seconds} for clip in clips[:MOST_CLIPS]]  # fmt: skip
        return {"are_kept": config.privacy.keep_clips, "people": list(people), "clips": rows, "count": len(clips)}

    def _clip_audio(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        name, offset = fields.file_name("name"), fields.number("offset", 0, MOST_CLIP_BYTES)
        fields.done()
        path = clip_path(self._folder(), name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                size = os.fstat(descriptor).st_size
                file.seek(offset)
                content = file.read(CLIP_PART_BYTES)
        except OSError as error:
            raise DataError("the clip cannot be read any more", received=type(error).__name__,
                            next_step="look again: the oldest go when there are too many") from error  # fmt: skip
        if size > MOST_CLIP_BYTES:
            raise DataError("not a clip of this door", received=f"{size} bytes", allowed=f"{MOST_CLIP_BYTES} bytes")
        return {"size": size, "audio": base64.b64encode(content).decode("ascii")}

    def _label(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        name, role = fields.file_name("name"), fields.choice("role", ("allowed", "others"))
        person = fields.person("person", empty=role == "others")
        fields.done()
        label = Label("allowed" if role == "allowed" else "others", person)
        label_clip(self._folder(), name, label, people=self._people(), now=self._time().wall_time())
        return {}

    def _delete(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        name = fields.file_name("name")
        fields.done()
        delete_clip(self._folder(), name)
        return {}

    def _people(self) -> tuple[str, ...]:
        return tuple(sorted({*self._served()[1], *recorded_residents(self._folder())}))

    # Recordings

    def _recordings(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        fields.done()
        return {"people": [_as_table(each) for each in self._shelf().progress()]}

    def _recording_of(self, fields: Fields, _: Asker) -> Mapping[str, object]:
        role, person = fields.whom()
        fields.done()
        return _as_table(self._shelf().of(role, person))

    def _take_part(self, fields: Fields, asker: Asker) -> Mapping[str, object]:
        content = fields.base64("samples")
        fields.done()
        return {"bytes": receive_part(asker.upload, content)}

    def _save_take(self, fields: Fields, asker: Asker) -> Mapping[str, object]:
        (role, person), count = fields.whom(), fields.number("samples", 1, MOST_NUMBER)
        fields.choice("sample_type", ("int16",))
        fields.number("rate_hz", SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        fields.done()
        samples = received_samples(asker.upload, count)
        free = self._free_bytes(self._folder())
        if free < FREE_BYTES:
            raise DataError("the door's card is nearly full", received=f"{free >> 20} MB free",
                            allowed=f"at least {FREE_BYTES >> 20} MB",
                            next_step="fetch the recordings, then remove some")  # fmt: skip
        today = f"{self._time().wall_time():%Y-%m-%d}"
        shelf = self._shelf()
        path = shelf.keep(samples, role, person, today)
        return {"path": path.relative_to(shelf.folder).as_posix()}

    def _shelf(self) -> Shelf:
        return Shelf(self._folder(), self._seconds)

    # What all of them need

    def _served(self) -> tuple[Config, tuple[str, ...]]:
        if self._in_force is None:
            raise DataError("the door is not ready yet", next_step="try again in a few seconds")
        return self._in_force

    def _folder(self) -> Path:
        if self._state is None:
            raise DataError("this door keeps no files: it has no state directory",
                            next_step="run it under systemd, or set STATE_DIRECTORY to a folder")  # fmt: skip
        return self._state

    def _time(self) -> Clock:
        if self._clock is None:
            raise DataError("this door has no clock")
        return self._clock


def _as_table(progress: Progress) -> Mapping[str, object]:
    days = [[day.name, day.takes, day.seconds] for day in progress.days]
    return {"role": progress.role, "person": progress.name, "days": days}


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
