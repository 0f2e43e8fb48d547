"""Recording at the door's microphone for a browser: what is kept, and everything that ends it and lets the door go."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from device.errors import DataError, LiveError
from device.ports import Clock, Microphone
from device.service.answers import DoorAnswers
from device.simulated.clock import ManualClock
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.sound.pcm import Frame, Gap
from device.web.door_line import DoorLine
from device.web.recorder import GONE_SECONDS, LONGEST_SECONDS, Recorder
from tests.web.world import ANNA, SimulatedLine


class Heard:
    """A microphone; ``each`` is called before every frame."""

    def __init__(self, sound: Iterable[Segment], clock: Clock, each: Callable[[], object]) -> None:
        self._inner, self._each = SimulatedMicrophone(sound, clock=clock), each
        self.closed = False

    def read(self) -> Frame | Gap | None:
        self._each()
        return self._inner.read()

    def close(self) -> None:
        self.closed = True


class Room:
    """A recorder whose door hears ``sound``; ``here``: a browser looks on all the time."""

    def __init__(self, folder: Path, sound: Iterable[Segment], *, here: bool = True) -> None:
        self.clock, self.told, self.sound, self.here = ManualClock(), list[dict[str, Any]](), list(sound), here
        self.each: Callable[[], object] = lambda: None
        self.ended = threading.Event()
        self.microphones: list[Heard] = []
        answers = DoorAnswers(state=folder, clock=self.clock)
        self.door = DoorLine(lambda: SimulatedLine(answers), self.listen)
        self.recorder = Recorder(self.door, self.publish, clock=self.clock)

    def listen(self) -> Microphone:
        def each() -> None:
            if self.here:
                self.recorder.here()
            self.each()

        self.microphones.append(Heard(self.sound, self.clock, each))
        return self.microphones[-1]

    def publish(self, message: Any) -> None:
        self.told.append(message)
        if message["kind"] == "recorder" and not message["running"]:
            self.ended.set()

    def record(self, role: Any = "allowed", person: str = "Anna") -> str:
        """To its end; what is said then."""
        self.ended.clear()
        self.recorder.start(role, person)
        assert self.ended.wait(60.0)
        return self.recorder.state.said

    @property
    def prompts(self) -> list[dict[str, Any]]:
        return [each for each in self.told if each["kind"] == "prompt"]


def sentences(count: int) -> list[Segment]:
    return [each for _ in range(count) for each in (silence(1.0), ANNA, silence(2.0))]


def test_sentences_are_kept_where_training_finds_them_and_the_next_is_asked_for(tmp_path: Path) -> None:
    room = Room(tmp_path, sentences(2))
    said = room.record()
    assert "Kept 2 takes, refused 0" in said
    assert len(list((tmp_path / "recordings/allowed/Anna/2026-01-01").glob("*.wav"))) == 2
    assert len({each["text"] for each in room.prompts}) == 3
    assert room.prompts[0]["hint"]
    assert any(each["said"].startswith("kept:") for each in room.prompts)
    assert any(each["speaking"] for each in room.prompts)
    assert max(each["level_dbfs"] for each in room.prompts) > -30.0
    assert room.prompts[-1]["percent"] > 0


def test_the_household_is_asked_in_its_own_language(tmp_path: Path) -> None:
    room, own = Room(tmp_path, sentences(1)), ("Grüß Gott!", "Servus!")
    room.recorder = Recorder(room.door, room.publish, clock=room.clock, sentences=own)
    room.record()
    assert (room.prompts[0]["text"], room.prompts[-1]["text"]) == own


def test_a_browser_is_told_a_few_times_a_second_and_not_of_every_frame(tmp_path: Path) -> None:
    room = Room(tmp_path, [silence(6.0)])
    room.record()
    assert 40 <= len(room.prompts) <= 60


def test_it_ends_with_enough_for_today(tmp_path: Path) -> None:
    room = Room(tmp_path, sentences(12))
    said = room.record("others", "Eva")
    assert said.startswith("That is enough for today.")
    assert "nothing is missing any more" in said
    assert room.microphones[0].closed


def test_background_needs_no_name(tmp_path: Path) -> None:
    room = Room(tmp_path, [silence(65.0)])
    assert room.record("noise", "").startswith("That is enough for today.")
    assert list((tmp_path / "recordings/noise").rglob("*.wav"))
    assert room.prompts[0]["text"] == ""


def test_it_ends_when_the_browser_is_gone_so_that_the_door_is_not_held(tmp_path: Path) -> None:
    room = Room(tmp_path, [silence(120.0)], here=False)
    assert "the page was closed" in room.record()
    assert room.microphones[0].closed
    assert GONE_SECONDS <= room.clock.monotonic_seconds() <= GONE_SECONDS + 1.0


def test_it_ends_after_a_quarter_of_an_hour_whoever_looks_on(tmp_path: Path) -> None:
    room = Room(tmp_path, [silence(LONGEST_SECONDS + 60.0)])
    # A silent quarter of an hour, twenty times as fast.
    room.each = lambda: room.clock.advance(0.4)
    assert "a quarter of an hour" in room.record()
    assert room.microphones[0].closed
    assert LONGEST_SECONDS <= room.clock.monotonic_seconds() <= LONGEST_SECONDS + 1.0


def test_it_ends_when_asked_to_and_what_was_kept_stays(tmp_path: Path) -> None:
    room = Room(tmp_path, [*sentences(1), silence(60.0)])
    room.each = lambda: room.prompts and room.prompts[-1]["kept"] == 1 and room.recorder.stop()
    said = room.record()
    assert said.startswith("Ended. What was kept stays. Kept 1 takes")
    assert room.microphones[0].closed
    assert len(list(tmp_path.rglob("*.wav"))) == 1


@pytest.mark.parametrize("fault", [LiveError("the daemon hung up", next_step="look"), ZeroDivisionError("a defect")])
def test_a_fault_ends_it_lets_the_door_go_and_is_said(tmp_path: Path, fault: Exception) -> None:
    room = Room(tmp_path, [silence(10.0)])

    def fail() -> None:
        raise fault

    room.each = fail
    said = room.record()
    assert said.startswith("Ended by a fault.")
    assert ("the daemon hung up (look)" if isinstance(fault, LiveError) else "ZeroDivisionError") in said
    assert room.microphones[0].closed
    assert not room.recorder.here()


def test_one_is_recorded_at_a_time_and_the_next_when_that_has_ended(tmp_path: Path) -> None:
    room, waiting = Room(tmp_path, [silence(1.0)]), threading.Event()
    room.each = lambda: waiting.wait(30.0)
    room.recorder.start("allowed", "Anna")
    with pytest.raises(DataError, match="already"):
        room.recorder.start("allowed", "Bruno")
    assert room.recorder.state.person == "Anna"
    waiting.set()
    assert room.ended.wait(30.0)
    room.record(person="Bruno")
    assert room.recorder.state.person == "Bruno"


@pytest.mark.parametrize("name", ["", "../Anna", "status", "-x", "a/b", "x" * 61])
def test_a_name_that_is_none_begins_nothing(tmp_path: Path, name: str) -> None:
    room = Room(tmp_path, [silence(1.0)])
    with pytest.raises(DataError, match="not a person's name"):
        room.recorder.start("allowed", name)
    assert room.microphones == []
    assert not room.recorder.state.running
