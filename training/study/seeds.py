"""``python -m training study seeds RECIPE --pack PACK``: what chance alone does to the figures of one recipe."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.settings import within
from training.atomic import write_text
from training.classifier import ClassifierRecipe, read_classifier
from training.corpus.index import Progress
from training.progress import Bars
from training.study.chance import Spread, spread_of
from training.study.households import Trials, add_households, trials_of
from training.study.ledger import SEEDS_A_DRAW, Case, Learner, Ledger, Run, on_pack
from training.study.seeds_page import page, table
from training.study.trials import FIGURES

STUDY = "seeds"
VALIDATION = "validation_eer"


@dataclass(frozen=True, slots=True)
class Seeds:
    """What was found: ``figures`` by name, those of :class:`~training.study.trials.Figures` and ``validation_eer``;
    ``eer`` by household and seed."""

    name: str
    figures: Mapping[str, Spread]
    eer: tuple[tuple[float, ...], ...]


def measure(
    name: str, recipe: ClassifierRecipe, trials: Trials, ledger: Ledger, learn: Learner, *, seeds: int,
    progress: Progress, say: Callable[[str], None],
) -> Seeds:  # fmt: skip
    """``recipe`` learnt with ``seeds`` seeds in each household. Raises :class:`DataError` where learning ran away."""
    cases = [Case(name, recipe, draw, repeat) for draw in range(trials.draws) for repeat in range(seeds)]
    runs = ledger.carry_out(cases, trials, learn, progress=progress, say=say)
    away = sum(run.outcome is None for run in runs)
    if away:
        raise DataError("learning ran away, so that there is no spread to tell", where=name,
                        received=f"{away} of {len(runs)} runs", next_step="lower the learning rate")  # fmt: skip
    found = Seeds(
        name,
        {figure: spread_of(by_draw(runs, figure)) for figure in (*FIGURES, VALIDATION)},
        tuple(tuple(row) for row in by_draw(runs, "eer").tolist()),
    )
    ledger.conclude(runs, trials, told(found))
    return found


def by_draw(runs: Sequence[Run], figure: str) -> NDArray[np.float64]:
    """One figure of one recipe, float64 ``(draws, seeds)``; not a number where learning ran away."""
    draws, repeats = (1 + max(getattr(run.case, axis) for run in runs) for axis in ("draw", "repeat"))
    values = np.full((draws, repeats), np.nan)
    for run in runs:
        if run.outcome is not None:
            source = run.outcome if figure == VALIDATION else run.outcome.figures
            values[run.case.draw, run.case.repeat] = getattr(source, figure)
    return values


def told(found: Seeds) -> dict[str, Any]:
    """As plain values, for the file."""
    return {
        "recipe": found.name,
        "figures": {
            name: {
                **asdict(each),
                "these_households": asdict(each.these_households),
                "seed_deviation_at_most": each.seed_deviation_at_most,
                "seeds_share_of_variance": each.seeds_share,
                "told_apart": each.told_apart(each.seeds),
            }
            for name, each in found.figures.items()
        },
    }


def add_parser(studies: Any) -> None:
    """Add ``seeds`` to the sub-parsers of ``study``."""
    text = "Learn one recipe with several seeds: how far its figures move by chance, and which differences are more."
    example = "python -m training study seeds training/recipes/networks/simple.toml --pack PACK --seeds 5 --draws 3"
    parser = studies.add_parser(STUDY, help=text, description=text, epilog=f"Example: {example}")
    parser.add_argument("recipe", type=Path, help="the recipe of a classifier, a TOML file")
    add_arguments(parser, study=STUDY, seeds=5)
    parser.set_defaults(action=_command)


def add_arguments(parser: argparse.ArgumentParser, *, study: str, seeds: int) -> None:
    """What studies of many cases have in common."""
    parser.add_argument("--seeds", type=int, default=seeds, help=f"seeds in each household (default: {seeds})")
    add_households(parser, study=study, draws=3)


def _command(arguments: argparse.Namespace) -> int:
    within("--seeds", arguments.seeds, 2, SEEDS_A_DRAW)
    trials = trials_of(arguments)
    recipe = read_classifier(arguments.recipe)
    with Bars() as bars:
        found = measure(arguments.recipe.stem, recipe, trials, Ledger(arguments.json, STUDY), on_pack(trials, bars),
                      seeds=arguments.seeds, progress=bars, say=print)  # fmt: skip
    print(table(found.figures))
    command = f"python -m training study seeds {arguments.recipe} {trials.options()} --seeds {arguments.seeds}"
    write_text(arguments.page, page(found.name, found.figures, found.eer, command))
    print(f"the page: {arguments.page}")
    return 0
