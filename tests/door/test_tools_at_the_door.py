"""The tools at the door as processes, on the real sounddevice over a virtual microphone: recorded, seen, ended."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.sound.wavfile import read_wav
from tests.benches.virtual_microphone import VirtualMicrophone, virtual_microphone, why_not
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
MOST_TRIES = 4
Start = Callable[..., "subprocess.Popen[str]"]
ANNA = ROOT / "device" / "simulated" / "evening" / "anna.wav"


@pytest.fixture(scope="module")
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as made:
        yield made


@pytest.fixture
def started(microphone: VirtualMicrophone) -> Iterator[Start]:
    """Starts a command, whose first line says that the microphone is open. None outlives a test that fails."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-u", "-m", "device", *arguments, "--microphone", "pulse"]
        tool = subprocess.Popen(command, cwd=ROOT, env=microphone.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)  # fmt: skip
        running.append(tool)
        assert tool.stdout is not None
        assert tool.stdout.readline()
        return tool

    yield start
    for tool in running:
        tool.kill()
        tool.communicate()


def interrupted(tool: "subprocess.Popen[str]") -> tuple[str, str]:
    tool.send_signal(signal.SIGINT)
    return tool.communicate(timeout=90)


def test_what_is_said_at_the_microphone_is_recorded_and_ctrl_c_keeps_it(
    microphone: VirtualMicrophone, started: Start, tmp_path: Path
) -> None:
    tool = started("record", "Anna", "--state-dir", str(tmp_path), "--seconds", "7")
    # It ends by itself. On a busy machine sound may be lost, and the sentence is said again, as a person would.
    for _ in range(MOST_TRIES):
        microphone.play(ANNA)
        try:
            tool.wait(5.0)
        except subprocess.TimeoutExpired:
            continue
        break
    out, err = tool.communicate(timeout=90)
    assert tool.returncode == 0, err
    assert "Kept 1 take" in out
    (kept,) = tmp_path.rglob("*.wav")
    assert 7.0 <= len(read_wav(kept)) / 16_000 <= 13.0
    again = started("record", "Anna", "--state-dir", str(tmp_path))
    out, err = interrupted(again)
    assert again.returncode == 0, err
    assert "Missing yet" in out
    assert "Traceback" not in err
    assert kept.exists()


def test_levels_and_listen_show_it_and_end_on_ctrl_c(microphone: VirtualMicrophone, started: Start) -> None:
    levels, listen = started("levels"), started("listen", "--bundle", "models/demo")
    for _ in range(2):
        microphone.play(ANNA)
    out, err = interrupted(levels)
    assert levels.returncode == 0, err
    assert "speech" in out
    assert "never clipped" in out
    out, err = interrupted(listen)
    assert listen.returncode == 0, err
    assert "OPENS: sounds like Anna" in out
    assert "Traceback" not in err


def test_a_program_gets_levels_as_json(microphone: VirtualMicrophone, started: Start) -> None:
    tool = started("levels", "--json", "--seconds", "60")
    microphone.play(ANNA)
    out, err = interrupted(tool)
    assert tool.returncode == 0, err
    told = [json.loads(line) for line in out.splitlines()]
    assert max(each["level_dbfs"] for each in told if "gap" not in each) > -60
