"""A folder in our layout, made from a pack of recordings with a ``manifest.csv``.

The manifest's columns used here: path, kind (speech, noise, rir), use (train, evaluate, both), corpus, speaker,
session. Residents are drawn from the ``evaluate`` speakers with two sessions or more; the other ``evaluate`` speakers
become strangers, the ``train`` speakers others, speakers called ``unlabelled`` the crowd.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from device.errors import DataError, StateError
from training.corpus.layouts import EVALUATE_ONLY

Row = dict[str, str]
COLUMNS = ("path", "kind", "use", "corpus", "speaker", "session")
UNKNOWN_SPEAKER = "unlabelled"


@dataclass(frozen=True, slots=True)
class Household:
    """What was made: the residents' names (folders below ``allowed/``) and how many files were placed."""

    residents: tuple[str, ...]
    files: int


def build_household(
    pack: Path, out: Path, *, residents: int, seed: int, named: Sequence[str] = (), copy: bool = False
) -> Household:
    """Link (or ``copy``) the pack's files into the new folder ``out``, all or nothing. Deterministic for a seed.

    ``residents`` people in all: first those ``named`` as ``corpus:speaker``, the rest drawn. Raises
    :class:`DataError` when the pack is incomplete or has too few speakers with two sessions, when a named one is not
    among them, or when ``out`` exists; :class:`StateError` when it cannot be written.
    """
    if out.exists():
        raise DataError("the folder exists already", where=str(out), next_step="choose another name or remove it")
    rows = _read_manifest(pack)
    chosen = choose_residents(rows, count=residents, seed=seed, named=named, where=str(pack / "manifest.csv"))
    places = _places(pack, rows, frozenset(chosen))
    unfinished = out.with_name(f".{out.name}.{uuid4().hex[:8]}")
    try:
        for place, source in places.items():
            target = unfinished / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if copy:
                shutil.copy2(source, target)
            else:
                os.symlink(source.resolve(), target)
        os.replace(unfinished, out)
    except OSError as error:
        raise StateError("the household cannot be written", where=str(out), received=error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Household(chosen, len(places))


def choose_residents(
    rows: Iterable[Row], *, count: int, seed: int, named: Sequence[str], where: str
) -> tuple[str, ...]:
    """Names of ``count`` residents, sorted. Only ``evaluate`` speakers with two sessions or more can be residents."""
    sessions: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["kind"] == "speech" and row["use"] == "evaluate" and row["speaker"] != UNKNOWN_SPEAKER:
            sessions[_speaker(row)].add(row["session"])
    able = sorted(speaker for speaker, names in sessions.items() if len(names) >= 2)
    wanted = list(dict.fromkeys(each.replace(":", "-", 1) for each in named))
    unable = [each for each in wanted if each not in able]
    if unable or not len(wanted) <= count <= len(able) or count < 1:
        raise DataError(
            "too few speakers with two sessions" if count > len(able) else "these residents cannot be had",
            where=where,
            received=f"{count} residents, named: {', '.join(unable or wanted) or 'none'}",
            allowed=f"1 to {len(able)} of the speakers for evaluation with two sessions: {', '.join(able)}",
            next_step="ask for fewer, or name others as corpus:speaker",
        )
    rest = [each for each in able if each not in wanted]
    drawn = np.random.default_rng(seed).choice(rest, count - len(wanted), replace=False).tolist() if rest else []
    return tuple(sorted([*wanted, *drawn]))


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``household`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Make a folder in our layout from a pack with manifest.csv."
    example = "python -m training household PACK recordings/household-7 --seed 7"
    parser: argparse.ArgumentParser = commands.add_parser(
        "household", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("pack", type=Path, help="a folder with manifest.csv")
    parser.add_argument("out", type=Path, help="the folder to make; it must not exist")
    parser.add_argument("--residents", type=int, default=5, help="how many people live here (default: 5)")
    parser.add_argument(
        "--resident", action="append", default=[], metavar="CORPUS:SPEAKER", help="one of them; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=7, help="decides who else lives here (default: 7)")
    parser.add_argument("--copy", action="store_true", help="copy the files instead of linking to them")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    made = build_household(
        arguments.pack,
        arguments.out,
        residents=arguments.residents,
        seed=arguments.seed,
        named=arguments.resident,
        copy=arguments.copy,
    )
    print(f"{arguments.out}: {made.files} recordings, residents {', '.join(made.residents)}")
    return 0


def _read_manifest(pack: Path) -> list[Row]:
    path = pack / "manifest.csv"
    if not path.is_file():
        raise DataError(
            "this is not a pack of recordings",
            where=str(path),
            received="no such file",
            next_step="give the folder that holds manifest.csv",
        )
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [each for each in COLUMNS if each not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                "columns are missing", where=str(path), received=", ".join(missing), allowed=", ".join(COLUMNS)
            )
        return list(reader)


def _places(pack: Path, rows: Iterable[Row], residents: frozenset[str]) -> dict[Path, Path]:
    """Where each file goes: place below the new folder -> file of the pack."""
    base = pack.resolve()
    places: dict[Path, Path] = {}
    for row in rows:
        source = base / row["path"]
        if ".." in source.parts or not source.is_relative_to(base) or not source.is_file():
            raise DataError(
                "the manifest names a file that the pack does not hold",
                where=str(pack / "manifest.csv"),
                received=row["path"],
                next_step="fetch the pack again, or remove the row",
            )
        place = _place(row, residents)
        if place in places:
            raise DataError(
                "two files would get one name",
                where=str(pack / "manifest.csv"),
                received=f"{row['path']} and {places[place].relative_to(base)}",
                next_step="rename one of them in the pack and its manifest",
            )
        places[place] = source
    return places


def _speaker(row: Row) -> str:
    return f"{row['corpus']}-{row['speaker']}"


def _place(row: Row, residents: frozenset[str]) -> Path:
    name = Path(row["path"]).name
    if row["kind"] in ("noise", "rir"):
        kept = [EVALUATE_ONLY] if row["use"] == "evaluate" else []
        return Path(row["kind"], *kept, _plain(row["corpus"]), name)
    unknown = row["speaker"] == UNKNOWN_SPEAKER
    # Unknown people kept for the evaluation cannot be told apart, so they are nobody's strangers.
    if row["kind"] != "speech" or row["use"] not in (("train",) if unknown else ("train", "evaluate")):
        raise DataError(
            "the manifest has a row that cannot be placed",
            where=row["path"],
            received=f"kind {row['kind']!r}, use {row['use']!r}, speaker {row['speaker']!r}",
            allowed="speech for train or (of known speakers) evaluate; noise and rir for train, evaluate or both",
        )
    if unknown:
        return Path("crowd", name)
    role = "others" if row["use"] == "train" else "allowed" if _speaker(row) in residents else "strangers"
    return Path(role, _plain(_speaker(row)), _plain(row["session"] or "1"), name)


def _plain(name: str) -> str:
    """One folder's name. Raises :class:`DataError` for text that would leave the folder."""
    if not name.strip() or "/" in name or "\\" in name or name.startswith("."):
        raise DataError("not a name for a folder", received=repr(name), allowed="letters, digits, - and _")
    return name
