"""A machine to run ``install.sh`` and a real sudo in: this one under an overlay, which is gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = Path(__file__).with_suffix(".sh")
NAMESPACES = ("--mount", "--pid", "--ipc", "--uts")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("unshare", "nsenter", "setpriv", "systemd-sysusers", "systemd-tmpfiles", "dpkg-query")


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    if os.geteuid() != 0:
        return "a private root needs root"
    missing = [each for each in PROGRAMS if shutil.which(each, path=PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: systemd, util-linux)"
    tried = subprocess.run(
        ["unshare", *NAMESPACES, "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return f"namespaces cannot be made here: {tried.stderr.decode().strip()}" if tried.returncode else None


@dataclass(frozen=True)
class PrivateRoot:
    """``shared`` is at /srv/shared inside, the project at /srv/checkout, its libraries at /srv/site."""

    shared: Path
    pid: int

    def run(
        self, *command: str, user: str = "", stdin: str = "", folder: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root or as ``user`` with that user's groups; what it printed is in ``stdout``."""
        enter = ["nsenter", "--target", str(self.pid), *NAMESPACES, "--root"]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        clean = [
            "env",
            "--ignore-environment",
            f"--chdir={folder}",
            f"PATH={PATH}",
            "LANG=C.UTF-8",
        ]
        return subprocess.run(
            [*enter, *become, *clean, *command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=300.0,
        )  # fmt: skip

    def must(self, *command: str, user: str = "", stdin: str = "", folder: str = "/") -> str:
        """The same; what it printed. Raises AssertionError where it fails."""
        done = self.run(*command, user=user, stdin=stdin, folder=folder)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        (self.shared / "file").write_text(text)
        self.must("install", "-D", "-m", mode, "/srv/shared/file", path)


@contextmanager
def private_root() -> Iterator[PrivateRoot]:
    """Make one; it and its processes are gone afterwards."""
    # Not in the tests' own folder: other users are to reach what is shared.
    base = Path(tempfile.mkdtemp(prefix="voicelatch-root-", dir="/var/tmp"))
    base.chmod(0o755)
    for name in ("work", "shared"):
        (base / name).mkdir()
    program = [
        str(SCRIPT),
        str(base / "work"),
        str(base / "shared"),
        sys.base_prefix,
        sysconfig.get_path("purelib"),
        str(ROOT),
    ]
    outer = subprocess.Popen(
        ["unshare", *NAMESPACES, "--fork", "--kill-child", "bash", *program], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert outer.stdout is not None
        said = outer.stdout.readline()
        assert said == "ready\n", said + outer.stdout.read()
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        pid = int(children[0])
        # From then on its root is the private one.
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            time.sleep(0.01)
        yield PrivateRoot(base / "shared", pid)
    finally:
        outer.kill()
        outer.wait(20.0)
        shutil.rmtree(base, ignore_errors=True)
