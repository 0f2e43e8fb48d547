"""The index as tables: ``index.csv``, one row a recording, and ``rejected.csv``, one row a file left out and why."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from training.atomic import write_text
from training.corpus.ffmpeg import convert_all, needs_it
from training.corpus.index import Index, Progress, index_folder
from training.corpus.layouts import LAYOUTS, parse_source

COLUMNS = (
    "path", "sha256", "person", "role", "session", "seconds", "sample_rate_hz", "level_dbfs", "clipped_share", "snr_db",
    "speech_seconds",
)  # fmt: skip


def write_tables(index: Index, folder: Path) -> None:
    """Write both tables into ``folder``, each complete or not at all. Raises :class:`StateError`."""
    # To the door there are residents and everybody else; the finer role stands in the path.
    rows = [
        [each.path, each.sha256, each.speaker, "allowed" if each.role == "allowed" else "other", each.session,
         *(getattr(each, name) for name in COLUMNS[5:])]
        for each in index.recordings
    ]  # fmt: skip
    _write(folder / "index.csv", COLUMNS, rows)
    _write(folder / "rejected.csv", ("path", "reason"), [[each.path, each.reason] for each in index.rejected])


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *rows])
    write_text(path, text.getvalue())


def describe_files(index: Index, say: Callable[[str], None]) -> None:
    """What was left out and why, and how some of the rest is read."""
    for rejected in index.rejected:
        say(f"left out {rejected.path}: {rejected.reason}")
    for path, note in index.notes:
        say(f"{path}: {note}")
    waiting = needs_it(each.reason for each in index.rejected)
    if waiting:
        say(f"{waiting} files need ffmpeg: install it (sudo apt install ffmpeg), or convert them all where it is: "
            f"{convert_all(str(index.root))}")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command on a folder of recordings takes: the folder, its layout, its residents, further corpora."""
    parser.add_argument("folder", type=Path, help="a folder of recordings")
    parser.add_argument("--layout", choices=[*LAYOUTS], default="folder", help="how it is arranged (default: folder)")
    parser.add_argument("--allowed", action="append", default=[], metavar="SPEAKER", help="a resident, where the "
                        "layout does not say; may be repeated")  # fmt: skip
    parser.add_argument("--corpus", action="append", default=[], metavar="LAYOUT:FOLDER", help="further recordings, "
                        "such as librispeech:corpora/LibriSpeech; may be repeated")  # fmt: skip
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the index is kept (default: runs)")


def index_from(arguments: argparse.Namespace, progress: Progress) -> Index:
    """The index that the arguments of :func:`add_arguments` ask for."""
    return index_folder(
        arguments.folder,
        layout=arguments.layout,
        allowed=arguments.allowed,
        corpora=[parse_source(each) for each in arguments.corpus],
        cache=arguments.runs / "index.jsonl",
        progress=progress,
    )


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``index`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "List every recording of a folder, and what was left out and why."
    example = "python -m training index recordings/household --out tables"
    parser: argparse.ArgumentParser = commands.add_parser(
        "index", help=text, description=text, epilog=f"Example: {example}"
    )
    add_arguments(parser)
    parser.add_argument("--out", type=Path, default=Path("tables"), help="where the tables go (default: tables)")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    from training.progress import Bars

    with Bars() as bars:
        index = index_from(arguments, bars)
    write_tables(index, arguments.out)
    describe_files(index, print)
    unheard = sorted(set(index.residents) - {each.speaker for each in index.recordings if each.role == "allowed"})
    if unheard:
        print(f"no usable recording of {', '.join(unheard)}")
    people = {each.speaker for each in index.recordings if each.speaker}
    minutes = sum(each.seconds for each in index.recordings) / 60
    print(f"{arguments.out}: {len(index.recordings)} recordings, {len(people)} speakers, {minutes:.0f} minutes; "
          f"{len(index.rejected)} left out")  # fmt: skip
    return 0
