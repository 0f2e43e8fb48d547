"""Events reach the disk in an unbroken chain, or the door does not notice that they do not."""

import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.ports import Event
from device.service.event_table import EventTable
from device.service.events import StreamEvents
from device.service.log_files import LogFiles
from tests.conftest import ROOT
from tests.event_logs import change, kinds, lines, sink, spoken, told, verdict

START = datetime(2026, 1, 2, tzinfo=UTC)
EVENT = Event(kind="decision", at_seconds=1.5, wall_time=START, details={"outcome": "open", "resident": "Anna"})


def test_an_event_is_one_line_of_json(tmp_path: Path) -> None:
    sink(tmp_path / "deep" / "events.db").record(EVENT)
    (event,) = told(tmp_path / "deep" / "events.db")
    assert len(event.pop("hash")) == 64
    assert event == {"n": 1, "time": "2026-01-02T00:00:00.000+00:00", "kind": "decision", "at_seconds": 1.5,
                     "outcome": "open", "resident": "Anna", "previous": "0" * 64}  # fmt: skip


def test_every_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        log = sink(tmp_path / "e")
        log.record(EVENT)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    # The head holds a number and a hash, nothing of anybody.
    assert modes.pop("e.head") in (0o600, 0o644)
    assert modes == {"e": 0o600, "e-wal": 0o600, "e-shm": 0o600, "e.lock": 0o600}


