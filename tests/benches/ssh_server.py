"""A real sshd on loopback with throw-away keys, as a process of its own, for the duration of a test."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"
# sshd as root does not start without this folder; distributions make it when they start their own.
PRIVILEGE_SEPARATION = Path("/run/sshd")
CONFIG = """\
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
StrictModes no
PidFile none
KexAlgorithms curve25519-sha256
UseDNS no
PrintLastLog no
SetEnv HOME={folder}{more}
"""


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    if not os.access(SSHD, os.X_OK):
        return "sshd is not installed (Debian: openssh-server)"
    for program in ("ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: openssh-client)"
    if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.is_dir() and not os.access("/run", os.W_OK):
        return f"sshd needs {PRIVILEGE_SEPARATION}, which cannot be made here"
    return None


@dataclass(frozen=True)
class SshServer:
    """How to log in: ``host`` as user@address, ``port``, the private key and the ssh options that it takes."""

    host: str
    port: int
    identity: str
    options: tuple[str, ...]


@contextmanager
def ssh_server(folder: Path, *, path: str = "") -> Iterator[SshServer]:
    """Run sshd with everything of its own in ``folder`` (no spaces in it), the home of its sessions too: what this
    machine's user has in shell profiles plays no part. Sessions see ``path`` as their PATH."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    # The identity's path has a space, as a person's may have.
    (folder / "my keys").mkdir()
    identity = folder / "my keys" / "user"
    os.replace(folder / "user", identity)
    if os.geteuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    (folder / "config").write_text(CONFIG.format(folder=folder, more=f" PATH={path}" if path else ""))
    port = _free_port()
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    with (folder / "log").open("w") as log:
        command = [SSHD, "-D", "-e", "-f", str(folder / "config"), "-p", str(port)]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait_until_open(port, server, folder / "log")
        options = (f"UserKnownHostsFile={folder}/known_hosts", "GlobalKnownHostsFile=/dev/null")
        yield SshServer(f"{getpass.getuser()}@127.0.0.1", port, str(identity), options)
    finally:
        server.terminate()
        server.wait(10)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_open(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(200):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise RuntimeError(f"sshd does not listen: {log.read_text()}")
