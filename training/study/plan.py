"""A study: one recipe, and runs that differ from it in a few keys. A TOML file::

recipe = "backbone.toml"              # beside this file
[set]                                 # in every run
"backbone.epochs" = 6
[[run]]
name = "no teacher"
set = { "backbone.teacher" = "" }
series = "speakers"                   # optional: a point of a scaling curve (speakers, hours)
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.settings import settings_from
from training.recipe import Recipe

SERIES = ("", "speakers", "hours")
KEYS = {"recipe", "set", "run"}
RUN_KEYS = {"name", "set", "series"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its name in the table, its whole recipe, and the scaling curve it is a point of (empty for none)."""

    name: str
    recipe: Recipe
    series: str


def read_plan(path: Path) -> list[Run]:
    """The runs of a study, in order. Raises :class:`ConfigError` for a key that is not known, here or in the recipe."""
    plan = _read(path)
    _known(plan, KEYS, where=str(path))
    base = _read(path.parent / str(plan.get("recipe", "")))
    runs = []
    for place, run in enumerate(plan.get("run", [])):
        where = f"{path}: run[{place}]"
        if not isinstance(run, dict) or not run.get("name"):
            raise ConfigError("a run needs a name", where=where, received=run, next_step='add name = "..."')
        _known(run, RUN_KEYS, where=where)
        series = run.get("series", "")
        if series not in SERIES:
            raise ConfigError("no such series", where=f"{where}.series", received=series, allowed=", ".join(SERIES[1:]))
        table = changed(base, {**plan.get("set", {}), **run.get("set", {})}, where=where)
        runs.append(Run(str(run["name"]), settings_from(table, Recipe, where=where), series))
    names = [run.name for run in runs]
    if not runs or len(set(names)) < len(names):
        raise ConfigError("a study needs runs with different names", where=str(path), received=", ".join(names))
    return runs


def changed(base: Mapping[str, Any], changes: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """``base`` with ``table.key`` set to other values; ``base`` stays as it is."""
    made: dict[str, Any] = copy.deepcopy(dict(base))
    for key, value in changes.items():
        table, _, name = key.partition(".")
        if not name or not isinstance(made.setdefault(table, {}), dict):
            raise ConfigError("not a key of a recipe", where=where, received=key, allowed="table.key")
        made[table][name] = value
    return made


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError("cannot be read as TOML", where=str(path), received=error) from error


def _known(table: Mapping[str, Any], keys: set[str], *, where: str) -> None:
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ConfigError("unknown key", where=where, received=", ".join(unknown), allowed=", ".join(sorted(keys)))
