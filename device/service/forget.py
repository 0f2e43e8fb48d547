"""``voicelatch forget PERSON``: remove what the door keeps of somebody, and say what it cannot remove.

Kept clips and recordings are deleted, and so is the replay memory's file, since prints carry no names. In the event log
a pseudonym that is written down nowhere else takes the place of the name. A chain of hashes does not allow that in
silence, and should not: the log is chained anew, and a last line ``forgotten`` gives reason and pseudonym, how many
lines changed, and where and with which hash the old chain ended. ``events verify`` accepts the new chain and points at
that line. What it found wrong with the old chain is written into that line too, and goes on being a problem.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from device.errors import StateError, VoicelatchError
from device.names import person_name, same_name, spellings
from device.ownership import become_owner_of
from device.service.audit import FORGOTTEN, Head, forge, read_head, read_link, verify, write_head
from device.service.config import Config, read_config
from device.service.event_table import FAILURES, EventTable, Row, row_of
from device.service.known_people import NAME as KNOWN_FILE
from device.service.log_files import LogFiles
from device.service.older_bundles import bundles_that_know, offer_to_remove, remove_bundles, say_what_remains
from device.service.privacy import files_of, remove, safe
from device.service.replay import NAME as REPLAY_FILE
from device.service.where import DEFAULT_CONFIG, enter_state, events_path
from device.terminal.bars import printable
from device.verdict.bundle import load_bundle, resolve_current

# The fields of events in which people are named: as a whole, within a text, as keys, or in lists.
WHOLE, TEXTS, KEYED = ("resident", "person"), ("reason", "kept_clip", "received", "by"), ("scores", "cosines")
LISTED = ("no_longer_known", "newly_known", "residents_before", "residents")
EXIT_CODES = "Exit codes: 0 done, 2 wrong command line, 66 not a name, 73 cannot remove, 78 wrong configuration."
REASON = "somebody asked to be forgotten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """``files`` removed, event ``lines`` changed, the ``pseudonym`` that stands there now, and what ``remains``."""

    files: tuple[str, ...]
    lines: int
    pseudonym: str
    remains: tuple[str, ...]


def forget_person(
    person: str, config: Config, *, state: Path, events: Path, now: datetime, at_seconds: float = 0.0
) -> Forgotten:
    """Remove what belongs to ``person``; ``at_seconds`` is the monotonic clock.

    May run while the daemon does. Raises :class:`~device.errors.DataError` for something that is no name,
    :class:`StateError` when something cannot be removed; what was removed before stays removed.
    """
    person = person_name(person)
    removed = files_of(state, person)
    replay = state / REPLAY_FILE
    removed += [each for each in (replay, state / KNOWN_FILE) if each.exists()]
    pseudonym = f"person-{secrets.token_hex(4)}"
    try:
        for path in removed:
            remove(path)
        lines = forget_in_log(LogFiles(events), person, pseudonym, now=now, at_seconds=at_seconds)
    except (OSError, *FAILURES) as error:
        raise StateError(
            "not everything could be removed",
            where=str(getattr(error, "filename", None) or state),
            received=error,
            next_step="run as the daemon's user or as root, then again",
        ) from error
    return Forgotten(
        files=tuple(str(path) for path in removed), lines=lines, pseudonym=pseudonym,
        remains=tuple(_remains(person, config)),
    )  # fmt: skip


def forget_in_log(files: LogFiles, person: str, pseudonym: str, *, now: datetime, at_seconds: float = 0.0) -> int:
    """Replace the name in every line and chain the log anew; returns how many lines changed. Where none has it, the log
    is left as it is. The daemon keeps what happens meanwhile and writes it afterwards. ``at_seconds``: the monotonic
    clock. Raises :class:`OSError` and :class:`sqlite3.Error`; then either no line was changed, or all were and old
    ones still stand in the write-ahead log: the next `forget` of the name finishes it."""
    if not files.is_there():
        return 0
    with files.locked():
        # Nothing here may open the database's file but SQLite itself: closing it would drop SQLite's locks.
        table = EventTable(files.path, patience_seconds=10.0)
        try:
            changed = _forget_in_table(files, table, person, pseudonym, now=now, at_seconds=at_seconds)
            # Also where nothing changed: an earlier `forget` may have been killed before it came to this.
            if not table.wipe_log():
                raise sqlite3.OperationalError("somebody is reading the event log, so old lines still stand beside it")
        finally:
            table.close()
        return changed + _forget_aside(files, person)


def _forget_in_table(
    files: LogFiles, table: EventTable, person: str, pseudonym: str, *, now: datetime, at_seconds: float
) -> int:
    with table.transaction(durably=True):
        rows, before = table.rows("ORDER BY n"), read_head(files.head)
        found = verify(((row.n, row.text) for row in rows), before, path=files.path, head_path=files.head)
        changed, rewritten, head = _chain_anew(rows, person, pseudonym, first=before.first if before else None)
        if not changed:
            return 0
        told: dict[str, object] = {
            "time": now.isoformat(timespec="milliseconds"),
            "kind": FORGOTTEN,
            "at_seconds": round(at_seconds, 3),
            "reason": REASON,
            "pseudonym": pseudonym,
            "lines": changed,
            "ended_n": before.n if before else head.n,
            "ended_hash": before.hash if before else "",
            "problems_before": [re.sub(_word(person), pseudonym, str(each)) for each in found.problems],
        }
        last, head = forge(told, Head(n=max(head.n, rows[-1].n if rows else 0), hash=head.hash, first=head.first))
        for row in rewritten:
            table.replace(row)
        table.put(row_of(head.n, last, told))
    # Killed here, the line that was just written accounts for a head that is still the old one.
    write_head(files.head, head, durably=True)
    return changed


def _chain_anew(rows: Sequence[Row], person: str, pseudonym: str, *, first: int | None) -> tuple[int, list[Row], Head]:
    head: Head | None = None
    changed, rewritten = 0, list[Row]()
    for row in rows:
        link = read_link(row.text)
        if isinstance(link, str) or link.n != row.n:
            # It keeps its wrong hash: what could not be believed before cannot be afterwards.
            line = re.sub(_word(person), pseudonym, row.text)
            changed += line != row.text
            about = re.sub(_word(person), pseudonym, row.person)
            rewritten.append(Row(row.n, row.unix_seconds, row.kind, about, row.outcome, line))
        else:
            head = head or Head(n=link.n - 1, hash=link.previous, first=first or link.n)
            told = {key: _without(key, value, person, pseudonym) for key, value in link.told.items()}
            changed += told != link.told
            line, head = forge(told, Head(n=link.n - 1, hash=head.hash, first=head.first))
            rewritten.append(row_of(row.n, line, told))
    return changed, rewritten, head or Head()


def _word(name: str) -> str:
    """The name as a word of a text, however its letters are composed there."""
    return rf"(?<!\w)(?:{'|'.join(map(re.escape, spellings(name)))})(?!\w)"


def _without(key: str, value: Any, person: str, pseudonym: str) -> Any:
    if key in WHOLE:
        return pseudonym if same_name(str(value), person) else value
    if key in TEXTS and isinstance(value, str):
        return re.sub(_word(safe(person)), pseudonym, re.sub(_word(person), pseudonym, value))
    if key in LISTED and isinstance(value, list):
        return [pseudonym if same_name(str(name), person) else name for name in value]
    if key in KEYED and isinstance(value, Mapping):
        return {pseudonym if same_name(name, person) else name: each for name, each in value.items()}
    return value


def _forget_aside(files: LogFiles, person: str) -> int:
    """What was put aside is removed where the name is in it."""
    names = [name.encode() for name in spellings(person)]
    named = [path for path in files.damaged if any(name in path.read_bytes() for name in names)]
    for path in named:
        path.unlink()
    return len(named)


def _remains(person: str, config: Config) -> list[str]:
    found = [
        "the journal has its own copy of past events; journalctl --rotate, then --vacuum-time, removes it",
        "a daemon that is running keeps prints of recent speech, without names, until they expire or it restarts",
    ]
    try:
        knows = person in load_bundle(resolve_current(Path(config.model.bundle))).residents
    except VoicelatchError as error:
        found.append(f"the bundle could not be looked at: {error.what}")
    else:
        if knows:
            found.insert(
                0,
                f"the bundle {config.model.bundle} knows this voice and opens for it: remove the recordings in the "
                "workshop, train a bundle without the person, bring it here, reload, then run this once more: "
                "the event of that change has the name",
            )
    if any(each.person == person for each in config.schedule):
        found.append("the configuration has a [[schedule]] of this name: remove it together with the bundle's voice")
    return found


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``forget`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Remove what the door keeps of a person, and say what it cannot remove."
    example = "python -m device forget Anna"
    parser: argparse.ArgumentParser = commands.add_parser(
        "forget", help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}"
    )
    parser.add_argument("person", help="the name, as events show it")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG,
                        help=f"the daemon's configuration (default: {DEFAULT_CONFIG})")  # fmt: skip
    parser.add_argument(
        "--state-dir", type=Path, default=None, help="the daemon's state directory (default: systemd's)"
    )
    parser.add_argument("--older-bundles", action="store_true",
                        help="also remove bundles beside the one in service that know the person")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    config = read_config(arguments.config)
    # First the bundles: they are those of others who deploy, and may take root; all the rest is the daemon's user's.
    older = bundles_that_know(arguments.person, Path(config.model.bundle))
    removed = remove_bundles(older) if arguments.older_bundles else ()
    state = enter_state(arguments.state_dir)
    events = events_path(config.events, state)
    become_owner_of(events.parent)
    told = forget_person(arguments.person, config, state=state, events=events,
                         now=datetime.now().astimezone(), at_seconds=time.monotonic())  # fmt: skip
    if arguments.json:
        bundles = {"know": list(older.names), "removed": list(removed), "problem": older.problem}
        print(json.dumps({**asdict(told), "older_bundles": bundles}, indent=1))
        return 0
    for name in told.files:
        print(f"removed {printable(name)}")
    print(f"events: {told.lines} lines changed" + (f", now about {told.pseudonym}" if told.lines else ""))
    for each in told.remains:
        print(f"remains: {each}", file=sys.stderr)
    if arguments.older_bundles:
        say_what_remains(older)
    else:
        removed = offer_to_remove(older, arguments.person)
    for name in removed:
        print(f"removed {printable(name)}")
    return 0
