"""The unit is well-formed and stays in its sandbox."""

import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

UNIT = ROOT / "systemd/voicelatch.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@needs_systemd
def test_the_unit_has_no_unknown_keys() -> None:
    done = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line and "not executable" not in line]
    assert complaints == []


@needs_systemd
def test_the_sandbox_scores_below_two() -> None:
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:]


def test_the_pin_is_driven_off_after_any_death() -> None:
    text = UNIT.read_text()
    assert re.search(r"^ExecStopPost=.* relay-off --config /etc/voicelatch/voicelatch.toml$", text, re.M)
    assert "RestartPreventExitStatus=78" in text
