"""``voicelatch gateway``: the process with a network, which reads the door's live feed and passes it on."""

from __future__ import annotations

import argparse
import importlib.metadata
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from device.gateway.hub import DoorLine, Hub
from device.gateway.outlets import make_outlets
from device.live.requests import MOST_RECENT
from device.service.config import read_config
from device.service.status import DEFAULT_FOLDER
from device.service.where import live_socket

EXAMPLE = "python -m device gateway --config /etc/voicelatch/voicelatch.toml"
EXIT_CODES = (
    "Exit codes: 0 stopped, 2 wrong command line, 69 a library is missing, 70 a defect, 78 wrong configuration."
)
ABOUT = "Pass the door's live feed on: MQTT and metrics, as the configuration asks. A process of its own."


def add_parser(commands: Any) -> None:
    """Add ``gateway`` to the commands."""
    made: argparse.ArgumentParser = commands.add_parser(
        "gateway", help=ABOUT, description=ABOUT, epilog=f"Example: {EXAMPLE}. {EXIT_CODES}"
    )
    made.add_argument("--config", type=Path, required=True, help="the daemon's TOML file; see systemd/voicelatch.toml")
    made.add_argument("--runtime-dir", type=Path, default=DEFAULT_FOLDER,
                      help=f"the daemon's runtime folder (default: {DEFAULT_FOLDER})")  # fmt: skip
    made.set_defaults(action=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from device.hardware.clock import SystemClock
    from device.hardware.supervisor import SystemdSupervisor

    config = read_config(arguments.config, needs=("mqtt", "metrics"))
    clock, supervisor = SystemClock(), SystemdSupervisor.from_environment()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    socket = live_socket(arguments.runtime_dir)
    outlets = make_outlets(config.mqtt, config.metrics, line=DoorLine(socket) if config.remote.open else None,
                           clock=clock, version=_version())  # fmt: skip
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    hub = Hub(socket, outlets, clock=clock, recent=MOST_RECENT)
    try:
        supervisor.ready()
        hub.run(stopping.is_set, supervisor.alive)
    finally:
        supervisor.stopping()
        hub.close()
    return 0


def _version() -> str:
    try:
        return importlib.metadata.version("voicelatch")
    except importlib.metadata.PackageNotFoundError:
        # Run from a folder, as on the Pi.
        return "unpackaged"
