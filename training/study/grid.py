"""``python -m training study grid PLAN --pack PACK``: what each setting of learning is worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.settings import within
from training.atomic import write_text
from training.corpus.index import Progress
from training.progress import Bars
from training.study.grid_page import page, table
from training.study.grid_plan import Grid, read_grid
from training.study.grid_ranks import Ranked, agreement, rank
from training.study.households import Trials, trials_of
from training.study.ledger import SEEDS_A_DRAW, Case, Learner, Ledger, on_pack
from training.study.seeds import VALIDATION, add_arguments

STUDY = "grid"


def carry_out(
    grid: Grid, trials: Trials, ledger: Ledger, learn: Learner, *, seeds: int, progress: Progress,
    say: Callable[[str], None],
) -> list[Ranked]:  # fmt: skip
    """Every cell learnt in the same households with the same seeds, ranked."""
    # Cells innermost: a study that is stopped early has learnt all of them equally often.
    cases = [
        Case(cell.name, cell.recipe, draw, repeat)
        for draw in range(trials.draws)
        for repeat in range(seeds)
        for cell in grid.cells
    ]
    say(f"{len(grid.cells)} cells, {len(cases)} runs")
    runs = ledger.carry_out(cases, trials, learn, progress=progress, say=say)
    rows = rank(grid, runs)
    ledger.conclude(runs, trials, told(rows))
    return rows


def told(rows: Sequence[Ranked]) -> dict[str, Any]:
    """As plain values, for the file."""
    return {
        "ranked_by": VALIDATION,
        "rank_correlation_with_eer": agreement(rows),
        "cells": [
            {
                **{key: value for key, value in asdict(row).items() if key != "compared"},
                "less_base": {
                    figure: {**asdict(each.less_base), "seed_noise": each.noise, "within_seed_noise": each.within_noise}
                    for figure, each in row.compared.items()
                },
            }
            for row in rows
        ],
    }


def add_parser(studies: Any) -> None:
    """Add ``grid`` to the sub-parsers of ``study``."""
    text = (
        "Learn a classifier with other settings, one at a time or all combined: which are better by more than chance."
    )
    example = "python -m training study grid training/recipes/grid.toml --pack PACK --draws 3 --seeds 2"
    parser = studies.add_parser(STUDY, help=text, description=text, epilog=f"Example: {example}")
    parser.add_argument("plan", type=Path, help="a TOML file: a base recipe, and values to try")
    parser.add_argument("--full", action="store_true", help="every combination, whatever the plan says")
    add_arguments(parser, study=STUDY, seeds=2)
    parser.set_defaults(action=_command)


def _command(arguments: argparse.Namespace) -> int:
    within("--seeds", arguments.seeds, 2, SEEDS_A_DRAW)
    trials = trials_of(arguments, fewest_draws=2)
    grid = read_grid(arguments.plan, full=arguments.full)
    with Bars() as bars:
        rows = carry_out(grid, trials, Ledger(arguments.json, STUDY), on_pack(trials, bars), seeds=arguments.seeds,
                         progress=bars, say=print)  # fmt: skip
    print(table(rows))
    full = " --full" if arguments.full else ""
    command = f"python -m training study grid {arguments.plan} {trials.options()} --seeds {arguments.seeds}{full}"
    write_text(arguments.page, page(grid, rows, command))
    print(f"the page: {arguments.page}")
    return 0
