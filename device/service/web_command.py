"""``voicelatch web serve | password``: the page for browsers in the house, and the password that it wants."""

from __future__ import annotations

import argparse
import getpass
import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from device.errors import ConfigError
from device.gateway.hub import Hub
from device.ownership import become_owner_of
from device.service.config import Config, read_config
from device.service.ears import config_path
from device.service.status import DEFAULT_FOLDER
from device.service.trust import state_folder
from device.service.where import PAGE_STATE, live_socket
from device.web.password import NAME, SHORTEST, hash_password, write_password
from device.web.settings import WebConfig

ABOUT = "The page for browsers in the house: live levels, events and why, kept clips, recording, health."
EXIT_CODES = (
    "Exit codes: 0 done, 2 wrong command line, 69 a library is missing, 70 a defect, 73 the address is taken or the "
    "password cannot be written, 78 wrong configuration or no password."
)
_PASSWORD = f"Set the page's password ({SHORTEST} characters or more); what was logged in before is logged out."
_SERVE_EXAMPLE = "python -m device web serve --config /etc/voicelatch/voicelatch.toml"
_SERVE = "Serve the page until stopped (voicelatch-web.service does)."


def add_parser(commands: Any) -> None:
    """Add ``web`` to the commands."""
    example = "python -m device web password"
    made: argparse.ArgumentParser = commands.add_parser(
        "web", help=ABOUT, description=ABOUT, epilog=f"Example: {example}. {EXIT_CODES}"
    )
    what = made.add_subparsers(dest="what", required=True)
    serve = what.add_parser("serve", help=_SERVE, description=_SERVE, epilog=f"Example: {_SERVE_EXAMPLE}")
    serve.add_argument("--config", type=Path, required=True, help="the daemon's TOML file; see systemd/voicelatch.toml")
    serve.add_argument("--runtime-dir", type=Path, default=DEFAULT_FOLDER,
                       help=f"the daemon's runtime folder (default: {DEFAULT_FOLDER})")  # fmt: skip
    serve.set_defaults(action=_serve)
    password = what.add_parser("password", help=_PASSWORD, description=_PASSWORD, epilog=f"Example: {example}")
    password.add_argument("--config", type=Path, default=None, help="where [web] password_file may be named")
    password.add_argument("--stdin", action="store_true", help="take the first line of standard input, ask nothing")
    password.set_defaults(action=_password)
    for each in (serve, password):
        each.add_argument("--state-dir", type=Path, default=None,
                          help=f"the page's own state directory (default: systemd's, else {PAGE_STATE})")  # fmt: skip


def _serve(arguments: argparse.Namespace) -> int:
    from device.hardware.clock import SystemClock
    from device.hardware.supervisor import SystemdSupervisor
    from device.web.outlet import WebOutlet

    config = read_config(arguments.config, needs=("web",))
    clock, supervisor = SystemClock(), SystemdSupervisor.from_environment()
    if not config.web.enabled:
        raise ConfigError("the page is switched off", where="web.enabled", received=False, allowed="true",
                          next_step=f"set it in {arguments.config}")  # fmt: skip
    # Every page that is asked for is not a matter for the journal.
    logging.getLogger("cheroot").setLevel(logging.WARNING)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    state, socket = _state(arguments), live_socket(arguments.runtime_dir)
    page = WebOutlet(config, socket=socket, state=state, runtime=arguments.runtime_dir, clock=clock)
    hub = Hub(socket, [page], clock=clock)
    try:
        supervisor.ready()
        hub.run(stopping.is_set, supervisor.alive)
    finally:
        supervisor.stopping()
        hub.close()
    return 0


def _password(arguments: argparse.Namespace) -> int:
    path = config_path(arguments)
    config: Config | None = read_config(path, needs=("web",)) if path is not None else None
    where = password_path(config.web if config is not None else WebConfig(), _state(arguments))
    become_owner_of(where.parent)
    if arguments.stdin:
        asked = sys.stdin.readline().rstrip("\n")
    else:
        try:
            asked, again = getpass.getpass("New password for the page: "), getpass.getpass("The same again: ")
        except EOFError as error:
            raise ConfigError("nobody is there to ask", where="web password",
                              next_step="run it in a terminal, or hand the password to --stdin") from error  # fmt: skip
        if asked != again:
            raise ConfigError("the two were not the same", where="web password", next_step="try again")
    write_password(where, hash_password(asked))
    print(f"The password is set ({where}).")
    return 0


def _state(arguments: argparse.Namespace) -> Path:
    return state_folder(arguments.state_dir) or PAGE_STATE


def password_path(config: WebConfig, state: Path) -> Path:
    """Where the page's password is."""
    return Path(config.password_file) if config.password_file else state / NAME
