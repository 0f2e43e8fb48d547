"""``voicelatch events list | verify | why``: what happened at the door, whether the log is whole, and why."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from device.errors import ConfigError, DataError
from device.service.audit import read_head, verify
from device.service.config import read_config
from device.service.explain import Told, explain, find_decision
from device.service.log_files import LogFiles, lines_of
from device.service.where import events_path, state_or_default

EXIT_CODES = (
    "Exit codes: 0 done, 1 verify found a problem, 2 wrong command line, 66 no such log or event, 73 cannot read, "
    "78 wrong configuration or time."
)
FOLLOW_SECONDS = 0.5
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_since(text: str, now: datetime) -> datetime:
    """``2h``, ``30m``, ``7d`` ago, or an ISO date or time (the door's time zone where none is given)."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match:
        return now - timedelta(seconds=int(match[1]) * UNITS[match[2]])
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            "not a time", where="--since", received=text, allowed="such as 2h, 30m, 7d, 2026-11-20, 2026-11-20T18:30"
        ) from error
    return told if told.tzinfo is not None else told.replace(tzinfo=now.tzinfo)


def parse(text: str) -> Told | None:
    """A line as an event, None for one that is none (``verify`` says so; a list goes on)."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def is_wanted(told: Told, kinds: list[str], since: datetime | None) -> bool:
    """Whether the event is of one of ``kinds`` (none: any) and not from before ``since``."""
    if kinds and told.get("kind") not in kinds:
        return False
    if since is None:
        return True
    try:
        at = datetime.fromisoformat(str(told.get("time")))
        return at >= since
    except (ValueError, TypeError):
        return False


def in_a_line(told: Told) -> str:
    """The event for a person: number, time, kind, and what matters most."""
    shown = " ".join(
        f"{key}={told[key]}"
        for key in ("outcome", "resident", "evidence", "reason", "open_seconds", "lost_seconds", "count")
        if key in told
    )
    return f"{told.get('n', '?'):>6}  {str(told.get('time', ''))[:19]}  {told.get('kind', '?')!s:22s} {shown}"


def follow(files: LogFiles, seen: int, *, sleep: Callable[[float], None]) -> Iterator[str]:
    """Lines after number ``seen``, as they come, also into a new file; for ever."""
    while True:
        for _, lines in files.read():
            for text in lines:
                n = (parse(text) or {}).get("n", 0)
                if isinstance(n, int) and n > seen:
                    seen = n
                    yield text
        sleep(FOLLOW_SECONDS)


def _files(arguments: argparse.Namespace) -> LogFiles:
    config = read_config(arguments.config)
    files = LogFiles(events_path(config.events, state_or_default(arguments.state_dir)))
    if not files.present() and not files.head.exists():
        raise DataError(
            "there is no event log here",
            where=str(files.path),
            next_step="without [events] path and outside systemd, events go to standard output alone",
        )
    return files


def _list(arguments: argparse.Namespace) -> int:
    files, now = _files(arguments), datetime.now().astimezone()
    since = parse_since(arguments.since, now) if arguments.since else None
    seen = 0
    for _, lines in files.read():
        for text in lines:
            seen = max(seen, _show(text, arguments, since))
    if arguments.follow:
        try:
            for text in follow(files, seen, sleep=time.sleep):
                _show(text, arguments, since)
        except KeyboardInterrupt:
            return 0
    return 0


def _show(text: str, arguments: argparse.Namespace, since: datetime | None) -> int:
    told = parse(text)
    if told is not None and is_wanted(told, arguments.kind, since):
        print(text if arguments.json else in_a_line(told), flush=True)
    n = (told or {}).get("n", 0)
    return n if isinstance(n, int) else 0


def _verify(arguments: argparse.Namespace) -> int:
    files = _files(arguments)
    # The head first: a daemon that writes meanwhile can only put the log ahead of it.
    head = read_head(files.head)
    verdict = verify([(path, lines_of(path.read_bytes())) for path in files.present()], head, head_path=files.head)
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
    files = _files(arguments)
    events = [told for _, lines in files.read() for told in map(parse, lines) if told is not None]
    told = find_decision(events, arguments.id)
    if told is None:
        numbers = [each["n"] for each in events if isinstance(each.get("n"), int)]
        raise DataError(
            "there is no event of this number",
            where=str(files.path),
            received=arguments.id,
            allowed=f"{min(numbers)} to {max(numbers)}" if numbers else "none: the log is empty",
            next_step="look for the number in `events list`",
        )
    print(json.dumps(told, ensure_ascii=False) if arguments.json else explain(told))
    return 0


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``events`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "What happened at the door: list events, verify that the log is whole, say why the door opened or did not."
    example = "python -m device events why 57 --config /etc/voicelatch/voicelatch.toml"
    parser: argparse.ArgumentParser = commands.add_parser(
        "events",
        help=text,
        description=text,
        epilog=f"Example: {example}. {EXIT_CODES}",
    )
    what = parser.add_subparsers(dest="what", required=True)
    for name, action, told in (
        ("list", _list, "Events, oldest first."),
        ("verify", _verify, "Follow the chain of hashes; name every line that was altered, removed or moved."),
        ("why", _why, "One decision in words, by the number of its event or of what followed from it."),
    ):
        made = what.add_parser(name, help=told, description=told)
        made.add_argument("--config", type=Path, required=True, help="the daemon's configuration")
        made.add_argument("--state-dir", type=Path, default=None,
                          help="the daemon's state directory (default: systemd's)")  # fmt: skip
        made.add_argument("--json", action="store_true", help="print JSON")
        made.set_defaults(action=action)
        if name == "list":
            made.add_argument("--follow", action="store_true", help="go on with those to come, until Ctrl-C")
            made.add_argument("--kind", action="append", default=[], help="only these (may be repeated)")
            made.add_argument("--since", default="", help="2h, 30m, 7d, or an ISO date or time")
        if name == "why":
            made.add_argument("id", type=int, help="the event's number")
    return parser
