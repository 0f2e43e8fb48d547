"""``python -m training pull``: the command line, and what is said of each person."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.errors import ConfigError, DataError, VoicelatchError
from device.service.trust import DEFAULT_STATE
from training.deploy.command import add_door_arguments, doors_of
from training.deploy.door import Door
from training.deploy.pull import NEXT_STEP, Plan, Pulled, by_person, fetch, list_door, plan
from training.deploy.remote import DoorError, UnreachableError

DEFAULT_INTO = Path("recordings/household")
NEXT = "next: python -m training run training/recipes/household.toml"


def pull(door: Door, into: Path, *, state: str, dry_run: bool = False) -> Pulled:
    """Everything new of one door. What fails there is told, not raised, and so is what had arrived before."""
    wanted, came = Plan({}, 0, ()), dict[str, float]()
    problem = ""
    try:
        wanted = plan(list_door(door, state), into)
        if dry_run:
            came = dict.fromkeys(wanted.new, 0.0)
        else:
            for place, seconds in fetch(door, wanted, into, state):
                came[place] = seconds
    except VoicelatchError as error:
        refused_there = isinstance(error, DoorError) and not isinstance(error, UnreachableError)
        step = error.next_step or (NEXT_STEP if refused_there else "")
        problem = " ".join(f"{error.what}: {error.received} {f'(next: {step})' if step else ''}".split())
    return Pulled(door=door.name, arrived=by_person(wanted.new, came), here=wanted.here, refused=wanted.refused,
                  problem=problem)  # fmt: skip


def as_text(told: Pulled, *, dry_run: bool) -> list[str]:
    """One door's lines."""
    lines = []
    would = "would come" if dry_run else "new"
    for each in told.arrived:
        amount = "" if dry_run else f", {each.seconds:.0f} s of {'background' if each.whose == 'noise' else 'speech'}"
        lines.append(f"{told.door}: {each.whose}: {each.files} {would}{amount} ({', '.join(each.sessions)})")
    if not told.problem and not told.arrived:
        lines.append(f"{told.door}: nothing new")
    if told.here:
        lines.append(f"{told.door}: {told.here} were here already")
    lines += [f"{told.door}: REFUSED {each}" for each in told.refused]
    return [*lines, f"{told.door}: {told.problem}"] if told.problem else lines


def _command(arguments: argparse.Namespace) -> int:
    into: Path = arguments.into
    if into.exists() and not into.is_dir():
        raise DataError("not a folder", where=str(into), next_step="give a folder with --into")
    doors = doors_of(arguments)
    if arguments.state_dir is not None and any(each.settings.privileged_command for each in doors):
        raise ConfigError("the door itself knows where its state is", where="--state-dir",
                          received=arguments.state_dir, allowed="only with privileged_command = \"\" in the inventory",
                          next_step="leave it away")  # fmt: skip
    state = arguments.state_dir or str(DEFAULT_STATE)
    # One after another: two doors may bring files of one name.
    told = [pull(door, into, state=state, dry_run=arguments.dry_run) for door in doors]
    print(as_json(told, into) if arguments.json else "\n".join(_lines(told, into, dry_run=arguments.dry_run)))
    return 0 if all(each.ok for each in told) else 1


def _lines(told: Sequence[Pulled], into: Path, *, dry_run: bool) -> list[str]:
    lines = [line for each in told for line in as_text(each, dry_run=dry_run)]
    return lines if dry_run or not any(each.arrived for each in told) else [*lines, f"in {into}; {NEXT}"]


def as_json(told: Sequence[Pulled], into: Path) -> str:
    """The same for programs."""
    doors = [{**asdict(each), "ok": each.ok} for each in told]
    return json.dumps(
        {"into": str(into), "ok": all(each.ok for each in told), "doors": doors}, indent=1, ensure_ascii=False
    )


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``pull`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = (
        "Fetch recordings and reviewed clips from doors over ssh. What is here is never deleted or overwritten; what "
        "is new is told per person."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "pull", help=text, description=text,
        epilog="Example: python -m training pull pi@door. Exit codes: 0 done, 1 not from every door, 66 not a folder, "
        "78 wrong inventory or host.",
    )  # fmt: skip
    add_door_arguments(parser)
    parser.add_argument("--into", type=Path, default=DEFAULT_INTO,
                        help=f"the folder of recordings (default: {DEFAULT_INTO})")  # fmt: skip
    parser.add_argument("--state-dir", default=None, metavar="DIR",
                        help=f"the daemon's state directory, on a door with privileged_command = \"\" "
                        f"(default: {DEFAULT_STATE})")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would come")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(action=_command)
    return parser
