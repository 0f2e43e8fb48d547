"""What the daemon answers of its files, whatever the page sends; and that its own log suffers nothing by it."""

import base64
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.errors import DataError, StateError, VoicelatchError
from device.live.access import QUESTIONS, Role
from device.live.answering import MAX_ANSWER_BYTES, Answering, Asker
from device.live.requests import Question
from device.ports import Event
from device.service.answers import CLIP_PART_BYTES, FREE_BYTES, DoorAnswers
from device.service.config import Config, EventsConfig, ModelConfig, PrivacyConfig, RelayConfig
from device.service.event_table import EventTable, Row
from device.service.events import FileEvents
from device.service.log_window import LogWindow
from device.service.takes_received import MOST_SAMPLES
from device.simulated.clock import ManualClock
from device.sound.wavfile import read_wav
from tests.conftest import ROOT

ANNA = ROOT / "device/simulated/evening/anna.wav"
NEWEST = 2**63 - 1
CLIP = "20260101T180000.000000-1-Anna-refuse.wav"


class Door:
    """A state folder with a log that a daemon writes, and the answers about it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.asker = folder, ManualClock(), Asker(role=Role.PAGE, uid=901)
        self.free_bytes = 10 * FREE_BYTES
        self.events = FileEvents(folder / "events.db", max_bytes=50_000_000)
        self.answers = DoorAnswers(state=folder, clock=self.clock, free_bytes=lambda _: self.free_bytes)
        self.answers.serves(
            Config(
                relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"), privacy=PrivacyConfig(keep_clips=True)
            ),
            ("Anna", "Bruno"),
        )

    def ask(self, question: str, /, **details: object) -> Any:
        return self.answers.answer(Question(name=question, details=details), self.asker)

    def happen(self, kind: str, **details: object) -> None:
        self.events.record(Event(kind=kind, at_seconds=0.0, wall_time=self.clock.wall_time(), details=details))

    def newest(self, **more: object) -> list[dict[str, Any]]:
        asked: dict[str, object] = {"kinds": [], "since": None, "until": None, "through": NEWEST, "count": 500}
        answer = self.ask("events", **(asked | more))
        return list(answer["events"])

    def keep_clip(self, name: str = CLIP) -> None:
        (self.folder / "clips").mkdir(exist_ok=True)
        shutil.copy(ANNA, self.folder / "clips" / name)

    def send(self, count: int) -> None:
        content = np.ones(count, dtype="<i2").tobytes()
        for start in range(0, len(content), 64_000):
            self.ask("take_part", samples=base64.b64encode(content[start : start + 64_000]).decode())

    def save(self, **more: object) -> Any:
        asked: dict[str, object] = {"role": "allowed", "person": "Anna", "samples": 16_000, "sample_type": "int16",
                                    "rate_hz": 16_000}  # fmt: skip
        return self.ask("save_take", **(asked | more))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.events.close()


def test_events_come_newest_first_by_kind_and_time_and_each_whole_by_its_number(door: Door) -> None:
    door.happen("decision", outcome="open", resident="Anna", scores={"Anna": 9.0})
    door.clock.advance(3600.0)
    door.happen("gap", reason="lost")
    assert [(row["n"], row["kind"]) for row in door.newest()] == [(2, "gap"), (1, "decision")]
    assert [row["n"] for row in door.newest(kinds=["decision"])] == [1]
    assert [row["n"] for row in door.newest(since="2026-01-01T18:30:00+00:00")] == [2]
    assert [row["n"] for row in door.newest(through=1)] == [1]
    assert "scores" not in door.newest()[1], "a list has no need of them"
    assert door.ask("event", n=1)["event"]["scores"] == {"Anna": 9.0}
    assert door.ask("event", n=3) == {"event": None}


def test_a_long_day_comes_in_parts_that_can_be_sent_and_none_is_missing(door: Door) -> None:
    for number in range(400):
        door.happen("fault", reason=f"{number} " + "x" * 1500)
    numbers: list[int] = []
    through, parts, more = NEWEST, 0, True
    while more:
        answer = door.ask("events", kinds=[], since=None, until=None, through=through, count=500 - len(numbers))
        assert len(json.dumps(answer)) < MAX_ANSWER_BYTES
        numbers += [row["n"] for row in answer["events"]]
        through, parts, more = numbers[-1] - 1, parts + 1, answer["more"]
    assert numbers == list(range(400, 0, -1))
    assert parts > 1


def test_an_event_that_is_too_long_is_told_in_short(door: Door) -> None:
    door.happen("fault", reason="x" * 300_000)
    event = door.ask("event", n=1)["event"]
    assert (event["kind"], len(event["reason"])) == ("fault", 2000)
    assert "too long" in event["left_out"]


def test_without_a_log_or_a_state_folder_that_is_said(door: Door) -> None:
    door.events.close()
    for path in door.folder.glob("events.db*"):
        path.unlink()
    with pytest.raises(DataError, match="no event log"):
        door.newest()
    answers = DoorAnswers(state=None, clock=door.clock)
    with pytest.raises(DataError, match="not ready"):
        answers.answer(Question(name="clips", details={}), door.asker)
    answers.serves(Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models")), ())
    with pytest.raises(DataError, match="no state directory"):
        answers.answer(Question(name="clips", details={}), door.asker)


def test_a_log_elsewhere_is_found_where_the_configuration_has_it(door: Door, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "log.db"
    events = FileEvents(path, max_bytes=1_000_000)
    events.record(Event(kind="silence", at_seconds=0.0, wall_time=door.clock.wall_time()))
    door.answers.serves(Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"),
                               events=EventsConfig(path=str(path))), ())  # fmt: skip
    assert [row["kind"] for row in door.newest()] == ["silence"]
    events.close()


def test_a_log_that_was_set_aside_and_begun_anew_is_read_anew(door: Door) -> None:
    door.happen("speech")
    assert len(door.newest()) == 1
    door.events.close()
    for path in door.folder.glob("events.db*"):
        path.rename(path.with_name(path.name.replace("events", "older")))
    door.events = FileEvents(door.folder / "events.db", max_bytes=1_000_000)
    door.happen("gap")
    assert [row["kind"] for row in door.newest()] == ["gap"]


def test_a_damaged_log_is_said_and_the_next_answer_comes(door: Door) -> None:
    door.events.close()
    for path in door.folder.glob("events.db-*"):
        path.unlink()
    (door.folder / "events.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="cannot be read"):
        door.newest()
    assert door.ask("clips")["clips"] == []


OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM events").fetchone()[0])
connection.close()
"""


