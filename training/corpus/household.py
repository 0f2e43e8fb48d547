"""A folder in our layout, made from a pack of recordings with a ``manifest.csv``.

The manifest's columns used here: path, kind (speech, noise, rir), use (train, evaluate, both), corpus, speaker,
session. Residents are drawn from the ``evaluate`` speakers with two sessions or more; the other ``evaluate`` speakers
become strangers, the ``train`` speakers others, speakers called ``unlabelled`` the crowd.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import DataError
from training.corpus.index import EVALUATE_ONLY

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Household:
    """What was made: the residents' names and how many files were linked."""

    residents: tuple[str, ...]
    files: int


def build_household(pack: Path, out: Path, *, residents: int, seed: int) -> Household:
    """Link the pack's files into the new folder ``out``. Deterministic for a seed.

    Raises :class:`DataError` when the pack has no manifest or too few speakers with two sessions, or ``out`` exists.
    """
    rows = _read_manifest(pack)
    if out.exists():
        raise DataError("the folder exists already", where=str(out), next_step="choose another name or remove it")
    sessions: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["kind"] == "speech" and row["use"] == "evaluate":
            sessions[_speaker(row)].add(row["session"])
    able = sorted(speaker for speaker, names in sessions.items() if len(names) >= 2)
    if len(able) < residents:
        raise DataError(
            "too few speakers with two sessions",
            where=str(pack / "manifest.csv"),
            received=len(able),
            allowed=f"at least {residents}",
            next_step="ask for fewer residents",
        )
    drawn = tuple(sorted(np.random.default_rng(seed).choice(able, residents, replace=False).tolist()))
    count = 0
    for row in rows:
        target = out / _place(row, set(drawn))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink((pack / row["path"]).resolve(), target)
        count += 1
    return Household(drawn, count)


def _read_manifest(pack: Path) -> list[Row]:
    path = pack / "manifest.csv"
    if not path.is_file():
        raise DataError(
            "this is not a pack of recordings",
            where=str(path),
            received="no such file",
            next_step="give the folder that holds manifest.csv",
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _speaker(row: Row) -> str:
    return f"{row['corpus']}-{row['speaker']}"


def _place(row: Row, residents: set[str]) -> Path:
    name = Path(row["path"]).name
    if row["kind"] in ("noise", "rir"):
        kept = [EVALUATE_ONLY] if row["use"] == "evaluate" else []
        return Path(row["kind"], *kept, row["corpus"], name)
    if row["speaker"] == "unlabelled":
        return Path("crowd", name)
    role = "others" if row["use"] == "train" else "allowed" if _speaker(row) in residents else "strangers"
    return Path(role, _speaker(row), row["session"] or "1", name)
