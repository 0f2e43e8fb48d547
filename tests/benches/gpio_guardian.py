"""A guardian as a process of its own on a pin that is a file (``gpio_file_pin``), with a systemd to tell things to."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

LONG_SECONDS = 20.0


@dataclass(frozen=True)
class Change:
    """A change of the pin: when (monotonic seconds), and to what."""

    at_seconds: float
    on: bool


def second_process(guardian: int) -> int:
    """The process that ends a pulse where the guardian cannot."""
    (pid,) = Path(f"/proc/{guardian}/task/{guardian}/children").read_text().split()
    return int(pid)


class GuardianProcess:
    """Made in ``folder``; ``settings`` are lines for [relay]. ``user`` is who may ask (default: this process's)."""

    def __init__(self, folder: Path, *, settings: str = "", user: str = "") -> None:
        self.folder, self.user = folder, user or str(os.getuid())
        self.socket, self.config = folder / "relay.sock", folder / "voicelatch.toml"
        self.configure(17, settings)
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(folder / "notify"))
        self._systemd.settimeout(LONG_SECONDS)
        self.process: subprocess.Popen[str] | None = None
        self.second = 0

    def configure(self, pin: int, settings: str = "") -> None:
        usual = "" if "min_gap_seconds" in settings else "min_gap_seconds = 0.0\n"
        self.config.write_text(f'[relay]\npin = {pin}\nguardian = "{self.socket}"\n{usual}{settings}\n')

    def start(self, *, wait: bool = True) -> GuardianProcess:
        self.process = self._call("run", "--user", self.user)
        while wait and self.told() != "READY=1":
            pass
        if wait:
            self.second = second_process(self.process.pid)
        return self

    def told(self) -> str:
        """The next message for systemd."""
        return self._systemd.recv(256).decode()

    def hears(self, *, within_seconds: float) -> bool:
        """Whether systemd hears anything from it in that time."""
        return bool(select.select([self._systemd], [], [], within_seconds)[0]) and self.told() != ""

    def kill(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ends(self) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None
        return self.process.wait(LONG_SECONDS)

    def said(self) -> str:
        """All it logged; to be called after its end."""
        assert self.process is not None
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def off(self) -> int:
        """What systemd runs after a death; its exit code."""
        return self._call("off").wait(LONG_SECONDS)

    def trace(self, pin: int = 17) -> list[Change]:
        path = self.folder / f"pin{pin}.trace"
        lines = path.read_text().splitlines() if path.exists() else []
        return [Change(float(line.split()[0]), line.split()[1] == "on") for line in lines]

    @property
    def is_on(self) -> bool:
        return self.trace()[-1].on

    def pulses(self) -> list[float]:
        """How long the pin was on, each time; it must be off now."""
        changes = self.trace()
        assert not changes[0].on
        assert not changes[-1].on
        return [off.at_seconds - on.at_seconds for on, off in zip(changes[1::2], changes[2::2], strict=True)]

    def until(self, on: bool) -> None:
        """Wait until the pin is ``on``, or off."""
        end = time.monotonic() + LONG_SECONDS
        while self.is_on != on:
            assert time.monotonic() < end, f"the pin is not {'on' if on else 'off'}"
            time.sleep(0.005)

    def ask(self, *lines: bytes) -> socket.socket:
        """A connection of this process, with ``lines`` sent."""
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(LONG_SECONDS)
        line.connect(str(self.socket))
        if lines:
            line.sendall(b"".join(lines))
        return line

    def answer(self, *lines: bytes) -> bytes:
        """Everything that is answered to ``lines`` until the guardian hangs up."""
        with self.ask(*lines) as line:
            heard = b""
            while more := line.recv(256):
                heard += more
            return heard

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            if self.second:
                with suppress(ProcessLookupError):
                    os.kill(self.second, signal.SIGKILL)
            self.process.communicate(timeout=LONG_SECONDS)
        self._systemd.close()

    def _call(self, command: str, *more: str) -> subprocess.Popen[str]:
        program = [sys.executable, "-m", "tests.benches.gpio_file_pin", str(self.folder), command]
        environment = os.environ | {"NOTIFY_SOCKET": str(self.folder / "notify"), "RUNTIME_DIRECTORY": str(self.folder)}
        return subprocess.Popen([*program, "--config", str(self.config), *more], cwd=ROOT, env=environment, text=True,
                                stderr=subprocess.PIPE)  # fmt: skip


@contextmanager
def guardian(folder: Path, *, settings: str = "", user: str = "") -> Iterator[GuardianProcess]:
    """A guardian that is ready, and is gone afterwards."""
    made = GuardianProcess(folder, settings=settings, user=user)
    try:
        yield made.start()
    finally:
        made.close()