def test_reading_beside_the_writer_in_one_process_keeps_its_locks_and_no_line_is_lost(tmp_path: Path) -> None:
    """Another process that closes its last connection removes the write-ahead log where the writer's locks are gone."""
    path = tmp_path / "log.db"
    table, window = EventTable(path), LogWindow(path)
    for number in range(1, 31):
        with table.transaction(durably=False):
            assert table.put(Row(number, 0.0, "speech", "", "", json.dumps({"n": number, "kind": "speech"})))
        rows, _ = window.newest(500, kinds=(), since=None, until=None, through=NEWEST)
        assert len(rows) == number
        assert window.event(number) is not None
        if number % 5 == 0:
            done = subprocess.run([sys.executable, "-c", OTHER, str(path)], capture_output=True, text=True, check=True)
            assert done.stdout.strip() == str(number)
            assert path.with_name("log.db-wal").exists(), "the writer's log was taken from under it"
    table.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (30,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_clip_comes_in_parts_and_is_labelled_by_the_recordings_own_rule_for_names(door: Door) -> None:
    door.keep_clip()
    listed = door.ask("clips")
    assert (listed["are_kept"], listed["people"], listed["count"]) == (True, ["Anna", "Bruno"], 1)
    content = b""
    while len(content) < ANNA.stat().st_size:
        part = door.ask("clip_audio", name=CLIP, offset=len(content))
        content += base64.b64decode(part["audio"])
        assert len(base64.b64decode(part["audio"])) <= CLIP_PART_BYTES
    assert content == ANNA.read_bytes()
    with pytest.raises(DataError, match="not a person's name"):
        door.ask("label_clip", name=CLIP, role="others", person="../x")
    door.ask("label_clip", name=CLIP, role="others", person="Zoe\u0308")
    assert [path.name for path in (door.folder / "recordings/others").iterdir()] == ["Zo\u00eb"]


@pytest.mark.parametrize("name", [
    "../events.db", "/etc/passwd", "..", ".", "", "\x00", "\ud800", "a" * 300, "\u00e9" * 200, "a\nb", 7, None, ["a"],
    "20260101T180000.000000-1-" + "\u00e9" * 100 + "-refuse.wav", "20260101T180000.000000-1-x-..wav",
])  # fmt: skip
@pytest.mark.parametrize("question", ["clip_audio", "delete_clip", "label_clip"])
def test_no_name_of_a_clip_is_a_path_or_a_defect(door: Door, question: str, name: object) -> None:
    more: dict[str, object] = {"clip_audio": {"offset": 0}, "label_clip": {"role": "others", "person": ""}}.get(
        question, {}
    )
    door.happen("speech")
    with pytest.raises(DataError):
        door.ask(question, name=name, **more)
    assert (door.folder / "events.db").exists()


def test_a_link_among_the_clips_is_followed_by_nobody(door: Door) -> None:
    door.keep_clip("20260101T180000.000000-2-Anna-refuse.wav")
    (door.folder / "clips" / CLIP).symlink_to(door.folder / "events.db")
    with pytest.raises(DataError):
        door.ask("clip_audio", name=CLIP, offset=0)
    assert door.ask("clips")["count"] == 1


def test_a_recording_is_kept_with_those_of_the_daemon_s_today(door: Door) -> None:
    door.send(40_000)
    assert door.save(samples=40_000) == {"path": "allowed/Anna/2026-01-01/01.wav"}
    assert len(read_wav(door.folder / "recordings/allowed/Anna/2026-01-01/01.wav")) == 40_000
    door.send(16_000)
    assert door.save(role="noise")["path"] == "noise/2026-01-01/01.wav"
    (anna,) = (row for row in door.ask("recordings")["people"] if row["person"])
    assert anna["days"][0][:2] == ["2026-01-01", 1]
    assert door.ask("recording_of", role="allowed", person="Anna") == anna
    assert door.ask("recording_of", role="strangers", person="Eva")["days"] == []


@pytest.mark.parametrize("more", [
    {"person": "../Anna"}, {"person": ".."}, {"person": "a/b"}, {"person": "\x00"}, {"person": "\ud800"},
    {"person": ""}, {"person": 7}, {"person": "x" * 61}, {"role": "everyone"}, {"role": ["allowed"]},
    {"samples": 15_999}, {"samples": 0},
    {"samples": -1}, {"samples": True}, {"samples": 1.6e4}, {"samples": 10**30}, {"sample_type": "float32"},
    {"rate_hz": 48_000}, {"path": "/tmp/x"}, {"day": "2020-01-01"},
], ids=str)  # fmt: skip
def test_a_recording_that_is_none_leaves_nothing_behind(door: Door, more: dict[str, object]) -> None:
    door.send(16_000)
    with pytest.raises(DataError):
        door.save(**more)
    assert not (door.folder / "recordings").exists()
    assert not list(door.folder.rglob("*.wav"))


def test_what_is_sent_of_a_recording_is_bounded_and_given_up_as_a_whole(door: Door) -> None:
    with pytest.raises(DataError, match="too long"):
        door.send(MOST_SAMPLES + 1)
    assert len(door.asker.upload) == 0
    for wrong in ("!", "A", "\u00e9", 7, None, "AAA"):
        with pytest.raises(DataError, match="base64"):
            door.ask("take_part", samples=wrong)
    door.send(16_000)
    with pytest.raises(DataError, match="did not come whole"):
        door.save(samples=16_001)
    with pytest.raises(DataError, match="did not come whole"):
        door.save(), "what was sent before is not part of the next"


def test_a_card_that_is_nearly_full_keeps_its_room_for_the_log(door: Door) -> None:
    door.free_bytes = FREE_BYTES - 1
    door.send(16_000)
    with pytest.raises(DataError, match="nearly full"):
        door.save()
    assert not list(door.folder.rglob("*.wav"))


def test_speech_is_counted_once_a_file_and_anew_when_the_file_is_another(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = door.folder / "recordings/allowed/Anna/2026-01-01"
    folder.mkdir(parents=True)
    shutil.copy(ANNA, folder / "01.wav")
    first = door.ask("recordings")
    assert first["people"][0]["days"][0][2] > 1.0
    monkeypatch.setattr("device.service.counted.counted_seconds", lambda *_: 99.0)
    assert door.ask("recordings") == first
    shutil.copy(ANNA, folder / "02.wav")
    assert door.ask("recordings")["people"][0]["days"][0][1:] == [
        2,
        pytest.approx(first["people"][0]["days"][0][2] + 99.0),
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["allowed", "others", "noise", "Anna", CLIP, "2026-01-01T00:00:00+00:00", "AAAA", "int16", 16_000,
                       "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", 2**63, 2**63 - 1, -(2**63)]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)  # fmt: skip
FIELDS = ["n", "kinds", "since", "until", "through", "count", "name", "offset", "role", "person", "samples",
          "sample_type", "rate_hz", "x"]  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(QUESTIONS)), st.dictionaries(st.sampled_from(FIELDS), values, max_size=6))
