"""The script that tries the Pi's processor downloads too much for a test; what it says without that is tested here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("check_arm64.sh")
BASH = shutil.which("bash") or "/bin/bash"


def run(*given: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) if path is None else {**os.environ, "PATH": path}
    return subprocess.run([BASH, SCRIPT, *given], capture_output=True, text=True, check=False, env=environment)


def test_it_says_what_it_takes_and_needs() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--suite", "--folder", "golden self-test", "700 MB", "VOICELATCH_DEBIAN", "69"):
        assert word in done.stdout


@pytest.mark.parametrize("given", [["--wrong"], ["--suite", "sid"]])
def test_it_refuses_what_it_does_not_know_before_it_makes_anything(given: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "made"
    done = run("--folder", str(folder), *given)
    assert done.returncode == 2
    assert given[-1] in done.stderr
    assert not folder.exists()


def test_a_missing_piece_is_named_with_what_to_do(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("dirname", "mkdir", "uname"):
        (tools / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    done = run("--folder", str(tmp_path / "made"), path=str(tools))
    assert done.returncode == 69
    assert "missing: apt-get" in done.stderr
    assert "next step: " in done.stderr