def test_the_log_has_a_quota_keeps_the_newest_and_the_chain_says_where_it_begins(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", max_bytes=60_000)
    for number in range(1000):
        log.record(spoken(number))
    log.close()
    assert (tmp_path / "e").stat().st_size < 80_000
    kept = told(tmp_path / "e")
    assert kept[0]["n"] > 1
    assert [each for each in kept if each["kind"] == "speech"][-1]["number"] == 999
    found = verdict(tmp_path / "e")
    assert found.problems == []
    (note,) = found.notes
    assert "more than 0.06 MB" in note.what
    assert f'"first": {kept[0]["n"]}' in note.what


def aged(log_days: int) -> Event:
    return Event(kind="speech", at_seconds=86_400.0 * log_days, wall_time=START + timedelta(days=log_days))


def test_events_go_when_they_are_old_once_a_day_at_most(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", keep_days=30)
    for day in range(60):
        for _ in range(30):
            log.record(aged(day))
    kept = told(tmp_path / "e")
    assert kept[0]["time"] >= (START + timedelta(days=28)).isoformat()
    assert sum(each["kind"] == "speech" for each in kept) >= 30 * 30
    assert kinds(tmp_path / "e").count("log_shortened") <= 32
    assert verdict(tmp_path / "e").problems == []


def test_a_date_that_was_wrong_for_a_moment_removes_nothing(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", keep_days=30)
    for number, day in enumerate([0] * 40 + [4000] * 400 + [0] * 40):
        log.record(replace(aged(day), at_seconds=float(number)))
    assert kinds(tmp_path / "e") == ["speech"] * 480


def test_a_clock_without_a_battery_removes_nothing_when_it_is_set(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", keep_days=365)
    log.record(EVENT)
    for number in range(300):
        # Started 500 days back; after a minute a time server answers. Then the power goes, again and again.
        wall_time = START + timedelta(days=-500 if number % 30 < 20 else 0, seconds=number)
        log.record(Event(kind="speech", at_seconds=number % 30 + 0.1, wall_time=wall_time))
    assert len(kinds(tmp_path / "e")) == 301
    assert verdict(tmp_path / "e").problems == []


def test_a_clock_that_was_set_back_keeps_nothing_for_ever(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", keep_days=30)
    for day in range(100):
        wrong = timedelta(days=-4000 if day > 5 else 0)
        log.record(Event(kind="speech", at_seconds=86_400.0 * day, wall_time=START + timedelta(days=day) + wrong))
    assert 20 <= kinds(tmp_path / "e").count("speech") <= 36


def test_age_is_counted_on_over_starts_of_the_machine(tmp_path: Path) -> None:
    for day in range(100):
        log = sink(tmp_path / "e", keep_days=30)
        for hour in (0.1, 20.0):
            log.record(
                Event(kind="speech", at_seconds=3600.0 * hour, wall_time=START + timedelta(days=day, hours=hour))
            )
        log.close()
    seen = [each for each in told(tmp_path / "e") if each["kind"] == "speech"]
    assert 60 <= len(seen) <= 78, "the hours without power do not count"


def test_a_smaller_quota_is_reached_in_small_steps(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    for number in range(900):
        log.record(spoken(number))
    before = len(lines(tmp_path / "e"))
    smaller = sink(tmp_path / "e", max_bytes=50_000)
    smaller.record(spoken(900))
    assert before - 510 < len(lines(tmp_path / "e")) < before, "no event waits for all of it"
    for number in range(901, 950):
        smaller.record(spoken(number))
    with closing(EventTable(tmp_path / "e")) as table:
        assert table.used_bytes() <= 54_000
    assert verdict(tmp_path / "e").problems == []


def test_a_log_that_cannot_be_shortened_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_table: EventTable, _n: int) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(EventTable, "remove_through", full)
    log = sink(tmp_path / "e", max_bytes=20_000)
    for number in range(120):
        log.record(spoken(number))
    assert log.lost == 0
    assert len(lines(tmp_path / "e")) == 120
    assert "cannot be shortened" in caplog.text
    monkeypatch.undo()
    log.record(spoken(120))
    assert "log_shortened" in kinds(tmp_path / "e")
    assert verdict(tmp_path / "e").problems == []


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        sink(tmp_path / "e").record(spoken(number))
    assert verdict(tmp_path / "e").problems == []
    assert kinds(tmp_path / "e") == ["speech"] * 3


WRITER = """
import sys
from pathlib import Path
from tests.event_logs import sink, spoken
log, number = sink(Path(sys.argv[1])), 0
while True:
    log.record(spoken(number))
    print(number, flush=True)
    number += 1
"""


def test_what_was_acknowledged_outlives_sigkill(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "e")], cwd=ROOT, stdout=subprocess.PIPE,
                          text=True) as writer:  # fmt: skip
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert [each["number"] for each in told(tmp_path / "e")][: len(acknowledged)] == acknowledged
    sink(tmp_path / "e").record(spoken(-1))
    assert verdict(tmp_path / "e").problems == []
    assert set(kinds(tmp_path / "e")) == {"speech"}


def test_lines_cut_from_the_end_are_found_even_after_the_daemon_went_on(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    for number in range(5):
        log.record(spoken(number))
    change(tmp_path / "e", "DELETE FROM events WHERE n > 3")
    assert "the last 2 lines are missing (4 to 5)" in str(verdict(tmp_path / "e").problems[0])
    sink(tmp_path / "e").record(spoken(6))
    assert kinds(tmp_path / "e") == ["speech"] * 3 + ["chain_cut", "speech"]
    (problem,) = verdict(tmp_path / "e").problems
    assert "chain_cut" in problem.what


def test_lines_cut_under_a_daemon_that_runs_are_found_with_its_next_event(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    for number in range(5):
        log.record(spoken(number))
    change(tmp_path / "e", "DELETE FROM events WHERE n > 3")
    log.record(spoken(6))
    assert kinds(tmp_path / "e") == ["speech"] * 3 + ["chain_cut", "speech"]


def test_a_last_line_that_was_altered_is_said_and_the_numbers_go_on(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    log.record(spoken(2))
    change(tmp_path / "e", "UPDATE events SET text = replace(text, '\"number\": 2', '\"number\": 9') WHERE n = 2")
    sink(tmp_path / "e").record(spoken(3))
    assert [(each["n"], each["kind"]) for each in told(tmp_path / "e")] == [
        (1, "speech"), (2, "speech"), (3, "chain_cut"), (4, "speech")]  # fmt: skip
    assert verdict(tmp_path / "e").problems[0].what == "was altered"


@pytest.mark.parametrize("damage", ["header", "middle", "nonsense"])
def test_a_file_that_is_damaged_is_set_aside_and_the_numbers_go_on(tmp_path: Path, damage: str) -> None:
    log = sink(tmp_path / "e")
    for number in range(60):
        log.record(spoken(number))
    log.close()
    content = bytearray((tmp_path / "e").read_bytes())
    match damage:
        case "header":
            content[:16] = bytes(16)
        case "middle":
            content[4096 + 8 : 4096 * 2] = b"\xff" * (4096 - 8)
        case "nonsense":
            content = bytearray(b"not a log at all\n")
    (tmp_path / "e").write_bytes(content)
    again = sink(tmp_path / "e")
    again.record(spoken(61))
    assert again.lost == 0
    assert (tmp_path / "e.damaged-1").read_bytes() == content
    assert [(each["n"], each["kind"]) for each in told(tmp_path / "e")] == [(61, "file_damaged"), (62, "speech")]
    assert any("file_damaged" in each.what for each in verdict(tmp_path / "e").problems)


def test_a_file_that_is_damaged_under_a_daemon_that_runs_costs_no_event(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    for number in range(60):
        log.record(spoken(number))
    with closing(EventTable(tmp_path / "e")) as table:
        assert table.wipe_log()
    with (tmp_path / "e").open("r+b") as file:
        file.write(b"\xff" * 4096 * 2)
    log.record(spoken(61))
    log.record(spoken(62))
    assert log.lost == 0
    assert kinds(tmp_path / "e")[-2:] == ["speech", "speech"]
    assert "file_damaged" in kinds(tmp_path / "e")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events VALUES (9223372036854775807, 0, '', '', '', '{}')",
        "UPDATE events SET n = -n",
        "UPDATE events SET unix_seconds = 'soon', kind = 7, text = x'00ff'",
        "UPDATE events SET unix_seconds = NULL, text = ''",
        "DROP TABLE events",
    ],
)
def test_whatever_a_hand_made_of_the_log_the_door_goes_on_and_so_does_the_log(tmp_path: Path, statement: str) -> None:
    log = sink(tmp_path / "e", max_bytes=45_000, keep_days=1)
    for number in range(40):
        log.record(spoken(number))
    change(tmp_path / "e", statement)
    log.record(spoken(99))
    assert log.lost or verdict(tmp_path / "e").problems
    for each in (log, sink(tmp_path / "e", max_bytes=45_000, keep_days=1)):
        for number in range(100, 150):
            each.record(spoken(number))
        each.close()
    assert [each["number"] for each in told(tmp_path / "e") if each.get("kind") == "speech"][-50:] == [*range(100, 150)]
    assert log.lost <= 51


def test_a_log_that_was_deleted_under_the_daemon_is_said(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    (tmp_path / "e").unlink()
    log.record(spoken(2))
    assert kinds(tmp_path / "e") == ["chain_cut", "speech"]
    assert any("missing" in each.what for each in verdict(tmp_path / "e").problems)


def test_an_opening_is_on_the_disk_when_it_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    said: list[str] = []
    assert log._database is not None
    log._database._connection.set_trace_callback(said.append)
    log.record(spoken(2))
    assert "PRAGMA synchronous = NORMAL" in said
    assert synced == []
    said.clear()
    log.record(EVENT)
    assert said.index("PRAGMA synchronous = FULL") < said.index("BEGIN IMMEDIATE") < said.index("COMMIT")
    assert len(synced) == 1, "the head"


def test_a_disk_that_fails_is_counted_logged_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    log = sink(blocked / "e")
    log.record(EVENT)
    log.record(EVENT)
    assert log.lost == 2
    assert len(caplog.records) == 1
    blocked.unlink()
    log.record(EVENT)
    assert kinds(blocked / "e") == ["events_lost", "decision"]
    assert verdict(blocked / "e").problems == []


def test_a_connection_that_a_failing_disk_spoilt_is_made_anew(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    assert log._database is not None
    log._database._connection.close()
    log.record(spoken(2))
    assert log.lost == 1
    log.record(spoken(3))
    log.close()
    log.record(spoken(4))
    assert kinds(tmp_path / "e") == ["speech", "events_lost", "speech", "speech"]


def test_a_disk_without_a_page_left_loses_what_has_no_room_and_says_how_much(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    assert log._database is not None
    execute = log._database._connection.execute
    execute(f"PRAGMA max_page_count = {execute('PRAGMA page_count').fetchone()[0]}")
    for number in range(2, 40):
        log.record(spoken(number))
    assert 0 < log.lost < 38
    kept = len(lines(tmp_path / "e"))
    assert kept == 39 - log.lost
    execute("PRAGMA max_page_count = 100000")
    log.record(spoken(40))
    assert told(tmp_path / "e")[kept]["count"] == log.lost
    assert verdict(tmp_path / "e").problems == []


def test_what_json_does_not_know_is_told_as_text_and_a_line_stays_a_line(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(Event(kind="odd\udcff", at_seconds=0.0, wall_time=START,
                     details={"set": {1}, "nan": float("nan"), "resident": "Zoë\n\udcff", "hash": "mine"}))  # fmt: skip
    log.record(spoken(2))
    assert log.lost == 0
    assert verdict(tmp_path / "e").problems == []


def test_the_journal_gets_the_lines_of_the_log_and_those_the_disk_refused(tmp_path: Path) -> None:
    journal = io.StringIO()
    log = sink(tmp_path / "f" / "e", copy=StreamEvents(journal))
    log.record(spoken(1))
    assert journal.getvalue().splitlines() == lines(tmp_path / "f" / "e")
    log.close()
    for each in (tmp_path / "f").iterdir():
        each.unlink()
    (tmp_path / "f").rmdir()
    (tmp_path / "f").write_text("no folder any more")
    log.record(spoken(2))
    assert json.loads(journal.getvalue().splitlines()[-1])["number"] == 2


def test_events_wait_while_somebody_holds_the_files_and_the_door_does_not(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    with LogFiles(tmp_path / "e").locked():
        log.record(spoken(2))
    with closing(sqlite3.connect(tmp_path / "e", isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        log.record(spoken(3))
        assert len(told(tmp_path / "e")) < 3
    log.record(spoken(4))
    assert [each["number"] for each in told(tmp_path / "e")] == [1, 2, 3, 4]
    assert log.lost == 0


def test_events_that_waited_are_written_without_another_one_and_at_the_end(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    with LogFiles(tmp_path / "e").locked():
        log.record(spoken(2))
        tries = log._backlog._thread
    assert tries is not None
    tries.join(timeout=30)
    assert [each["number"] for each in told(tmp_path / "e")] == [1, 2]
    with LogFiles(tmp_path / "e").locked():
        log.record(spoken(3))
    log.close()
    assert [each["number"] for each in told(tmp_path / "e")] == [1, 2, 3]


def test_more_than_can_wait_is_counted_and_the_log_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.service.event_backlog.MOST_WAITING", 3)
    monkeypatch.setattr("device.service.events.PATIENCE_SECONDS", 0.0)
    journal = io.StringIO()
    log = sink(tmp_path / "e", copy=StreamEvents(journal))
    with LogFiles(tmp_path / "e").locked():
        for number in range(5):
            log.record(spoken(number))
    assert log.lost == 2
    assert '"number": 1' in journal.getvalue()
    log.record(spoken(5))
    assert [each.get("number", each["kind"]) for each in told(tmp_path / "e")] == ["events_lost", 2, 3, 4, 5]


def test_somebody_who_reads_without_an_end_holds_up_nothing(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    with closing(sqlite3.connect(f"file:{tmp_path}/e?mode=ro", uri=True)) as reader:
        seen = reader.execute("SELECT n FROM events")
        seen.fetchone()
        for number in range(300):
            log.record(spoken(number))
        assert log.lost == 0
    assert len(lines(tmp_path / "e")) == 301