def test_whatever_is_asked_is_answered_or_refused_and_never_a_defect(
    door: Door, name: str, details: dict[str, object]
) -> None:
    # As it comes over the socket: JSON, whose numbers have no bound.
    details = json.loads(json.dumps(details))
    try:
        answer = door.answers.answer(Question(name=name, details=details), door.asker)
    except VoicelatchError:
        return
    assert isinstance(json.loads(json.dumps(answer, default=str)), dict)


@pytest.mark.parametrize("edge", [
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00", "x", 7,
    "2026-01-01T00:00:00+00:00" * 9,
])  # fmt: skip
def test_a_time_that_is_none_or_at_the_edge_of_the_calendar_is_no_defect(door: Door, edge: object) -> None:
    door.happen("speech")
    with contextlib.suppress(DataError):
        door.newest(since=edge)


def test_an_answer_to_every_question_is_a_line_that_can_be_sent(door: Door) -> None:
    door.keep_clip()
    for number in range(3):
        door.happen("decision", number=number)
    answering = Answering(door.answers, wake=lambda: None)
    for name, details in (("events", {"through": NEWEST, "count": 500}), ("event", {"n": 1}), ("clips", {}),
                          ("clip_audio", {"name": CLIP, "offset": 0}), ("recordings", {})):  # fmt: skip
        answering.submit(Question(name=name, details=details), door.asker)
        assert answering.step()
        item = answering.take()
        assert item is not None
        assert '"answer": {' in item[1].decode()
        assert item[1].count(b"\n") == 1
        assert len(item[1]) <= MAX_ANSWER_BYTES
