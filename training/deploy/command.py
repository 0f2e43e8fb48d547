"""``python -m training deploy``: the command line, and the report of what happened at each door."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from training.deploy.deploy import Outcome, deploy_all
from training.deploy.door import Door
from training.deploy.inventory import DoorSettings, choose_doors, read_inventory
from training.deploy.parcel import Parcel, packed

# Options of the command line that go before what the inventory says, and the keys they set.
OVERRIDES = ("port", "identity", "options", "folder", "python", "reload_command", "health_seconds", "keep")
COLUMNS = ("door", "host", "result", "now", "seconds", "what happened")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``deploy`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = (
        "Copy a verified bundle to doors over ssh, verify it there, switch, reload, and go back where the daemon does "
        "not report it healthy."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "deploy",
        help=text,
        description=text,
        epilog="Example: python -m training deploy pi@door. Exit codes: 0 every door serves the bundle, 1 not every "
        "door, 65 unusable bundle, 73 cannot write, 78 wrong inventory or host.",
    )
    add_door_arguments(parser)
    parser.add_argument(
        "--bundle", type=Path, default=Path("models"), help="a bundle, or a models folder whose current one it is"
    )
    parser.add_argument("--reload-command", default=None, metavar="LINE", help="for the door's shell")
    parser.add_argument("--health-seconds", type=float, default=None, metavar="S", help="patience (default: 30)")
    parser.add_argument("--keep", type=int, default=None, metavar="N", help="bundles kept on a door (default: 3)")
    parser.add_argument("--parallel", type=int, default=4, metavar="N", help="doors at a time (default: 4)")
    parser.add_argument("--allow-downgrade", action="store_true",
                        help="the bundle may be older than the last one a door accepted")  # fmt: skip
    parser.add_argument("--without", action="append", default=[], metavar="NAME",
                        help="a resident whom the doors may forget; may be repeated")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only look at each door and say what would be done")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(action=_command)
    return parser


def add_door_arguments(parser: argparse.ArgumentParser) -> None:
    """Which doors, and the way to them: what :func:`doors_of` reads."""
    parser.add_argument("doors", nargs="*", metavar="DOOR", help="user@host, or a name of the inventory (default: all)")
    parser.add_argument("--inventory", type=Path, default=None, help="a TOML file with a table [doors.NAME] each")
    parser.add_argument("--port", type=int, default=None, help="of ssh (default: ssh's own configuration)")
    parser.add_argument("--identity", default=None, metavar="FILE", help="private key (default: ssh's own)")
    parser.add_argument(
        "--option", action="append", dest="options", default=None, metavar="NAME=VALUE", help="of ssh; may be repeated"
    )
    parser.add_argument("--folder", default=None, help="of Voicelatch on the door (default: /opt/voicelatch)")
    parser.add_argument("--python", default=None, help="on the door, below its folder (default: .venv/bin/python)")


def _command(arguments: argparse.Namespace) -> int:
    doors = doors_of(arguments)
    with packed(arguments.bundle) as parcel:
        outcomes = deploy_all(
            parcel, doors, dry_run=arguments.dry_run, parallel=arguments.parallel, older=arguments.allow_downgrade,
            without=arguments.without,
        )  # fmt: skip
    print(as_json(parcel, outcomes) if arguments.json else as_table(parcel, outcomes))
    return 0 if all(each.ok for each in outcomes) else 1


def doors_of(arguments: argparse.Namespace) -> list[Door]:
    """The doors that a command line means. Raises :class:`ConfigError` before any door is touched."""
    if getattr(arguments, "parallel", 1) < 1:
        raise ConfigError("out of range", where="--parallel", received=arguments.parallel, allowed="1 or more")
    inventory = read_inventory(arguments.inventory) if arguments.inventory is not None else None
    given = {key: value for key in OVERRIDES if (value := getattr(arguments, key, None)) is not None}
    if "options" in given:
        given["options"] = tuple(given["options"])
    doors: list[Door] = []
    places: dict[tuple[str, int, str], str] = {}
    for name, settings in choose_doors(arguments.doors, inventory).items():
        door = Door(name, replace(settings, **given))
        twin = places.setdefault(_place(door.settings), name)
        if twin != name:
            raise ConfigError("two names for one door", where=name, received=twin, next_step="leave one of them out")
        doors.append(door)
    return doors


def _place(settings: DoorSettings) -> tuple[str, int, str]:
    return settings.host.rpartition("@")[2], settings.port, settings.folder


def as_table(parcel: Parcel, outcomes: Sequence[Outcome]) -> str:
    """A line a door, in columns, below what was sent."""
    lines = [COLUMNS] + [
        (each.door, each.host, each.result.value, each.now or "?", f"{each.seconds:.1f}", each.text)
        for each in outcomes
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    good = sum(each.ok for each in outcomes)
    return "\n".join([f"bundle {parcel.folder}", "", *told, "", f"{len(outcomes)} doors, {good} as wished"])


def as_json(parcel: Parcel, outcomes: Sequence[Outcome]) -> str:
    """The same for programs."""
    told = {
        "bundle": parcel.name,
        "sequence": parcel.sequence,
        "digest": parcel.digest,
        "folder": parcel.folder,
        "ok": all(each.ok for each in outcomes),
        "doors": [{**asdict(each), "ok": each.ok} for each in outcomes],
    }
    return json.dumps(told, indent=1, ensure_ascii=False)
