"""A door on this machine, behind a real sshd: the folder that install.sh would leave, and a real daemon."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from device.service.status import look
from tests.benches.ssh_server import SshServer
from tests.conftest import ROOT
from training.deploy.door import Door
from training.deploy.inventory import DoorSettings
from training.deploy.parcel import Parcel


class Place:
    """The door; its daemon runs once :meth:`start` was called."""

    def __init__(self, folder: Path, models: Path, server: SshServer) -> None:
        self.folder, self.server = folder, server
        self.models, self.runtime, self.config = folder / "models", folder / "run", folder / "voicelatch.toml"
        self.runtime.mkdir(parents=True)
        shutil.copytree(models / "demo", self.models / "demo")
        (self.models / "current").write_text("demo\n")
        os.symlink(ROOT / "device", folder / "device")
        self.daemon: subprocess.Popen[str] | None = None
        self.reads(self.models)

    def reads(self, models: Path) -> None:
        self.config.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n')

    def start(self) -> None:
        command = ["run", "--simulate", "--config", str(self.config), "--runtime-dir", str(self.runtime)]
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "device", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.daemon.stdout is not None
        assert json.loads(self.daemon.stdout.readline())["kind"] == "started"

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.communicate(timeout=20)
            self.daemon = None

    def door(self, **more: object) -> Door:
        settings: dict[str, object] = {
            "host": self.server.host,
            "port": self.server.port,
            "identity": self.server.identity,
            "options": self.server.options,
            "folder": str(self.folder),
            "python": sys.executable,
            "reload_command": f"kill -HUP {self.daemon.pid}" if self.daemon is not None else "kill -HUP 2147483000",
            "status_command": shlex.join(
                [sys.executable, "-m", "device", "status", "--json", "--runtime-dir", str(self.runtime)]
            ),
        }
        return Door("porch", DoorSettings(**(settings | more)))  # type: ignore[arg-type]

    def deploy_script(self, state: Path) -> Path:
        """The shipped script that sudo runs, at this door's places and as this user; its path has no odd letters."""
        text = (ROOT / "systemd/deploy.sh").read_text()
        for shipped, here in (
            ("/opt/voicelatch/.venv/bin/python -I", f"PYTHONPATH={ROOT} {sys.executable} -P"),
            ("/opt/voicelatch", str(self.folder)), ("/var/lib/voicelatch", str(state)),
            ("/etc/voicelatch/voicelatch.toml", str(self.config)),
            ("setpriv --reuid=voicelatch --regid=voicelatch --init-groups \\\n", ""),
        ):  # fmt: skip
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        path = self.folder / "deploy"
        path.write_text(text)
        path.chmod(0o755)
        return path

    def holds(self, parcel: Parcel) -> None:
        """The parcel is there already, so that a test need not wait for it to be copied."""
        shutil.copytree(parcel.path, self.models / parcel.folder)

    @property
    def current(self) -> str:
        return (self.models / "current").read_text().strip()

    def serves(self) -> str:
        """The digest of the bundle that the daemon says it serves; empty when it does not listen."""
        seen = look(self.runtime)
        return seen.status.digest if seen.status is not None and seen.listening else ""

    def folders(self) -> set[str]:
        return {each.name for each in self.models.iterdir() if each.is_dir()}
