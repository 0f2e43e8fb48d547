"""JSON lines of an earlier version become part of the database once, and nothing of them is lost."""

import json
import sqlite3
from pathlib import Path

import pytest

from device.service.audit import Head, forge, write_head
from device.service.event_reader import EventReader
from device.service.event_table import EventTable
from device.service.events import as_table
from device.service.forget import forget_in_log
from device.service.log_files import LogFiles
from tests.event_logs import kinds, lines, sink, spoken, told, verdict
from tests.service.test_events import EVENT


def old_log(path: Path, *, count: int = 9, rotated: int = 4) -> list[str]:
    """A log as the version before wrote it: the oldest lines in ``.1``, and a head."""
    made, head = [], Head()
    for number in range(count):
        line, head = forge(as_table(spoken(number) if number != 2 else EVENT), head)
        made.append(line)
    path.with_name(f"{path.name}.1").write_text("".join(f"{line}\n" for line in made[:rotated]))
    path.write_text("".join(f"{line}\n" for line in made[rotated:]))
    write_head(path.with_name(f"{path.name}.head"), head, durably=False)
    return made


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"events.db-wal", "events.db-shm", "events.db.lock"}


@pytest.mark.parametrize("name", ["events.jsonl", "events.db"])
def test_every_line_is_taken_over_as_it_stands_and_the_chain_goes_on(tmp_path: Path, name: str) -> None:
    before = old_log(tmp_path / name)
    log = sink(tmp_path / "events.db")
    log.record(spoken(10))
    log.record(spoken(11))
    assert lines(tmp_path / "events.db")[:9] == before
    assert kinds(tmp_path / "events.db")[9:] == ["taken_over", "speech", "speech"]
    found = verdict(tmp_path / "events.db")
    assert found.problems == []
    assert "taken_over" in found.notes[0].what
    assert files(tmp_path) == {"events.db", "events.db.head"}


@pytest.mark.parametrize("name", ["events.jsonl", "events.db"])
def test_before_the_daemon_has_taken_it_over_it_can_be_read_and_verified(tmp_path: Path, name: str) -> None:
    before = old_log(tmp_path / name)
    there = files(tmp_path)
    with EventReader(tmp_path / "events.db") as reader:
        assert [event.text for event in reader.all()] == before
        assert [event.n for event in reader.latest(2)] == [8, 9]
        assert reader.verdict().problems == []
        assert reader.verdict().lines == 9
    assert files(tmp_path) == there, "whoever reads changes nothing"


@pytest.mark.parametrize("step", ["commit", "head", "older"])
def test_a_power_cut_in_the_middle_of_it_does_no_harm(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old_log(tmp_path / "events.jsonl")
    with monkeypatch.context() as patch:
        if step == "commit":
            patch.setattr(EventTable, "put", _struck)
        elif step == "head":
            patch.setattr("device.service.take_over.os.replace", _struck)
        else:
            patch.setattr(Path, "unlink", _struck)
        with pytest.raises(KeyboardInterrupt):
            sink(tmp_path / "events.db").record(spoken(10))
    sink(tmp_path / "events.db").record(spoken(11))
    assert lines(tmp_path / "events.db")[:9] == before
    assert kinds(tmp_path / "events.db")[-1] == "speech"
    assert verdict(tmp_path / "events.db").problems == []
    assert files(tmp_path) == {"events.db", "events.db.head"}


def _struck(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_was_wrong_with_it_stays_wrong_and_lines_without_a_number_are_set_aside(tmp_path: Path) -> None:
    old_log(tmp_path / "events.jsonl")
    content = (tmp_path / "events.jsonl").read_text().splitlines()
    content[1], content[2], content[4] = content[2], content[1], content[4].replace("speech", "spaech")
    (tmp_path / "events.jsonl").write_text("\n".join([*content, "nonsense", '{"n": 10, "kind": "spe']))
    sink(tmp_path / "events.db").record(spoken(10))
    assert [each.get("number") for each in told(tmp_path / "events.db")][:9] == [0, 1, None, 3, 4, 5, 6, 7, 8]
    problems = " ".join(str(each) for each in verdict(tmp_path / "events.db").problems)
    assert "events.db:9: was altered" in problems
    assert "problems_before" in problems
    assert "out of order" in problems
    assert '"left_out": 2' in problems
    aside = [path.read_text() for path in tmp_path.glob("events.db.damaged-*")]
    assert any("nonsense" in text and '"n": 10' in text for text in aside)


def test_lines_that_were_cut_from_its_end_are_still_missed(tmp_path: Path) -> None:
    old_log(tmp_path / "events.jsonl")
    content = (tmp_path / "events.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_text("".join(content[:-2]))
    sink(tmp_path / "events.db").record(spoken(10))
    assert "chain_cut" in kinds(tmp_path / "events.db")
    assert verdict(tmp_path / "events.db").problems


def test_a_name_is_forgotten_in_it_too(tmp_path: Path) -> None:
    old_log(tmp_path / "events.jsonl")
    assert forget_in_log(LogFiles(tmp_path / "events.db"), "Anna", "person-1", now=EVENT.wall_time) == 1
    assert kinds(tmp_path / "events.db")[-1] == "forgotten"
    assert verdict(tmp_path / "events.db").problems == []
    assert not any(b"Anna" in path.read_bytes() for path in tmp_path.iterdir())
    sink(tmp_path / "events.db").record(spoken(10))
    assert verdict(tmp_path / "events.db").problems == []


def test_a_disk_that_is_full_leaves_the_old_log_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = old_log(tmp_path / "events.jsonl")
    there = {name: (tmp_path / name).read_text() for name in files(tmp_path)}

    def full(*_: object) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    log = sink(tmp_path / "events.db")
    with monkeypatch.context() as patch:
        patch.setattr(EventTable, "put", full)
        log.record(spoken(10))
    assert log.lost == 1
    assert {name: (tmp_path / name).read_text() for name in there} == there
    log.record(spoken(11))
    assert lines(tmp_path / "events.db")[:9] == before
    assert "events_lost" in kinds(tmp_path / "events.db")


def test_a_copy_of_an_old_log_that_comes_back_is_not_mixed_in(tmp_path: Path) -> None:
    old_log(tmp_path / "events.jsonl")
    sink(tmp_path / "events.db").record(spoken(10))
    kept = lines(tmp_path / "events.db")
    other = json.loads(kept[5])
    (tmp_path / "events.jsonl").write_text(json.dumps({**other, "number": 77}) + "\n")
    sink(tmp_path / "events.db").record(spoken(11))
    assert lines(tmp_path / "events.db")[: len(kept)] == kept
    assert len(list(tmp_path.glob("events.db.damaged-*"))) == 1
