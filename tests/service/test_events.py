"""Events reach the disk, or the door does not notice that they do not."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.ports import Event
from device.service.events import FileEvents

EVENT = Event(kind="decision", at_seconds=1.5, wall_time=datetime(2026, 1, 2, tzinfo=UTC), details={"outcome": "open"})


def test_an_event_is_one_json_line(tmp_path: Path) -> None:
    sink = FileEvents(tmp_path / "deep" / "events.jsonl", max_bytes=1000)
    sink.record(EVENT)
    (line,) = (tmp_path / "deep" / "events.jsonl").read_text().splitlines()
    assert json.loads(line) == {"time": "2026-01-02T00:00:00.000+00:00", "kind": "decision", "at_seconds": 1.5,
                                "outcome": "open"}  # fmt: skip


def test_the_file_is_capped_and_the_last_one_kept(tmp_path: Path) -> None:
    sink = FileEvents(tmp_path / "e", max_bytes=300)
    for _ in range(20):
        sink.record(EVENT)
    assert (tmp_path / "e").stat().st_size < 450
    assert (tmp_path / "e.1").exists()


def test_a_disk_that_fails_is_counted_logged_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    sink = FileEvents(blocked / "e", max_bytes=1000)
    sink.record(EVENT)
    sink.record(EVENT)
    assert sink.lost == 2
    assert len(caplog.records) == 1
    blocked.unlink()
    sink.record(EVENT)
    assert (blocked / "e").exists()
