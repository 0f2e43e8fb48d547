"""The guardian unchanged, on the real lgpio and gpiozero, on an imitated chip that times every edge of the pin."""

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

from tests.benches.gpio_chip import Chip, imitated_chip, why_not
from tests.benches.gpio_guardian import second_process
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@dataclass
class Place:
    chip: Chip
    folder: Path

    def configure(self, *, active_high: bool) -> None:
        high = str(active_high).lower()
        (self.folder / "c.toml").write_text(
            f'[relay]\npin = 17\nactive_high = {high}\nmin_gap_seconds = 0.0\nguardian = "{self.folder}/relay.sock"\n'
        )

    def call(self, command: str, *more: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "device.guardian", command, "--config", str(self.folder / "c.toml"), *more]
        environment = os.environ | self.chip.environment(self.folder) | {"RUNTIME_DIRECTORY": str(self.folder)}
        return subprocess.Popen(program, cwd=ROOT, env=environment, stderr=subprocess.PIPE)

    def run(self) -> subprocess.Popen[bytes]:
        made = self.call("run", "--user", str(os.getuid()))
        end = time.monotonic() + 20.0
        while not (self.folder / "relay.sock").exists():
            assert made.poll() is None, made.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)
        return made

    def pulse(self, seconds: float) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(20.0)
        end = time.monotonic() + 20.0
        # The socket is a file a moment before anybody listens at it.
        while line.connect_ex(str(self.folder / "relay.sock")) == errno.ECONNREFUSED and time.monotonic() < end:
            time.sleep(0.01)
        line.sendall(f"pulse 0123abcd {seconds:.3f}\n".encode())
        return line


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with imitated_chip(tmp_path) as chip:
        yield Place(chip, tmp_path)


@pytest.mark.parametrize(("active_high", "idle", "active"), [(True, 0, 1), (False, 1, 0)])
def test_start_pulse_and_stop_are_three_levels_and_no_glitch(
    place: Place, active_high: bool, idle: int, active: int
) -> None:
    place.configure(active_high=active_high)
    running = place.run()
    with place.pulse(0.3) as line:
        assert line.recv(64) == b"on 0123abcd 0.300\n"
        assert line.recv(64) == b"off 0123abcd time\n"
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=20.0)
    print(place.chip.told())
    assert running.returncode == 0, said.decode()
    first, *_ = place.chip.edges
    assert (first.what, first.level) == ("claim", idle), "the idle level is part of the claim, in one step"
    assert place.chip.levels() == [idle, active, idle]
    on, off = (next(each for each in place.chip.edges if each.level == level and each.what == "set")
               for level in (active, idle))  # fmt: skip
    assert 0.29 <= off.at_seconds - on.at_seconds <= 0.3 + 0.5
    assert place.chip.edges[-1].what == "closed"
    assert place.chip.level() == idle


@pytest.mark.parametrize("active_high", [True, False])
def test_after_sigkill_in_mid_pulse_the_pin_is_on_until_the_one_shot_drives_it_off(
    place: Place, active_high: bool
) -> None:
    place.configure(active_high=active_high)
    running = place.run()
    with place.pulse(9.0) as line:
        line.recv(64)
        second = second_process(running.pid)
        # Without the second process, which would be quicker.
        os.kill(second, signal.SIGSTOP)
        running.kill()
        running.wait(20.0)
        os.kill(second, signal.SIGKILL)
        running.communicate(timeout=20.0)
    assert place.chip.level() == int(active_high), "the bench must keep the level, or the test shows nothing"
    done = place.call("off")
    done.communicate(timeout=20.0)
    print(place.chip.told())
    assert done.returncode == 0
    assert place.chip.level() == int(not active_high)
    assert place.chip.levels() == [int(not active_high), int(active_high), int(not active_high)]


def test_a_pin_that_is_short_circuited_is_a_fault(place: Place) -> None:
    place.configure(active_high=True)
    running = place.run()
    place.chip.stuck[17] = 0
    with place.pulse(9.0) as line:
        assert line.recv(64) == b"fault 0123abcd does-not-switch-on\n"
    _, said = running.communicate(timeout=20.0)
    assert running.returncode == 69
    assert b"does not follow" in said
    assert place.chip.levels()[-1] == 0


def test_a_pin_that_another_process_holds_is_left_alone(place: Place) -> None:
    place.configure(active_high=True)
    running = place.run()
    second = place.call("off")
    _, said = second.communicate(timeout=20.0)
    assert second.returncode == 69
    assert b"GPIO busy" in said
    running.terminate()
    running.communicate(timeout=20.0)


def test_a_guardian_without_a_chip_says_what_is_missing(place: Place) -> None:
    place.configure(active_high=True)
    place.chip.socket.unlink()
    done = place.call("off")
    _, said = done.communicate(timeout=20.0)
    assert done.returncode == 69
    assert b"no GPIO chip has the label" in said
    assert b"Traceback" not in said


def on_the_chip(place: Place, code: str) -> list[int | None]:
    """The levels of the pin while ``code`` runs in a process of its own."""
    environment = os.environ | place.chip.environment(place.folder)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=20.0)
    print(place.chip.told())
    return place.chip.levels()


def test_the_bench_sees_the_glitch_that_gpiozero_itself_makes(place: Place) -> None:
    code = "from gpiozero.pins.lgpio import LGPIOFactory; LGPIOFactory().pin(17).output_with_state(1)"
    assert on_the_chip(place, code) == [None, 0, 1]


def test_a_daemon_without_a_guardian_makes_none_and_leaves_no_floating_pin(place: Place) -> None:
    code = (
        "from device.hardware.relay import GpioRelay; relay = GpioRelay(17, active_high=False)\n"
        "relay.pulse(open_seconds=9.0); relay.close()"
    )
    assert on_the_chip(place, code) == [None, 1, 0, 1]
