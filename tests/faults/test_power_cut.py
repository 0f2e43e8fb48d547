"""The power goes: what is in the event log is what had reached a real file system's device by then.

The device is a file. A copy of it, made at any moment, is what a machine finds that is started again after a power cut:
whatever still waited in the memory of the one that ran is not in it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.ports import Event
from tests.event_logs import lines, sink, spoken, told, verdict
from tests.faults.test_disk_and_bundle import command

NAME = "events.db"


def opening(number: int) -> Event:
    return Event(kind="relay_on", at_seconds=float(number), wall_time=datetime(2026, 1, 2, tzinfo=UTC),
                 details={"number": number})  # fmt: skip


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    try:
        command("mount", "-o", "loop", image, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {getattr(error, 'stderr', error)}")
    try:
        yield folder
    finally:
        command("umount", "--lazy", folder)


@dataclass
class House:
    folder: Path
    stack: ExitStack
    cuts: int = 0

    def power_cut(self) -> Path:
        """The log as it is found after the power went at this moment."""
        self.cuts += 1
        image = self.folder / f"image-{self.cuts}"
        shutil.copyfile(self.folder / "image", image)
        return self.stack.enter_context(mounted(image, self.folder / f"after-{self.cuts}")) / NAME


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "image").write_bytes(bytes(16_000_000))
    try:
        command("mkfs.ext4", "-q", "-F", tmp_path / "image")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be made here: {error}")
    with ExitStack() as stack:
        stack.enter_context(mounted(tmp_path / "image", tmp_path / "state"))
        yield House(tmp_path, stack)


def test_an_opening_and_all_before_it_is_there_after_a_power_cut_at_once(house: House) -> None:
    log = sink(house.folder / "state" / NAME)
    for number in range(0, 60, 3):
        log.record(spoken(number))
        log.record(spoken(number + 1))
        log.record(opening(number + 2))
        if number % 15 == 0:
            after = house.power_cut()
            assert [each["number"] for each in told(after)] == list(range(number + 3))
            assert verdict(after).problems == []
    log.close()


def test_the_very_first_event_is_whole_after_a_power_cut_at_once(house: House) -> None:
    log = sink(house.folder / "state" / NAME)
    log.record(opening(0))
    after = house.power_cut()
    assert [each["number"] for each in told(after)] == [0]
    assert verdict(after).problems == []
    log.close()


def test_after_a_power_cut_the_log_goes_on_from_what_had_reached_the_disk(house: House) -> None:
    log = sink(house.folder / "state" / NAME)
    log.record(opening(0))
    for number in range(1, 6):
        log.record(spoken(number))
    after = house.power_cut()
    kept = lines(after)
    assert told(after)[0]["number"] == 0
    again = sink(after)
    again.record(opening(6))
    assert again.lost == 0
    assert lines(after)[: len(kept)] == kept
    assert told(after)[-1]["number"] == 6
    again.close()
    log.close()
