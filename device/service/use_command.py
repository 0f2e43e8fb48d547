"""``voicelatch use NAME``: verify a bundle and make it the current one."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from device.service.config import read_config
from device.service.known_people import PeopleChange
from device.service.trust import DEFAULT_STATE, Trust, state_folder, trust_of
from device.service.verified import UNSIGNED, use_bundle
from device.service.where import DEFAULT_CONFIG

EXIT_CODES = "Exit codes: 0 done, 2 wrong command line, 65 unusable bundle, 73 cannot write, 78 wrong configuration."


def trust_for_use(config: Path | None, *, default: Path = DEFAULT_CONFIG) -> Trust:
    """What the door of this ``config`` demands, or of the installed one. In a checkout, or where this user may not read
    the configuration, only that the bundle is whole: the daemon decides when it reloads."""
    if config is None and not os.access(default, os.R_OK):
        return UNSIGNED
    return trust_of(read_config(config or default).model)


def add_parser(commands: Any) -> None:
    """Add the command ``use`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Verify a bundle and make it the current one."
    example = "python -m device use household --models models"
    parser: argparse.ArgumentParser = commands.add_parser(
        "use", help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}"
    )
    parser.add_argument("name", help="the bundle's folder below --models")
    parser.add_argument("--models", type=Path, required=True, help="the models folder")
    parser.add_argument("--config", type=Path, default=None,
                        help=f"demand what its [model] trusts (default: {DEFAULT_CONFIG}, where it is)")  # fmt: skip
    parser.add_argument("--allow-downgrade", action="store_true",
                        help="note in the daemon's state that it may be older than the last accepted one")  # fmt: skip
    parser.add_argument("--state-dir", type=Path, default=None, help="the daemon's state (default: systemd's)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(action=_command)


def _command(arguments: argparse.Namespace) -> int:
    state = state_folder(arguments.state_dir)
    used = use_bundle(arguments.models, arguments.name, trust=replace(trust_for_use(arguments.config), state=state),
                      downgrade_in=(state or DEFAULT_STATE) if arguments.allow_downgrade else None)  # fmt: skip
    if arguments.json:
        change = ("no_longer_known", "newly_known")
        print(json.dumps({key: value for key, value in asdict(used).items() if value or key not in change}))
    else:
        note = " It may be older than the last accepted one." if arguments.allow_downgrade else ""
        before = used.previous or "none"
        print(f"{used.current} is current; before: {before}.{note} Reload the daemon to take it up.")
        if used.no_longer_known or used.newly_known:
            print(PeopleChange(used.no_longer_known, used.newly_known))
    return 0
