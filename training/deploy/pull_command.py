"""``python -m training pull``: the command line, and what is said of each person."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.errors import DataError, VoicelatchError
from device.service.trust import DEFAULT_STATE
from training.deploy.command import add_door_arguments, doors_of
from training.deploy.door import Door
from training.deploy.pull import NEXT_STEP, Pulled, arrived, fetch, list_door, plan
from training.deploy.remote import DoorError, UnreachableError

DEFAULT_INTO = Path("recordings/household")
NEXT = "next: python -m training run training/recipes/household.toml"


def pull(door: Door, into: Path, *, state: str, dry_run: bool = False) -> Pulled:
    """Everything new of one door. What fails there is told, not raised."""
    try:
        wanted = plan(list_door(door, state), into)
        came = arrived(wanted, {}) if dry_run else fetch(door, wanted, into, state)
    except VoicelatchError as error:
        refused_there = isinstance(error, DoorError) and not isinstance(error, UnreachableError)
        step = error.next_step or (NEXT_STEP if refused_there else "")
        told = f"{error.what}: {error.received}" + (f" (next: {step})" if step else "")
        return Pulled(door=door.name, problem=" ".join(told.split()))
    return Pulled(door=door.name, arrived=came, here=wanted.here, refused=wanted.refused)


def as_text(told: Pulled, *, dry_run: bool) -> list[str]:
    """One door's lines."""
    lines = [f"{told.door}: {told.problem}"] if told.problem else []
    would = "would come" if dry_run else "new"
    for each in told.arrived:
        amount = "" if dry_run else f", {each.seconds:.0f} s of {'background' if each.whose == 'noise' else 'speech'}"
        lines.append(f"{told.door}: {each.whose}: {each.files} {would}{amount} ({', '.join(each.sessions)})")
    if not told.problem and not told.arrived:
        lines.append(f"{told.door}: nothing new")
    if told.here:
        lines.append(f"{told.door}: {told.here} were here already")
    return lines + [f"{told.door}: REFUSED {each}" for each in told.refused]


def _command(arguments: argparse.Namespace) -> int:
    into: Path = arguments.into
    if into.exists() and not into.is_dir():
        raise DataError("not a folder", where=str(into), next_step="give a folder with --into")
    doors = doors_of(arguments)
    # One after another: two doors may bring files of one name.
    told = [pull(door, into, state=arguments.state_dir, dry_run=arguments.dry_run) for door in doors]
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
    parser.add_argument("--state-dir", default=str(DEFAULT_STATE), metavar="DIR",
                        help=f"the daemon's state directory on the door (default: {DEFAULT_STATE})")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would come")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(action=_command)
    return parser
