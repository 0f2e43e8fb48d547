"""The log is read from beside the daemon: other threads, other processes, and nothing that holds up who writes."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.errors import DataError, StateError
from device.ports import Event
from device.service.event_reader import EventReader, Wanted
from tests.conftest import ROOT
from tests.event_logs import lines, sink, spoken

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def event(kind: str, hours: float, **details: object) -> Event:
    return Event(kind=kind, at_seconds=0.0, wall_time=NOON + timedelta(hours=hours), details=details)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    made = sink(tmp_path / "e")
    for each in (event("decision", 0, outcome="open", resident="Anna"), event("relay_on", 0, resident="Anna"),
                 event("decision", 1, outcome="refuse", resident="Bruno"), event("gap", 2),
                 event("decision", 3, outcome="open", resident="Bruno")):  # fmt: skip
        made.record(each)
    return tmp_path / "e"


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), [1, 2, 3, 4, 5]),
        (Wanted(kinds=("gap", "relay_on")), [2, 4]),
        (Wanted(person="Bruno"), [3, 5]),
        (Wanted(person="Anna", kinds=("decision",)), [1]),
        (Wanted(outcome="open"), [1, 5]),
        (Wanted(since=NOON + timedelta(hours=1)), [3, 4, 5]),
        (Wanted(until=NOON + timedelta(hours=1)), [1, 2]),
        (Wanted(since=NOON, until=NOON), []),
        (Wanted(kinds=("' OR 1=1 --",)), []),
    ],
)
def test_events_are_found_by_kind_person_outcome_and_time(log: Path, wanted: Wanted, numbers: list[int]) -> None:
    with EventReader(log) as reader:
        assert [each.n for each in reader.all(wanted)] == numbers
        assert [each.n for each in reader.latest(2, wanted)] == numbers[-2:]
        assert [each.n for each in reader.after(2, wanted)] == [n for n in numbers if n > 2]
        assert [each.n for each in reader.after(0, wanted, most=1)] == numbers[:1]


def test_what_the_daemon_writes_is_seen_at_the_next_look_and_one_event_can_be_asked_for(log: Path) -> None:
    writer = sink(log)
    with EventReader(log) as reader:
        assert reader.span() == (1, 5)
        writer.record(spoken(6))
        assert [each.told["number"] for each in reader.after(5)] == [6]
        assert reader.get(6) is not None
        assert reader.get(7) is None


def test_another_process_reads_while_this_one_writes(log: Path) -> None:
    writer = sink(log)
    script = ("import sys; from pathlib import Path; from device.service.event_reader import EventReader\n"
              "reader = EventReader(Path(sys.argv[1])); print(reader.span()[1], flush=True)\n"
              "input(); print(reader.span()[1], len(list(reader.all())), reader.verdict().problems)")  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", script, str(log)], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "5\n"
        for number in range(300):
            writer.record(spoken(number))
        said, _ = other.communicate("\n", timeout=60)
    assert said == "305 305 []\n"
    assert writer.lost == 0
    writer.record(spoken(301))
    assert writer.lost == 0


def test_a_database_that_was_replaced_is_opened_anew(log: Path) -> None:
    with EventReader(log) as reader:
        assert reader.span() == (1, 5)
        for path in log.parent.iterdir():
            path.unlink()
        with pytest.raises(DataError, match="no event log"):
            reader.span()
        sink(log).record(spoken(1))
        assert reader.span() == (1, 1)


def test_reading_changes_nothing_not_even_what_a_kill_left_behind(log: Path) -> None:
    before = {path.name: path.read_bytes() for path in log.parent.iterdir() if not path.name.endswith("-shm")}
    assert before["e-wal"], "the daemon did not end in good order"
    assert len(lines(log)) == 5
    assert {name: (log.parent / name).read_bytes() for name in before} == before


def test_a_log_on_a_disk_that_cannot_be_written_is_read_and_what_is_written_later_is_seen(tmp_path: Path) -> None:
    there, seen = tmp_path / "there", tmp_path / "seen"
    there.mkdir()
    seen.mkdir()
    log = sink(there / "e")
    log.record(spoken(1))
    log.close()
    try:
        subprocess.run(["mount", "--bind", there, seen], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", seen], check=True)
        with EventReader(seen / "e") as reader:
            assert reader.span() == (1, 1)
            log.record(spoken(2))
            assert reader.span() == (1, 2)
            assert reader.verdict().problems == []
    finally:
        subprocess.run(["umount", "--lazy", seen], check=True)


def test_a_file_that_is_no_log_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(b"SQLite format 3\0" + bytes(4000))
    with EventReader(tmp_path / "e") as reader, pytest.raises(StateError, match="cannot be read"):
        reader.span()
