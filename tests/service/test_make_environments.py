"""``make`` notices an environment half made, without its interpreter or of another Python, and makes it anew."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
# In place of downloads: what was asked of pip is written down.
PIP = "import pathlib, sys\npathlib.Path('asked').open('a').write(' '.join(sys.argv[1:]) + '\\n')\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for each in ("Makefile", "requirements-device.txt", "requirements-test.txt"):
        shutil.copy(ROOT / each, tmp_path)
    maker = tmp_path / "python"
    maker.write_text(
        f'#!/bin/sh\nif [ "$2" = venv ]; then\n  {sys.executable} -m venv --without-pip $3 $4 || exit\n'
        f'  for last; do :; done\n  mkdir "$(echo $last/lib/python3*/site-packages)/pip"\n'
        f'  cp {tmp_path}/pip.py "$(echo $last/lib/python3*/site-packages)/pip/__main__.py"\n'
        f'  echo >> made; exit\nfi\nexec {sys.executable} "$@"\n'
    )
    maker.chmod(0o755)
    (tmp_path / "pip.py").write_text(PIP)
    assert times_made(tmp_path) == 1
    return tmp_path


def times_made(checkout: Path) -> int:
    """After a run of make: how often an environment was made from nothing."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PYTHON", "VIRTUAL"))}
    done = subprocess.run(["make", ".venv/ready", f"PYTHON={checkout}/python"], cwd=checkout, capture_output=True,
                          text=True, check=False, env=clean)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([checkout / ".venv/bin/python", "-c", "import pip"], check=False).returncode == 0
    return len((checkout / "made").read_text().splitlines())


def test_an_environment_that_is_right_is_left_alone_and_brought_up_to_date(checkout: Path) -> None:
    assert times_made(checkout) == 1
    before = (checkout / "asked").read_text()
    os.utime(checkout / "requirements-device.txt")
    os.utime(checkout / ".venv/ready", (0, 0))
    assert times_made(checkout) == 1
    assert (checkout / "asked").read_text() != before, "newer requirements are installed"


def _interpreter_gone(venv: Path) -> None:
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/nonexistent/python3")


def _another_python(venv: Path) -> None:
    (venv / "bin/python").unlink()
    (venv / "bin/python").write_text("#!/bin/sh\necho 3.9\n")
    (venv / "bin/python").chmod(0o755)


def _without_pip(venv: Path) -> None:
    shutil.rmtree(next(venv.glob("lib/python3*/site-packages/pip")))


def _cut_off(venv: Path) -> None:
    (venv / "ready").unlink()
    shutil.rmtree(venv / "lib")


def _empty(venv: Path) -> None:
    shutil.rmtree(venv)
    venv.mkdir()


@pytest.mark.parametrize("spoil", [_interpreter_gone, _another_python, _without_pip, _cut_off, _empty])
def test_an_environment_that_is_not_right_is_made_anew_by_the_next_make(
    checkout: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(checkout / ".venv")
    assert times_made(checkout) == 2
    assert times_made(checkout) == 2
