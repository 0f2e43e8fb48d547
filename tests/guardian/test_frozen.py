"""A guardian that is frozen or dies at any stage of a pulse, on the real lgpio: how long is the pin on then?

Nothing but the guardian and its second process is here: no systemd, no one-shot.
"""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.guardian.watchdog import LATE_SECONDS, SILENCE_SECONDS
from tests.benches.gpio_chip import Chip, imitated_chip, why_not
from tests.benches.gpio_guardian import second_process
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
PULSE_SECONDS, GRACE_SECONDS = 3.0, 0.5
# Frozen for so long after it went on: at once, in the middle, late, in the last moment.
STAGES = (0.0, 0.5, 1.5, 2.5, 2.9, 2.99)


@dataclass
class Place:
    chip: Chip
    folder: Path
    process: subprocess.Popen[bytes]
    line: socket.socket
    second: int = 0

    def open(self) -> float:
        """Ask for a pulse, and give signs of life; when the pin went on."""
        self.second = second_process(self.process.pid)
        while self.line.connect_ex(str(self.folder / "relay.sock")) == errno.ECONNREFUSED:
            time.sleep(0.01)
        self.line.sendall(f"pulse 0123abcd {PULSE_SECONDS:.3f}\n".encode())
        self.chip.until(1)
        return next(each.at_seconds for each in self.chip.edges if each.level == 1)

    def stay(self, until_seconds: float) -> None:
        while (left := until_seconds - time.monotonic()) > 0.0:
            self.line.sendall(b"alive 0123abcd\n")
            time.sleep(min(0.2, left))

    def off(self) -> float:
        """Wait until the pin is off; when that was."""
        self.chip.until(0)
        return next(each.at_seconds for each in reversed(self.chip.edges) if each.level == 0 and each.what != "closed")


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chip]:
    with imitated_chip(tmp_path_factory.mktemp("chip")) as made:
        yield made


@pytest.fixture
def place(chip: Chip, tmp_path: Path) -> Iterator[Place]:
    chip.edges.clear()
    config = tmp_path / "c.toml"
    config.write_text(f'[relay]\npin = 17\nmin_gap_seconds = 0.0\nguardian = "{tmp_path}/relay.sock"\n')
    program = [sys.executable, "-m", "device.guardian", "run", "--config", str(config), "--user", str(os.getuid())]
    environment = os.environ | chip.environment(tmp_path) | {"RUNTIME_DIRECTORY": str(tmp_path)}
    with subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process, \
            socket.socket(socket.AF_UNIX) as line:  # fmt: skip
        end = time.monotonic() + 20.0
        while not (tmp_path / "relay.sock").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        made = Place(chip, tmp_path, process, line)
        try:
            yield made
        finally:
            process.kill()
            # Frozen or not, none is left behind.
            for number in (signal.SIGCONT, signal.SIGKILL):
                if made.second and Path(f"/proc/{made.second}").exists():
                    os.kill(made.second, number)


@pytest.mark.parametrize("stage", STAGES)
def test_a_frozen_guardian_holds_the_door_no_longer_than_the_pulse_and_a_moment(place: Place, stage: float) -> None:
    opened = place.open()
    place.stay(opened + stage)
    place.process.send_signal(signal.SIGSTOP)
    frozen = time.monotonic()
    held = place.off() - opened
    print(f"frozen after {frozen - opened:.2f} s: on for {held:.2f} s")
    assert held <= min(PULSE_SECONDS + LATE_SECONDS, frozen - opened + SILENCE_SECONDS) + GRACE_SECONDS
    assert place.process.wait(20.0) == -signal.SIGKILL
    # The dead guardian's line is closed; then the second process claims it at the idle level, in one step.
    assert [(each.what, each.level) for each in place.chip.edges][-3:-1] == [("closed", 1), ("claim", 0)]


def test_a_guardian_that_is_killed_shuts_the_door_at_once_by_its_second_process(place: Place) -> None:
    place.open()
    killed = time.monotonic()
    place.process.kill()
    assert place.off() - killed <= GRACE_SECONDS


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_second_process_that_is_frozen_or_gone_ends_the_pulse_and_the_guardian(
    place: Place, number: signal.Signals
) -> None:
    opened = place.open()
    place.stay(opened + 0.5)
    struck = time.monotonic()
    os.kill(place.second, number)
    while place.chip.level() == 1 and time.monotonic() - struck < 2.0:
        place.line.send(b"alive 0123abcd\n", socket.MSG_NOSIGNAL)
        time.sleep(0.05)
    assert place.off() - struck <= 1.0 + GRACE_SECONDS
    os.kill(place.second, signal.SIGCONT)
    assert place.process.wait(20.0) == 71


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_without_its_second_process_the_guardian_grants_nothing_and_leaves(
    place: Place, number: signal.Signals
) -> None:
    second = second_process(place.process.pid)
    place.second = second
    place.line.settimeout(20.0)
    while place.line.connect_ex(str(place.folder / "relay.sock")) == errno.ECONNREFUSED:
        time.sleep(0.01)
    os.kill(second, number)
    place.line.sendall(b"pulse 0123abcd 3.000\n")
    # It leaves before it reads, or while.
    with contextlib.suppress(ConnectionResetError):
        assert not place.line.recv(64).startswith(b"on")
    assert place.process.wait(20.0) == 71
    assert 1 not in {each.level for each in place.chip.edges}


def test_a_clean_stop_leaves_no_process_behind(place: Place) -> None:
    place.second = second_process(place.process.pid)
    place.process.terminate()
    assert place.process.wait(20.0) == 0
    assert not Path(f"/proc/{place.second}").exists()
