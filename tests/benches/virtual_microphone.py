"""A microphone without hardware: a private PulseAudio whose null sink is the default input of a child process."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = """\
load-module module-native-protocol-unix socket={folder}/pulse.sock auth-anonymous=1
load-module module-null-sink sink_name=porch rate=16000 channels=1 format=s16le norewinds=1
set-default-sink porch
set-default-source porch.monitor
"""


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    for program in ("pulseaudio", "paplay"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: pulseaudio, pulseaudio-utils)"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA cannot reach PulseAudio (Debian: libasound2-plugins)"
    if not list(Path("/usr/lib").glob("*/libportaudio.so.2")):
        return "PortAudio is not installed (Debian: libportaudio2)"
    return None


@dataclass(frozen=True)
class VirtualMicrophone:
    """``environment`` for a process that records from it; ``play`` speaks a WAV file into it and waits for its end."""

    environment: dict[str, str]

    def play(self, path: Path) -> None:
        subprocess.run(["paplay", str(path)], env=self.environment, check=True, timeout=120)


@contextmanager
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A sound server for the duration of a test."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "server.pa").write_text(SERVER.format(folder=folder))
        environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": folder,
            "HOME": folder,
            "PULSE_SERVER": f"unix:{folder}/pulse.sock",
        }
        command = ["pulseaudio", "-n", "-F", f"{folder}/server.pa", "--daemonize=no", "--exit-idle-time=-1",
                   "--use-pid-file=no"]  # fmt: skip
        server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            pause = threading.Event()
            for _ in range(100):
                if (Path(folder) / "pulse.sock").exists():
                    break
                pause.wait(0.1)
            yield VirtualMicrophone(environment)
        finally:
            server.terminate()
            server.wait(10)
