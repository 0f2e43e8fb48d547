"""What a study of many cases has done so far: one JSON file, written as each case ends, so that a killed one goes on.

A case is known by its whole recipe, its draw, its seed and the pack's list of recordings, never by its name: a recipe
that was changed is learnt anew, and one that was changed back is found again. The file::

    {"study": "grid", "runs": [of this study], "earlier": [of other recipes, draws or seeds], "result": {...}}

A run is ``key``, ``name``, ``draw``, ``seed`` and what :class:`~training.study.cases.Outcome` holds; or ``ran_away``:
why what was learnt could not be judged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from device.errors import DataError
from training.atomic import write_text
from training.benchmark.pack import read_rows
from training.classifier import ClassifierRecipe
from training.corpus.index import Progress
from training.recipe import digest
from training.study.cases import Cases, LearningRanAwayError, Outcome, learn_case, read_cases
from training.study.households import Trials
from training.study.trials import Figures

# Seeds of different draws are different: what chance does in one household says nothing of another.
SEEDS_A_DRAW = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """``recipe``, named ``name`` in the table, in draw number ``draw`` with seed number ``repeat``, both from 0."""

    name: str
    recipe: ClassifierRecipe
    draw: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Run:
    """A case that ended; ``outcome`` is None where learning ran away."""

    case: Case
    outcome: Outcome | None


class Learner(Protocol):
    """Learns and judges one recipe in one draw; raises :class:`LearningRanAwayError`."""

    def __call__(self, recipe: ClassifierRecipe, draw: int, *, seed: int) -> Outcome: ...


def on_pack(trials: Trials, progress: Progress) -> Learner:
    """The learner of the product. The pack is read at the first case that has to be learnt."""
    held: list[Cases] = []

    def learn(recipe: ClassifierRecipe, draw: int, *, seed: int) -> Outcome:
        if not held:
            held.append(read_cases(trials, progress=progress))
        return learn_case(recipe, held[0], draw, seed=seed)

    return learn


class Ledger:
    """The file of one study. Raises :class:`DataError` for a file that is not of this study."""

    def __init__(self, path: Path, study: str) -> None:
        self._path, self._study = path, study
        self._known = _read(path, study)

    def carry_out(
        self, cases: Sequence[Case], trials: Trials, learn: Learner, *, progress: Progress, say: Callable[[str], None]
    ) -> list[Run]:
        """All cases in order, those that stand in the file taken from there; the file is written after each."""
        recordings = recordings_of(trials.pack)
        keys = [_key(case, trials, recordings) for case in cases]
        kept = sum(key in self._known for key in keys)
        if kept:
            say(f"{kept} of {len(cases)} runs kept from {self._path}")
        for count, (case, key) in enumerate(zip(cases, keys, strict=True), start=1):
            if key not in self._known:
                self._known[key] = {"key": key, **_done(case, _seed(case, trials), learn)}
                self._write(keys, {})
            progress("runs", count, len(cases))
        return [Run(case, _outcome(self._known[key], self._path)) for case, key in zip(cases, keys, strict=True)]

    def conclude(self, runs: Sequence[Run], trials: Trials, result: dict[str, Any]) -> None:
        """Put what was found beside the runs."""
        recordings = recordings_of(trials.pack)
        self._write([_key(run.case, trials, recordings) for run in runs], result)

    def _write(self, keys: Sequence[str], result: dict[str, Any]) -> None:
        mine = set(keys)
        content = {
            "study": self._study,
            "result": result,
            "runs": [self._known[key] for key in keys if key in self._known],
            "earlier": [each for key, each in self._known.items() if key not in mine],
        }
        write_text(self._path, json.dumps(content, indent=1, allow_nan=False))


def recordings_of(pack: Path) -> str:
    """A digest of the pack's list of recordings. Raises :class:`DataError` where there is none."""
    return digest([[os.path.relpath(row.path, pack), row.kind, row.speaker, row.session] for row in read_rows(pack)])


def _seed(case: Case, trials: Trials) -> int:
    return trials.seed + SEEDS_A_DRAW * case.draw + case.repeat


def _key(case: Case, trials: Trials, recordings: str) -> str:
    # The number of draws is left out: the first ones stay the same when more are asked for.
    households = [trials.residents, trials.enrol_seconds, trials.seed]
    return digest([asdict(case.recipe), households, case.draw, _seed(case, trials), recordings])


def _done(case: Case, seed: int, learn: Learner) -> dict[str, Any]:
    row = {"name": case.name, "draw": case.draw, "seed": seed}
    try:
        return {**row, **asdict(learn(case.recipe, case.draw, seed=seed))}
    except LearningRanAwayError as error:
        return {**row, "ran_away": str(error.received)}


def _outcome(row: dict[str, Any], path: Path) -> Outcome | None:
    if "ran_away" in row:
        return None
    try:
        values = {name: row[name] for name in Outcome.__dataclass_fields__}
        return Outcome(**{**values, "figures": Figures(**row["figures"])})
    except (KeyError, TypeError) as error:
        raise _foreign(path, error) from error


def _read(path: Path, study: str) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, rows = content["study"], {row["key"]: row for row in (*content["runs"], *content["earlier"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _foreign(path, error) from error
    if found != study:
        raise _foreign(path, f"a study of {found}")
    return rows


def _foreign(path: Path, received: object) -> DataError:
    return DataError("this file holds no runs of such a study", where=str(path), received=received,
                     next_step="name another one: --json FILE")  # fmt: skip
