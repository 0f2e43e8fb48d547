"""The shipped daemon with its live feed: what a reader sees of a visit, reloads, and a feed that cannot be."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from device.errors import DataError, LiveError
from device.live.access import Role
from device.live.answering import Asker
from device.live.feed import Announced, Heard, Note
from device.live.reader import LiveReader
from device.live.requests import Question
from device.ports import Event
from device.service.answers import DoorAnswers
from device.service.config import read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.extras import make_extras
from device.service.live_door import memory_bytes
from device.service.status import StatusFile
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from tests.conftest import ROOT

ANNA = ROOT / "device/simulated/evening/anna.wav"


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    shutil.copytree(models / "demo", tmp_path / "models" / "demo")
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{tmp_path / "models/demo"}"\n')
    return path


def hardware(config: Path, runtime: Path | None, sound: list[object]) -> Hardware:
    clock, status = ManualClock(), StatusFile(runtime)
    extras = make_extras(read_config(config), clock, state=None, simulate=True, runtime=runtime, status=status)
    return Hardware(microphone=SimulatedMicrophone(sound, clock=clock), relay=SimulatedRelay(clock),  # type: ignore[arg-type]
                    clock=clock, supervisor=RecordedSupervisor(), events=Announced(RecordedEvents(), extras.feed),
                    status=status, extras=extras)  # fmt: skip


def test_every_frame_of_a_visit_and_every_event_reaches_the_feed(config: Path) -> None:
    things = hardware(config, None, [ANNA, silence(4.0)])
    feed = things.extras.feed
    taken: list[object] = []
    feed.connect(lambda: taken.append(feed.take()))
    feed.watched = True
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    recorded = things.events.inner.events  # type: ignore[attr-defined]
    assert [each for each in taken if isinstance(each, Event)] == recorded
    heard = [each for each in taken if isinstance(each, Heard)]
    assert sum(each.speech for each in heard) > 100
    assert max(each.clip_seconds for each in heard) > 2.5
    assert [each.frame.ended_at_seconds for each in heard] == pytest.approx(
        [0.02 * (number + 1) for number in range(len(heard))]
    )


def test_while_a_reader_holds_the_door_a_resident_is_not_let_in(config: Path) -> None:
    things = hardware(config, None, [ANNA, silence(4.0)])
    things.extras.feed.held = True
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert things.relay.history == []  # type: ignore[attr-defined]
    decisions = things.events.inner.of("decision")  # type: ignore[attr-defined]
    assert {each.details["outcome"] for each in decisions} == {"held"}


def test_a_reload_does_not_end_a_hold(config: Path) -> None:
    things = hardware(config, None, [ANNA, silence(4.0)])
    things.extras.feed.held = True
    door = build_door(read_config(config), things)
    reload_door(door, config, things)
    serve(door, things, Wishes(), lambda: None)
    assert isinstance(things.events, Announced)
    assert isinstance(things.events.inner, RecordedEvents)
    outcomes = [event.details["outcome"] for event in things.events.inner.of("decision")]
    assert outcomes
    assert set(outcomes) == {"held"}
    assert isinstance(things.relay, SimulatedRelay)
    assert things.relay.history == []


def test_a_reload_takes_up_whether_remote_openings_are_allowed(config: Path) -> None:
    things = hardware(config, None, [])
    door = build_door(read_config(config), things)
    assert not things.extras.remote.config.open
    text = config.read_text()
    config.write_text(text + "[remote]\nopen = true\n")
    reload_door(door, config, things)
    assert things.extras.remote.config.open
    config.write_text(text + "[remote]\nopen = false\n[polcy]\n")
    reload_door(door, config, things)
    assert things.extras.remote.config.open, "a refused reload must change nothing"


def test_a_folder_that_takes_no_socket_costs_the_feed_and_not_the_door(config: Path, tmp_path: Path) -> None:
    (tmp_path / "live.sock").write_text("something else")
    things = hardware(config, tmp_path, [ANNA, silence(4.0)])
    assert things.extras.live_server is None
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert [on for _, on in things.relay.history] == [True, False]  # type: ignore[attr-defined]


def test_a_feed_that_fails_at_every_step_does_not_reach_the_door(config: Path) -> None:
    things = hardware(config, None, [ANNA, silence(4.0)])

    def broken() -> None:
        raise ZeroDivisionError

    things.extras.feed.connect(broken)
    things.extras.feed.watched = True
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert [on for _, on in things.relay.history] == [True, False]  # type: ignore[attr-defined]
    assert things.extras.feed.lost > 100


@pytest.mark.parametrize("hangs", [True, False], ids=["a disk that hangs", "questions without a break"])
def test_whatever_is_asked_of_its_files_a_resident_is_let_in_as_ever(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    gate, ended, answered = threading.Event(), threading.Event(), list[str]()

    def answer(_self: DoorAnswers, question: Question, _asker: Asker) -> dict[str, object]:
        answered.append(question.name)
        assert not hangs or gate.wait(60.0)
        return {"filler": "x" * 100_000}

    monkeypatch.setattr(DoorAnswers, "answer", answer)
    things = hardware(config, tmp_path, [ANNA, silence(4.0)])
    door = build_door(read_config(config), things)

    def ask() -> None:
        with LiveReader(tmp_path / "live.sock", topics=[]) as reader, contextlib.suppress(LiveError):
            while not ended.is_set():
                reader.ask("recordings")

    askers = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for each in askers:
        each.start()
    while not answered:
        gate.wait(0.01)
    serve(door, things, Wishes(), lambda: None)
    ended.set()
    gate.set()
    assert [on for _, on in things.relay.history] == [True, False]  # type: ignore[attr-defined]
    for each in askers:
        each.join(30.0)
        assert not each.is_alive()


def test_what_the_feed_refused_is_in_the_event_log(config: Path) -> None:
    things = hardware(config, None, [silence(1.0)])
    details = {"uid": 901, "role": "page", "asked": "open", "unreported": 0}
    things.extras.feed.note(Note(kind="request_refused", details=details))
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    (event,) = things.events.inner.of("request_refused")  # type: ignore[attr-defined]
    assert event.details == details


def test_the_answers_know_the_residents_that_are_in_force(config: Path, tmp_path: Path) -> None:
    clock, status = ManualClock(), StatusFile(None)
    extras = make_extras(read_config(config), clock, state=tmp_path, simulate=True, runtime=None, status=status)
    things = Hardware(microphone=SimulatedMicrophone([], clock=clock), relay=SimulatedRelay(clock), clock=clock,
                      supervisor=RecordedSupervisor(), events=RecordedEvents(), status=status,
                      extras=extras)  # fmt: skip
    asker, question = Asker(role=Role.PAGE, uid=901), Question(name="clips", details={})
    with pytest.raises(DataError, match="not ready"):
        extras.answers.answer(question, asker)
    door = build_door(read_config(config), things)
    residents = extras.answers.answer(question, asker)["people"]
    assert residents
    config.write_text(config.read_text() + "[privacy]\nkeep_clips = true\n")
    reload_door(door, config, things)
    answer = extras.answers.answer(question, asker)
    assert (answer["people"], answer["are_kept"]) == (residents, True)
    config.write_text(config.read_text().replace("keep_clips = true", "keep_clips = 7"))
    reload_door(door, config, things)
    assert extras.answers.answer(question, asker)["are_kept"] is True


def test_memory_is_told_in_bytes() -> None:
    assert 1_000_000 < memory_bytes() < 100_000_000_000


def test_the_process_serves_its_feed_and_refuses_a_remote_opening(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "device", "run", "--config", str(config), "--simulate",
               "--runtime-dir", str(tmp_path)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["kind"] == "started"
        with LiveReader(tmp_path / "live.sock", topics=["level"]) as reader:
            assert reader.read()["level_dbfs"] == -120.0
            assert "remote.open" in reader.open("a test", asked_at_seconds=time.monotonic())
        assert json.loads(process.stdout.readline())["kind"] == "remote_refused"
        with LiveReader(tmp_path / "live.sock", topics=["event"]) as reader:
            process.send_signal(signal.SIGTERM)
            # The refusal before may only now have been told.
            while (told := reader.read()["event"]["kind"]) != "stopped":
                assert told == "remote_refused"
        assert process.wait(20.0) == 0
        assert not (tmp_path / "live.sock").exists()
    finally:
        process.kill()
        process.communicate()
