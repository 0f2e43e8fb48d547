"""A grid of settings about one classifier, as a TOML file::

recipe = "grid_base.toml"             # the base, beside this file
full = false                          # true: every combination; false: one setting at a time
[axes]
learning_rate = [3e-4, 3e-3]          # values beside the base's own
optimiser = ["sgd"]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.settings import read_settings, settings_from
from training.classifier import ClassifierRecipe, read_classifier

BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Values to try of each setting of :class:`~training.classifier.Classifier`; none: the base's own."""

    learning_rate: tuple[float, ...] = ()
    weight_decay: tuple[float, ...] = ()
    label_smoothing: tuple[float, ...] = ()
    noise_db: tuple[float, ...] = ()
    optimiser: tuple[str, ...] = ()
    initialisation: tuple[str, ...] = ()
    activation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFile:
    """What the file says."""

    recipe: str
    full: bool = False
    axes: Axes = field(default_factory=Axes)


@dataclass(frozen=True, slots=True)
class Cell:
    """One recipe of the grid: what it changes of the base (empty for the base itself), by setting."""

    changes: tuple[tuple[str, Any], ...]
    recipe: ClassifierRecipe

    @property
    def name(self) -> str:
        return ", ".join(f"{axis} {shown(value)}" for axis, value in self.changes) or BASE


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells, the base first, and the values of each axis in order, the base's own among them; ``full``: every
    combination is a cell."""

    cells: tuple[Cell, ...]
    axes: Mapping[str, tuple[Any, ...]]
    base: ClassifierRecipe
    full: bool


def read_grid(path: Path, *, full: bool = False) -> Grid:
    """The grid in ``path``; ``full``: every combination, whatever the file says.

    Raises :class:`ConfigError` for unknown keys, for values no classifier takes, and where nothing is to be tried.
    """
    said = read_settings(path, GridFile)
    base = read_classifier(path.parent / said.recipe)
    axes = {name: tried for name, tried in _axes(said.axes, base).items() if len(tried) > 1}
    if not axes:
        raise ConfigError("there is nothing to try", where=f"{path}: axes", received="no value beside the base's",
                          allowed=", ".join(each.name for each in fields(Axes)))  # fmt: skip
    whole = full or said.full
    changes = _products(axes, base) if whole else _one_at_a_time(axes, base)
    cells = tuple(Cell(each, _changed(base, dict(each), where=f"{path}: axes")) for each in changes)
    return Grid(cells, axes, base, whole)


def shown(value: Any) -> str:
    """A value as it stands in tables."""
    return value if isinstance(value, str) else f"{value:g}"


def _axes(axes: Axes, base: ClassifierRecipe) -> dict[str, tuple[Any, ...]]:
    """Numbers in order; words with the base's first."""
    found: dict[str, tuple[Any, ...]] = {}
    for each in fields(Axes):
        values = dict.fromkeys((getattr(base.classifier, each.name), *getattr(axes, each.name)))
        numbers = not isinstance(next(iter(values)), str)
        found[each.name] = tuple(sorted(values)) if numbers else tuple(values)
    return found


def _one_at_a_time(
    axes: Mapping[str, tuple[Any, ...]], base: ClassifierRecipe
) -> Iterator[tuple[tuple[str, Any], ...]]:
    yield ()
    for name, values in axes.items():
        yield from (((name, value),) for value in values if value != getattr(base.classifier, name))


def _products(axes: Mapping[str, tuple[Any, ...]], base: ClassifierRecipe) -> list[tuple[tuple[str, Any], ...]]:
    found = []
    for values in itertools.product(*axes.values()):
        pairs = zip(axes, values, strict=True)
        found.append(tuple((name, value) for name, value in pairs if value != getattr(base.classifier, name)))
    return sorted(found, key=len)


def _changed(base: ClassifierRecipe, changes: Mapping[str, Any], *, where: str) -> ClassifierRecipe:
    from training.networks.bricks import Style

    own = {each.name: getattr(base.classifier, each.name) for each in fields(base.classifier)}
    made = settings_from({"classifier": {**own, **changes}}, ClassifierRecipe, where=where).classifier
    # Named only when the network is built, which may be hours from now.
    Style(activation=made.activation, initialisation=made.initialisation)
    return ClassifierRecipe(classifier=made, frontend=base.frontend)
