"""``python -m training study layers RECIPE``: which layers of a network matter, and which could be smaller."""

from __future__ import annotations

import argparse
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.settings import settings_from
from training.atomic import write_text
from training.progress import Bars
from training.recipe import Recipe, read_recipe
from training.study.plan import changed

EXAMPLE = "python -m training study layers training/recipes/backbone.toml --pack PACK --json reports/layers.json"


def recipe_with(path: Path, changes: Sequence[str]) -> Recipe:
    """The recipe with ``table.key=value`` set to other values (as in TOML). Raises :class:`ConfigError`."""
    if not changes:
        return read_recipe(path)
    wanted: dict[str, Any] = {}
    for each in changes:
        key, _, value = each.partition("=")
        try:
            wanted[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except ValueError as error:
            raise ConfigError(
                "not a value", where=f"--set {each}", received=error, allowed="table.key=value, a text in quotes"
            ) from error
    table = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    if not table:
        read_recipe(path)
    return settings_from(changed(table, wanted, where="--set"), Recipe, where=str(path))


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``layers`` to the sub-parsers of ``study``; its ``action`` takes the parsed arguments."""
    text = (
        "Change one layer of a learnt network at a time: reset, drawn anew, pruned, held in fewer bits. The network is "
        "learnt first where it is not; a killed study goes on."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "layers", help="which layers of a network matter", description=text, epilog=f"Example: {EXAMPLE}"
    )
    parser.add_argument("recipe", type=Path, help="the recipe of the network")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE",
        help="change the recipe, for example backbone.width=6; again for more",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where stages are kept (default: runs)")
    parser.add_argument(
        "--pack",
        type=Path,
        default=None,
        help="a folder with manifest.csv: also judge the suggestion on its people",
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.5, metavar="POINTS",
        help="EER a treatment may cost, in percentage points (default: 0.5)",
    )  # fmt: skip
    parser.add_argument("--draws", type=int, default=3, help="random draws of each layer (default: 3)")
    parser.add_argument("--resamples", type=int, default=300, help="of people, for the intervals (default: 300)")
    parser.add_argument("--seed", type=int, default=7, help="decides every draw (default: 7)")
    parser.add_argument(
        "--json", type=Path, default=Path("reports/layers.json"),
        help="results, written as they come (default: reports/layers.json); the page stands beside it as .html",
    )  # fmt: skip
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    from training.study.layers.page import page
    from training.study.layers.study import Settings, study
    from training.study.layers.told import NOTE, in_columns, main_table, pack_table, together_table

    if arguments.tolerance <= 0 or arguments.draws < 1 or arguments.resamples < 2:
        raise ConfigError(
            "the study cannot be made like this",
            received=f"--tolerance {arguments.tolerance} --draws {arguments.draws} --resamples {arguments.resamples}",
            allowed="a tolerance above 0, 1 draw or more, 2 resamples or more",
        )
    settings = Settings(
        tolerance=arguments.tolerance / 100.0,
        draws_anew=arguments.draws,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )
    with Bars() as bars:
        found = study(
            recipe_with(arguments.recipe, arguments.set), settings, runs=arguments.runs, pack=arguments.pack,
            out=arguments.json, progress=bars, say=print,
        )  # fmt: skip
    print(in_columns(*main_table(found.measured, found.verdicts, found.plain)))
    print(NOTE)
    print("\n".join(("", *found.conclusions, "")))
    print(in_columns(*together_table(found.outcomes)))
    print(found.suggestion)
    if found.pack:
        print(in_columns(*pack_table(found.pack)))
    path = arguments.json.with_suffix(".html")
    write_text(path, page(found, command=_said(arguments)))
    print(f"the page: {path}")
    return 0


def _said(arguments: argparse.Namespace) -> str:
    """The command that makes the page again, without where this machine keeps its pack."""
    sets = " ".join(f"--set {shlex.quote(each)}" for each in arguments.set)
    pack = "--pack PACK" if arguments.pack else ""
    parts = ["python -m training study layers", str(arguments.recipe), sets, pack, f"--json {arguments.json}"]
    return " ".join(part for part in parts if part)
