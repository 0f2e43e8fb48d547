"""``voicelatch recordings list | send``: what the workshop asks of a door when it pulls recordings."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from device.errors import DataError, StateError
from device.service.recordings import Shelf
from device.service.where import enter_state
from device.terminal.bars import printable

EXIT_CODES = "Exit codes: 0 done, 2 wrong command line, 66 no such recording, 73 cannot read or write."
MOST_NAMES_BYTES = 1 << 24


def send(shelf: Shelf, names: Iterable[str], out: BinaryIO) -> int:
    """Write a tar archive of these recordings; how many. Raises :class:`DataError` for a name that is none of them,
    before anything is written, and :class:`StateError` when one cannot be read."""
    known, wanted = shelf.paths(), list(names)
    unknown = [each for each in wanted if each not in known]
    if unknown:
        raise DataError(
            "no such recording", where=str(shelf.folder), received=printable(unknown[0])[:200],
            allowed="names as `recordings list` shows them", next_step="look again: it may have been removed",
        )  # fmt: skip
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for name in wanted:
            try:
                content = known[name].read_bytes()
            except OSError as error:
                raise StateError("a recording cannot be read", where=str(known[name]), received=error) from error
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return len(wanted)


def _list(arguments: argparse.Namespace) -> int:
    found = list(_shelf(arguments).files())
    if arguments.json:
        print(json.dumps([asdict(each) for each in found]))
        return 0
    for each in found:
        print(f"{each.size_bytes:9d}  {printable(each.path)}")
    return 0


def _send(arguments: argparse.Namespace) -> int:
    asked = sys.stdin.buffer.read(MOST_NAMES_BYTES).decode("utf-8", errors="replace")
    send(_shelf(arguments), [each for each in asked.split("\0") if each], sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return 0


def _shelf(arguments: argparse.Namespace) -> Shelf:
    return Shelf(enter_state(arguments.state_dir))


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``recordings`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "List what was recorded at the door, or send it; `python -m training pull` asks for both."
    parser: argparse.ArgumentParser = commands.add_parser(
        "recordings", help=text, description=text,
        epilog=f"Example: python -m device recordings list. {EXIT_CODES}",
    )  # fmt: skip
    what = parser.add_subparsers(dest="what", required=True)
    lister = what.add_parser("list", help="Every recording and its size.", description="Every recording and its size.")
    lister.add_argument("--json", action="store_true", help="print JSON, with SHA-256")
    lister.set_defaults(action=_list)
    told = "Write a tar archive to standard output of the names on standard input, each ended by a NUL."
    sender = what.add_parser("send", help=told, description=told)
    sender.set_defaults(action=_send)
    for each in (lister, sender):
        each.add_argument("--state-dir", type=Path, default=None,
                          help="the daemon's state directory (default: systemd's)")  # fmt: skip
    return parser
