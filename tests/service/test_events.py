"""Events reach the disk in an unbroken chain, or the door does not notice that they do not."""

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.ports import Event
from device.service.audit import Verdict, read_head, verify
from device.service.events import FileEvents, StreamEvents
from device.service.log_files import LogFiles

EVENT = Event(kind="decision", at_seconds=1.5, wall_time=datetime(2026, 1, 2, tzinfo=UTC), details={"outcome": "open"})


def spoken(number: int) -> Event:
    return Event(kind="speech", at_seconds=float(number), wall_time=datetime(2026, 1, 2, tzinfo=UTC),
                 details={"number": number})  # fmt: skip


def sink(path: Path, **more: object) -> FileEvents:
    return FileEvents(path, **{"max_bytes": 100_000, **more})  # type: ignore[arg-type]


def verdict(path: Path) -> Verdict:
    files = LogFiles(path)
    return verify(files.read(), read_head(files.head), head_path=files.head)


def kinds(path: Path) -> list[str]:
    return [json.loads(line)["kind"] for _, lines in LogFiles(path).read() for line in lines]


def test_an_event_is_one_json_line(tmp_path: Path) -> None:
    sink(tmp_path / "deep" / "events.jsonl").record(EVENT)
    (line,) = (tmp_path / "deep" / "events.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert len(told.pop("hash")) == 64
    assert told == {"n": 1, "time": "2026-01-02T00:00:00.000+00:00", "kind": "decision", "at_seconds": 1.5,
                    "outcome": "open", "previous": "0" * 64}  # fmt: skip


def test_the_file_is_capped_the_last_one_kept_and_the_chain_goes_on(tmp_path: Path) -> None:
    log = sink(tmp_path / "e", max_bytes=900)
    for number in range(20):
        log.record(spoken(number))
    assert (tmp_path / "e").stat().st_size < 1300
    assert (tmp_path / "e.1").exists()
    found = verdict(tmp_path / "e")
    assert (found.problems, found.notes) == ([], [])
    assert found.last is not None
    assert found.last.n == 20
    assert found.lines < 20


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        sink(tmp_path / "e").record(spoken(number))
    assert verdict(tmp_path / "e").problems == []
    assert kinds(tmp_path / "e") == ["speech"] * 3


def test_a_line_torn_by_a_power_cut_is_kept_aside_and_said(tmp_path: Path) -> None:
    sink(tmp_path / "e").record(spoken(1))
    with (tmp_path / "e").open("ab") as file:
        file.write(b'{"n": 2, "kind": "spe')
    sink(tmp_path / "e").record(spoken(2))
    assert kinds(tmp_path / "e") == ["speech", "line_torn", "speech"]
    assert (tmp_path / "e.torn").read_bytes() == b'{"n": 2, "kind": "spe\n'
    found = verdict(tmp_path / "e")
    assert found.problems == []
    assert "line_torn" in str(found.notes[0])


def test_a_line_that_lacks_only_its_line_break_is_not_torn(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    log.record(spoken(2))
    os.truncate(tmp_path / "e", (tmp_path / "e").stat().st_size - 1)
    sink(tmp_path / "e").record(spoken(3))
    assert kinds(tmp_path / "e") == ["speech"] * 3
    assert verdict(tmp_path / "e").problems == []


def test_lines_cut_from_the_end_are_found_even_after_the_daemon_went_on(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    for number in range(5):
        log.record(spoken(number))
    lines = (tmp_path / "e").read_text().splitlines(keepends=True)
    (tmp_path / "e").write_text("".join(lines[:3]))
    assert "the last 2 lines are missing (4 to 5)" in str(verdict(tmp_path / "e").problems[0])
    sink(tmp_path / "e").record(spoken(6))
    assert kinds(tmp_path / "e") == ["speech"] * 3 + ["chain_cut", "speech"]
    (problem,) = verdict(tmp_path / "e").problems
    assert "chain_cut" in problem.what


def test_a_file_whose_end_is_damaged_is_set_aside_and_the_numbers_go_on(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    log.record(spoken(2))
    (tmp_path / "e").write_text((tmp_path / "e").read_text().replace('"number": 2', '"number": 9'))
    sink(tmp_path / "e").record(spoken(3))
    assert (tmp_path / "e.damaged-1").exists()
    lines = [json.loads(line) for line in (tmp_path / "e").read_text().splitlines()]
    assert [(each["n"], each["kind"]) for each in lines] == [(3, "file_damaged"), (4, "speech")]
    assert verdict(tmp_path / "e").problems


def test_a_log_that_was_deleted_is_said(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    (tmp_path / "e").unlink()
    log.record(spoken(2))
    assert kinds(tmp_path / "e") == ["chain_cut", "speech"]
    assert any("missing" in each.what for each in verdict(tmp_path / "e").problems)


def test_an_opening_is_on_the_disk_when_it_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    assert synced == []
    log.record(EVENT)
    assert len(synced) == 2, "the line and the head"


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


def test_a_disk_that_takes_half_a_line_loses_that_event_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, write = sink(tmp_path / "e"), os.write
    log.record(spoken(1))
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[: len(content) // 2]))
    log.record(spoken(2))
    monkeypatch.setattr(os, "write", write)
    log.record(spoken(3))
    assert log.lost == 1
    assert kinds(tmp_path / "e") == ["speech", "line_torn", "events_lost", "speech"]
    assert verdict(tmp_path / "e").problems == []


def test_what_json_does_not_know_is_told_as_text_and_a_line_stays_a_line(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(Event(kind="odd", at_seconds=0.0, wall_time=datetime(2026, 1, 2, tzinfo=UTC),
                     details={"set": {1}, "nan": float("nan"), "name": "Zoë\n\udcff", "hash": "mine"}))  # fmt: skip
    log.record(spoken(2))
    assert log.lost == 0
    assert verdict(tmp_path / "e").problems == []


def test_the_journal_gets_the_lines_of_the_file_and_those_the_disk_refused(tmp_path: Path) -> None:
    journal = io.StringIO()
    log = sink(tmp_path / "f" / "e", copy=StreamEvents(journal))
    log.record(spoken(1))
    assert journal.getvalue() == (tmp_path / "f" / "e").read_text()
    for each in (tmp_path / "f").iterdir():
        each.unlink()
    (tmp_path / "f").rmdir()
    (tmp_path / "f").write_text("no folder any more")
    log.record(spoken(2))
    assert json.loads(journal.getvalue().splitlines()[-1])["number"] == 2


def test_somebody_who_holds_the_files_does_not_hold_up_the_door(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    with LogFiles(tmp_path / "e").locked():
        log.record(spoken(2))
    assert log.lost == 1
    log.record(spoken(3))
    assert kinds(tmp_path / "e") == ["speech", "events_lost", "speech"]
