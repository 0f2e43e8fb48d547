"""What ``install.sh`` asks of apt, and what it advises where lgpio is not to be had: shipped functions over stubs."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

# dpkg knows no package; apt writes down what it was asked for, and its index has what INDEX names.
STUBS = {
    "dpkg-query": "exit 1",
    "apt-get": 'echo "apt-get $*" >> asked; case "$*" in update*) exit "${UPDATE:-0}" ;; esac',
    "apt-cache": 'case " $INDEX " in *" $2 "*) echo "  Candidate: 1.0" ;; *) echo "  Candidate: (none)" ;; esac',
    # A Python of VERSION, as far as the script asks.
    "python3": 'case "$*" in *"< (3, 13)"*) [ "$VERSION" != 3.11 ] ;; *) echo "$VERSION" ;; esac',
}
RUN = """
set -euo pipefail
target=/opt/voicelatch
say() { printf '%s\\n' "install: $*"; }
fail() { say "$*"; exit 1; }
offline=$1
. "$2"
packages
"""


def packages(folder: Path, *, version: str = "3.11", index: str = "libportaudio2 python3-venv python3-lgpio",
             system: str = "ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME='Debian 12'\n", update: int = 0,
             offline: str = "") -> tuple[str, list[str]]:  # fmt: skip
    """What is said, and what apt was asked for."""
    for name, does in STUBS.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    (folder / "os-release").write_text(system)
    script = folder / "environment.sh"
    shipped = (ROOT / "systemd/install/environment.sh").read_text()
    script.write_text(shipped.replace("/etc/os-release", f"{folder}/os-release"))
    done = subprocess.run(
        ["bash", "-c", RUN, "install", offline, script], cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin", "VERSION": version, "INDEX": index, "UPDATE": str(update)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    asked = folder / "asked"
    return done.stdout, asked.read_text().splitlines() if asked.exists() else []


def test_the_index_is_renewed_before_anything_is_taken_from_it(tmp_path: Path) -> None:
    _, asked = packages(tmp_path)
    assert asked == ["apt-get update -qq", "apt-get install -y libportaudio2 python3-venv"]


def test_an_index_that_cannot_be_renewed_is_said_and_the_one_that_is_here_is_used(tmp_path: Path) -> None:
    said, asked = packages(tmp_path, update=100)
    assert "STALE" in said
    assert asked[-1] == "apt-get install -y libportaudio2 python3-venv"


def test_offline_names_what_is_missing_and_asks_nobody(tmp_path: Path) -> None:
    said, asked = packages(tmp_path, offline="1")
    assert "MISSING    packages: libportaudio2 python3-venv" in said
    assert asked == []


def test_from_python_3_13_on_the_system_s_lgpio_is_used(tmp_path: Path) -> None:
    _, asked = packages(tmp_path, version="3.13")
    assert asked[-1] == "apt-get install -y libportaudio2 python3-venv python3-lgpio"


@pytest.mark.parametrize(
    ("system", "advice", "not_advised"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME='Debian 12'\n", "PYTHON=/usr/bin/python3", "swig"),
        ("ID=raspbian\nVERSION_CODENAME=bookworm\nPRETTY_NAME='Raspbian 12'\n", "PYTHON=/usr/bin/python3", "swig"),
        ("ID=ubuntu\nVERSION_CODENAME=noble\nPRETTY_NAME='Ubuntu 24.04'\n", "add-apt-repository universe", "swig"),
        ("ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME='Debian 13'\n", "apt install swig", "universe"),
        ("ID=fedora\nPRETTY_NAME='Fedora'\n", "On Fedora build it", "universe"),
        ("", "On this system build it", "universe"),
    ],
)
def test_where_the_index_has_no_lgpio_the_rest_is_installed_and_the_advice_is_that_system_s(
    tmp_path: Path, system: str, advice: str, not_advised: str
) -> None:
    said, asked = packages(tmp_path, version="3.13", index="libportaudio2 python3-venv", system=system)
    assert asked[-1] == "apt-get install -y libportaudio2 python3-venv"
    assert "MISSING    package python3-lgpio" in said
    assert advice in said
    assert not_advised not in said
    assert "the door stays shut" in said
