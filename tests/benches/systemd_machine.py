"""A machine with a real systemd as PID 1, made of namespaces over this one, to install and run the real units in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = Path(__file__).with_suffix(".sh")
NAMESPACES = ("--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net")
START_SECONDS = 40.0


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    if os.geteuid() != 0:
        return "a real systemd as PID 1 needs root"
    if not Path("/lib/systemd/systemd").exists() or shutil.which("systemd-sysusers") is None:
        return "systemd is not installed (Debian: systemd)"
    for program in ("unshare", "nsenter", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: util-linux)"
    if _cgroup_root() is None:
        return "there is no cgroup v2 hierarchy to put it in"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return f"namespaces cannot be made here: {tried.stderr.decode().strip()}" if tried.returncode else None


@dataclass
class Machine:
    """``shared`` is at /srv/shared inside, the project at /srv/checkout."""

    shared: Path
    pid: int
    console: Path

    def run(self, *command: str, check: bool = True, timeout_seconds: float = 120.0) -> str:
        """Run a command as root inside; what it printed, errors too. Raises AssertionError where it fails."""
        enter = ["nsenter", "--target", str(self.pid), *NAMESPACES, "--root"]
        clean = ["env", "--ignore-environment", "--chdir=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]
        done = subprocess.run(
            [*enter, *clean, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=timeout_seconds,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{self.told()}"
        return done.stdout

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit, as systemctl show prints them."""
        lines = self.run("systemctl", "show", unit, *(f"--property={each}" for each in names)).splitlines()
        return dict(line.split("=", maxsplit=1) for line in lines if "=" in line)

    def until(self, unit: str, **wanted: str) -> dict[str, str]:
        """Wait until the unit's properties are as wanted, and return them."""
        end = time.monotonic() + START_SECONDS
        while (found := self.show(unit, *wanted)) != wanted:
            assert time.monotonic() < end, f"{unit}: {found}, not {wanted}\n{self.told()}"
            time.sleep(0.05)
        return found

    def main_pid(self, unit: str) -> int:
        """The main process, as this machine (outside) numbers it."""
        inside = self.show(unit, "MainPID")["MainPID"]
        assert inside != "0", f"{unit} does not run\n{self.told()}"
        for each in Path("/proc").glob("[0-9]*/status"):
            try:
                text = each.read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            numbers = next((line.split()[1:] for line in text.splitlines() if line.startswith("NSpid:")), [])
            same = os.path.samefile(each.parent / "ns/pid", f"/proc/{self.pid}/ns/pid") if len(numbers) > 1 else False
            if same and numbers[-1] == inside:
                return int(numbers[0])
        raise AssertionError(f"no process {inside} of {unit}")

    def told(self) -> str:
        """The end of the journal, for messages."""
        said = self.run("journalctl", "--no-pager", "--output=short-monotonic", check=False)
        return f"{self.console.read_text(errors='replace')}\n{said[-8000:]}"


@contextmanager
def machine(shared: Path, console: Path) -> Iterator[Machine]:
    """Boot one; it and its processes are gone afterwards. ``console`` takes what is said before there is a journal."""
    group = _cgroup_root()
    assert group is not None
    group = group / f"voicelatch-test-{os.getpid()}"
    group.mkdir()
    base, site = Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))
    program = [str(SCRIPT), str(shared), str(base), str(site), str(ROOT)]
    # The shell joins the group first, so that the cgroup namespace begins there.
    join = f'echo $$ > {group}/cgroup.procs; exec unshare {" ".join(NAMESPACES)} --fork --kill-child -- "$@"'
    with console.open("wb") as log:
        outer = subprocess.Popen(
            ["bash", "-c", join, "machine", "bash", *program], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield _booted(outer, shared, console)
    finally:
        outer.kill()
        outer.wait(20.0)
        _remove(group)


def _booted(outer: subprocess.Popen[bytes], shared: Path, console: Path) -> Machine:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and outer.poll() is None:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            made = Machine(shared, int(children[0]), console)
            if made.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"):
                return made
        time.sleep(0.05)
    raise AssertionError(f"systemd did not come up\n{console.read_text(errors='replace')}")


def _cgroup_root() -> Path | None:
    for each in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if (each / "cgroup.procs").exists() and (each / "cgroup.controllers").exists():
            return each if os.access(each, os.W_OK) else None
    return None


def _remove(group: Path) -> None:
    """The groups that systemd made below ours, once their processes are gone."""
    end = time.monotonic() + 10.0
    while group.exists() and time.monotonic() < end:
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                # Its processes are still dying.
                time.sleep(0.02)
