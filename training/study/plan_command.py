"""``python -m training study plan PLAN --pack PACK``: what each idea is worth, as one table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from device.errors import DataError
from training.progress import Bars
from training.study.households import Trials
from training.study.plan import read_plan
from training.study.runs import carry_out
from training.study.scaling import power_law

# What the largest public corpora hold: people of LibriSpeech's training sets, and with VoxCeleb 1 and 2.
AMOUNTS = {"speakers": (921, 2338, 9000), "hours": (100, 960, 3000)}


def table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """One line a run, and for each series the law through its points."""
    return "\n".join([*_rows(told), *_laws(told)])


def _rows(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield (
        f"{'run':34s} people hours  min  MB   M mult-adds  validation: EER  FRR@1%   test, across sessions: "
        "1:1 EER  1:10 EER  household clip EER  FRR@1%  visit FRR@1%   int8-float"
    )
    for name, each in told.items():
        test = each["int8"]
        cost = test["clip_to_clip_eer"] - each["float"]["clip_to_clip_eer"]
        yield (
            f"{name:34s} {each['speakers']:6d} {each['hours']:5.1f} {each['minutes']:4.0f} {each['bytes'] / 1e6:4.2f} "
            f"{each['multiply_adds'] / 1e6:8.0f}      {each['validation_eer']:14.1%} {each['validation_frr']:7.1%} "
            f"{test['clip_to_clip_eer']:31.1%} {test['clip_to_ten_eer']:9.1%} {test['household_clip_eer']:19.1%} "
            f"{test['household_clip_frr']:7.1%} {test['household_visit_frr']:13.1%} "
            f"{100 * cost:+12.2f}"
        )


def _laws(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for series, amounts in AMOUNTS.items():
        points = sorted((each[series], each["int8"]["clip_to_clip_eer"]) for each in told.values()
                        if each["series"] == series)  # fmt: skip
        if not points:
            continue
        try:
            law = power_law([each[0] for each in points], [each[1] for each in points])
        except DataError as error:
            yield f"{series}: {error}"
            continue
        further = ", ".join(f"{amount:g} {series}: {law.at(amount):.1%}" for amount in amounts)
        yield (
            f"{series}: 1:1 EER falls with the power {law.exponent:.2f} (points within a factor of {law.spread:.2f}); "
            f"extrapolated, with the same learning time: {further}"
        )


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``plan`` to the sub-parsers of ``study``; its ``action`` takes the parsed arguments."""
    text = "Learn and judge the runs that a plan names; a killed one goes on."
    example = "python -m training study plan training/recipes/ablations.toml --pack PACK --json reports/ablations.json"
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("plan", type=Path, help="a TOML file: a recipe, and runs that differ from it")
    parser.add_argument("--pack", type=Path, required=True, help="the folder with manifest.csv that runs are judged on")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where stages are kept (default: runs)")
    parser.add_argument("--json", type=Path, default=Path("reports/study.json"), help="results, written as runs end")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    runs = read_plan(arguments.plan)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        told = carry_out(
            runs, Trials(arguments.pack), folder=arguments.runs, out=arguments.json, progress=bars, say=print
        )
    print(table(told))
    return 0
