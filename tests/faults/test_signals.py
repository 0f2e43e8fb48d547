"""Signals at every stage of a pulse, to a real daemon process at a real guardian on the real lgpio, edges timed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benches.gpio_chip import Chip, Edge, imitated_chip, why_not
from tests.conftest import ROOT
from tests.event_logs import told as logged
from tests.event_logs import verdict
from tests.faults.door_process import OPEN_SECONDS

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
GRACE_SECONDS = 0.5
# The word on standard output after which the signal is sent, and how much later.
STAGES = {
    "before it": ("started", 0.0),
    "while somebody speaks": ("speech", 0.0),
    "as it begins": ("decision", 0.0),
    "in its middle": ("relay_on", 0.4),
    "as it ends": ("relay_on", 0.97),
    "after it": ("relay_off", 0.0),
}


@dataclass
class Place:
    chip: Chip
    folder: Path
    log: Path
    guardian: subprocess.Popen[bytes] | None = None

    def call(self, command: str, *more: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "device.guardian", command, "--config", str(self.folder / "c.toml"), *more]
        environment = os.environ | self.chip.environment(self.folder) | {"RUNTIME_DIRECTORY": str(self.folder)}
        return subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    def guard(self) -> None:
        """Start a guardian, and wait until it answers."""
        (self.folder / "relay.sock").unlink(missing_ok=True)
        self.guardian = self.call("run", "--user", str(os.getuid()))
        end = time.monotonic() + 20.0
        while not (self.folder / "relay.sock").exists():
            assert self.guardian.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)

    def kill_the_guardian(self) -> None:
        assert self.guardian is not None
        self.guardian.kill()
        self.guardian.wait(10.0)

    def door(self, visits: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.faults.door_process", str(self.folder / "relay.sock"), str(self.log)]
        return subprocess.Popen([*command, str(visits)], cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def shut_in_time(self, since: int) -> list[float]:
        """How long the pin was on, each time since that edge; it must be off now, and not too late."""
        time_out = time.monotonic() + OPEN_SECONDS + GRACE_SECONDS
        while self.chip.level() != 0 and time.monotonic() < time_out:
            time.sleep(0.01)
        assert self.chip.level() == 0, self.chip.told()
        edges: list[Edge] = [each for each in self.chip.edges[since:] if each.what in ("set", "claim")]
        on = [each.at_seconds for each in edges if each.level == 1]
        lengths = [
            next(each.at_seconds for each in edges if each.level == 0 and each.at_seconds > at) - at for at in on
        ]
        assert all(length <= OPEN_SECONDS + GRACE_SECONDS for length in lengths), self.chip.told()
        return lengths


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("signals")
    with imitated_chip(folder) as chip:
        (folder / "c.toml").write_text(f'[relay]\npin = 17\nmin_gap_seconds = 0.0\nguardian = "{folder}/relay.sock"\n')
        made = Place(chip, folder, folder / "events.db")
        made.guard()
        yield made
        made.kill_the_guardian()


@pytest.fixture
def place(house: Place, tmp_path: Path) -> Place:
    house.log = tmp_path / "events.db"
    return house


def heard_until(door: subprocess.Popen[str], word: str) -> list[dict[str, object]]:
    """The events that were acknowledged, up to the first of that kind."""
    told: list[dict[str, object]] = []
    assert door.stdout is not None
    while not told or told[-1]["kind"] != word:
        line = door.stdout.readline()
        assert line, f"it ended before {word}: {told}"
        told.append(json.loads(line))
    return told


def rest(door: subprocess.Popen[str]) -> list[dict[str, object]]:
    said, _ = door.communicate(timeout=30.0)
    return [json.loads(line) for line in said.splitlines()]


def in_the_log(place: Place, acknowledged: list[dict[str, object]]) -> None:
    assert verdict(place.log).problems == []
    written = logged(place.log)
    kept = [{key: each[key] for key in each if key not in ("n", "previous", "hash")} for each in written]
    assert [each for each in acknowledged if each not in kept] == []


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_at_any_stage_of_a_pulse_shuts_the_door_and_keeps_the_log(
    place: Place, number: signal.Signals, stage: str
) -> None:
    since = len(place.chip.edges)
    word, later_seconds = STAGES[stage]
    with place.door() as door:
        told = heard_until(door, word)
        time.sleep(later_seconds)
        door.send_signal(number)
        sent = time.monotonic()
        told += rest(door)
        code = door.returncode
    lengths = place.shut_in_time(since)
    assert code == (-9 if number == signal.SIGKILL else 0)
    assert len(lengths) <= 1
    if stage in ("as it begins", "in its middle"):
        off = next(each for each in reversed(place.chip.edges) if each.level == 0)
        assert off.at_seconds - sent <= GRACE_SECONDS, "not left to its deadline"
    in_the_log(place, told)


@pytest.mark.parametrize("stage", STAGES)
def test_sighup_at_any_stage_of_a_pulse_changes_nothing_about_it(place: Place, stage: str) -> None:
    since = len(place.chip.edges)
    word, later_seconds = STAGES[stage]
    with place.door() as door:
        told = heard_until(door, word)
        time.sleep(later_seconds)
        door.send_signal(signal.SIGHUP)
        told += heard_until(door, "reload_refused")
        if not any(each["kind"] == "relay_off" for each in told):
            told += heard_until(door, "relay_off")
        door.terminate()
        told += rest(door)
    (length,) = place.shut_in_time(since)
    assert length == pytest.approx(OPEN_SECONDS, abs=GRACE_SECONDS)
    in_the_log(place, told)


def test_a_daemon_frozen_in_mid_pulse_loses_it_and_goes_on_when_it_wakes(place: Place) -> None:
    since = len(place.chip.edges)
    with place.door(visits=2) as door:
        told = heard_until(door, "relay_on")
        door.send_signal(signal.SIGSTOP)
        place.shut_in_time(since)
        door.send_signal(signal.SIGCONT)
        told += heard_until(door, "relay_on")
        told += heard_until(door, "relay_off")
        door.terminate()
        told += rest(door)
        assert door.returncode == 0
    assert len(place.shut_in_time(since)) == 2
    in_the_log(place, told)


def test_a_guardian_that_dies_in_mid_pulse_ends_the_daemon_with_a_code_and_the_next_one_opens(place: Place) -> None:
    since = len(place.chip.edges)
    with place.door() as door:
        told = heard_until(door, "relay_on")
        place.kill_the_guardian()
        # What systemd runs after a death (ExecStopPost), and then starts anew.
        assert place.call("off").wait(20.0) == 0
        told += rest(door)
        assert door.returncode == 69
    assert told[-1]["kind"] == "fault"
    assert len(place.shut_in_time(since)) == 1
    with place.door() as door:
        rest(door)
        assert door.returncode == 69, "without a guardian it does not start"
    in_the_log(place, told)
    place.guard()
    with place.door() as door:
        heard_until(door, "relay_off")
        door.terminate()
        rest(door)
    assert len(place.shut_in_time(since)) == 2
