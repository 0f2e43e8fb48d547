"""``voicelatch events``: what happened at the door, as it happens and for other programs; whether all is there; why."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from device.errors import DataError, StateError
from device.names import normalise
from device.ownership import become_owner_of
from device.service.config import read_config
from device.service.event_reader import EVERYTHING, EventReader, StoredEvent, Wanted
from device.service.event_views import as_csv, as_json, in_a_line, parse_time
from device.service.explain import explain, find_decision
from device.service.review_command import add_parser as add_review
from device.service.where import DEFAULT_CONFIG, events_path, state_or_default
from device.settings import LARGEST
from device.terminal.output import check_reader
from device.verdict.values import Outcome

EXIT_CODES = (
    "Exit codes: 0 done, 1 verify found a problem, 2 wrong command line, 66 no such log or event, 73 cannot read, "
    "78 wrong configuration or time."
)
FOLLOW_SECONDS = 0.5


def follow(
    reader: EventReader, seen: int, wanted: Wanted = EVERYTHING, *, sleep: Callable[[float], None]
) -> Iterator[StoredEvent]:
    """Events after number ``seen``, as they come, also in a log that is begun anew; for ever."""
    while True:
        try:
            # In a log that is begun anew, numbers begin anew.
            seen = seen if reader.span()[1] >= seen else 0
            found = reader.after(seen, wanted)
        except DataError:
            found = []
        for event in found:
            seen = event.n
            yield event
        if not found:
            sleep(FOLLOW_SECONDS)


def _reader(arguments: argparse.Namespace) -> EventReader:
    config = read_config(arguments.config)
    path = events_path(config.events, state_or_default(arguments.state_dir))
    become_owner_of(path.parent)
    return EventReader(path)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    now = datetime.now().astimezone()
    return Wanted(
        kinds=tuple(arguments.kind), person=normalise(arguments.person), outcome=arguments.outcome,
        since=parse_time(arguments.since, now) if arguments.since else None,
        until=parse_time(arguments.until, now, where="--until") if arguments.until else None,
    )  # fmt: skip


def _chosen(reader: EventReader, arguments: argparse.Namespace) -> Iterator[StoredEvent]:
    wanted = _wanted(arguments)
    return iter(reader.latest(arguments.last, wanted)) if arguments.last is not None else reader.all(wanted)


def _list(arguments: argparse.Namespace) -> int:
    with _reader(arguments) as reader:
        shown, seen = 0, reader.span()[1]
        for event in _chosen(reader, arguments):
            shown, seen = shown + 1, max(seen, event.n)
            _show(event, arguments)
        if not (shown or arguments.json or arguments.follow):
            # A misspelt filter must not pass for a quiet week.
            print(f"no such event; {reader.files.path} ends at {reader.span()[1]}", file=sys.stderr)
        return _go_on(reader, seen, arguments) if arguments.follow else 0


def _follow(arguments: argparse.Namespace) -> int:
    with _reader(arguments) as reader:
        seen = reader.span()[1]
        for event in reader.latest(arguments.last if arguments.last is not None else 10, _wanted(arguments)):
            _show(event, arguments)
        return _go_on(reader, seen, arguments)


def _go_on(reader: EventReader, seen: int, arguments: argparse.Namespace) -> int:
    try:
        for event in follow(reader, seen, _wanted(arguments), sleep=_wait):
            _show(event, arguments)
    except KeyboardInterrupt:
        return 0
    return 0


def _wait(seconds: float) -> None:
    check_reader()
    time.sleep(seconds)


def _show(event: StoredEvent, arguments: argparse.Namespace) -> None:
    print(event.text if arguments.json else in_a_line(event.told), flush=True)


def _export(arguments: argparse.Namespace) -> int:
    with _reader(arguments) as reader:
        events = list(_chosen(reader, arguments))
    path: Path = arguments.csv or arguments.json
    content = as_csv(events) if arguments.csv else as_json(events)
    if str(path) == "-":
        sys.stdout.write(content)
        return 0
    fresh = path.with_name(f".{path.name}.new")
    try:
        # It names people: for its owner alone.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(content)
        os.replace(fresh, path)
    except OSError as error:
        raise StateError(
            "cannot be written", where=str(path), received=error,
            next_step="it is written as the log's own user; `-` in place of the file, and `> FILE`, writes it as yours",
        ) from error  # fmt: skip
    print(f"{len(events)} events written to {path}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    with _reader(arguments) as reader:
        reader.span()
        verdict = reader.verdict()
    if arguments.json:
        print(json.dumps({
            "whole": not verdict.problems,
            "lines": verdict.lines,
            "last_n": verdict.last.n if verdict.last else 0,
            "last_hash": verdict.last.hash if verdict.last else "",
            "problems": [{"file": str(each.path), "line": each.line, "what": each.what} for each in verdict.problems],
            "notes": [{"file": str(each.path), "line": each.line, "what": each.what} for each in verdict.notes],
        }, indent=1))  # fmt: skip
        return 1 if verdict.problems else 0
    for place in verdict.notes:
        print(f"note: {place}")
    for place in verdict.problems:
        print(f"PROBLEM: {place}", file=sys.stderr)
    if verdict.problems:
        return 1
    ended = f"{verdict.last.n}, {verdict.last.hash}" if verdict.last else "nothing"
    print(f"whole: {verdict.lines} lines, the last is {ended}")
    return 0


def _why(arguments: argparse.Namespace) -> int:
    with _reader(arguments) as reader:
        first, last = reader.span()
        # What followed from a decision stands after it, and before the next one.
        before = reader.latest(1, Wanted(kinds=("decision",)), through=arguments.id)
        asked = reader.get(arguments.id)
    told = find_decision([each.told for each in (*before, *([asked] if asked else []))], arguments.id)
    if told is None:
        raise DataError(
            "there is no event of this number",
            where=str(reader.files.path),
            received=arguments.id,
            allowed=f"{first} to {last}" if last else "none: the log is empty",
            next_step="look for the number in `events list`",
        )
    print(json.dumps(told, ensure_ascii=False) if arguments.json else explain(told))
    return 0


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``events`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "What happened at the door: list, follow, export; verify that the log is whole; say why; review kept clips."
    parser: argparse.ArgumentParser = commands.add_parser(
        "events",
        help=text,
        description=text,
        epilog=f"Example: python -m device events why 57. {EXIT_CODES}",
    )
    what = parser.add_subparsers(dest="what", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], int], told: str, example: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = what.add_parser(
            name, help=told, description=told, epilog=f"Example: python -m device events {example}"
        )
        made.add_argument("--config", type=Path, default=DEFAULT_CONFIG,
                          help=f"the daemon's configuration (default: {DEFAULT_CONFIG})")  # fmt: skip
        made.add_argument("--state-dir", type=Path, default=None,
                          help="the daemon's state directory (default: systemd's)")  # fmt: skip
        made.set_defaults(action=action)
        return made

    lister = add("list", _list, "Events, oldest first.", "list --outcome open --since 7d")
    lister.add_argument("--follow", action="store_true", help="go on with those to come, until Ctrl-C")
    follower = add("follow", _follow, "The last ten events, and those to come as they happen, until Ctrl-C.",
                   "follow --kind decision")  # fmt: skip
    exporter = add("export", _export, "Events into a file for other programs.", "export --csv door.csv --since 30d")
    into = exporter.add_mutually_exclusive_group(required=True)
    into.add_argument("--csv", type=Path, metavar="FILE", help="for a spreadsheet; - for standard output")
    into.add_argument("--json", type=Path, metavar="FILE", help="a JSON list; - for standard output")
    verifier = add("verify", _verify, "Follow the chain of hashes; name every line that was altered, removed or moved.",
                   "verify")  # fmt: skip
    why = add("why", _why, "One decision in words, by the number of its event or of what followed from it.", "why 57")
    why.add_argument("id", type=_count, help="the event's number")
    add_review(add)
    for made in (lister, follower, exporter):
        _add_filters(made)
    for made in (lister, follower, verifier, why):
        made.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_filters(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--kind", action="append", default=[], help="only these, such as decision, relay_on or gap (may be repeated)"
    )
    made.add_argument("--person", default="", help="only those about this resident, as the nearest voice")
    outcomes = [each.value for each in Outcome]
    made.add_argument("--outcome", default="", choices=outcomes, metavar="OUTCOME",
                      help=f"only decisions that ended so: {', '.join(outcomes)}")  # fmt: skip
    made.add_argument("--since", default="", help="2h, 30m, 7d, or an ISO date or time")
    made.add_argument("--until", default="", help="the same")
    made.add_argument("--last", type=_count, default=None, metavar="N", help="only the last N of them")


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= LARGEST:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return count
