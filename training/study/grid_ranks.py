"""Which settings of a grid did better than the base, and by more than chance.

Cells are ranked by ``validation_eer`` (held-out enrolment clips against the strangers who choose), never by the figures
of judging strangers and of another day, which are told beside it. The best of many cells is flattered by having been
chosen, so that its figures of the second kind are the ones to believe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from device.errors import DataError
from training.study.chance import Interval, difference, seed_noise
from training.study.grid_plan import BASE, Grid
from training.study.ledger import Run
from training.study.seeds import VALIDATION, by_draw
from training.study.trials import FIGURES

# What differences are told of.
COMPARED = (VALIDATION, "eer", "frr_where_far_is_1pct")


@dataclass(frozen=True, slots=True)
class Compared:
    """``less_base``: the cell's mean less the base's, paired by household. ``noise``: how far seeds alone bring two
    cells apart, 19 times of 20."""

    less_base: Interval
    noise: float

    @property
    def within_noise(self) -> bool:
        return abs(self.less_base.mean) <= self.noise


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row of the table. ``means`` by figure, ``by_household`` the same for each; both empty where learning ran away
    in any run. ``compared``: by figure of :data:`COMPARED`; empty for the base too."""

    name: str
    changes: Mapping[str, Any]
    runs: int
    ran_away: int
    means: Mapping[str, float]
    by_household: Mapping[str, tuple[float, ...]]
    compared: Mapping[str, Compared]


def rank(grid: Grid, runs: Sequence[Run]) -> list[Ranked]:
    """All cells, lowest validation EER first, those whose learning ran away last. Raises :class:`DataError` where the
    base's did."""
    tables = {cell.name: _tables([run for run in runs if run.case.name == cell.name]) for cell in grid.cells}
    finite = {name: table for name, table in tables.items() if np.isfinite(table[VALIDATION]).all()}
    if BASE not in finite:
        raise DataError("learning ran away in the base, so that there is nothing to compare with", where="the base",
                        next_step="give a base that learns: lower its learning rate")  # fmt: skip
    noise = {figure: seed_noise([table[figure] for table in finite.values()]) for figure in COMPARED}
    rows = []
    for cell in grid.cells:
        table, known = tables[cell.name], cell.name in finite
        rows.append(
            Ranked(
                cell.name,
                dict(cell.changes),
                table[VALIDATION].size,
                int(np.isnan(table[VALIDATION]).sum()),
                {figure: float(values.mean()) for figure, values in table.items()} if known else {},
                {figure: tuple(values.mean(axis=1)) for figure, values in table.items()} if known else {},
                {
                    figure: Compared(difference(table[figure], tables[BASE][figure]), noise[figure])
                    for figure in COMPARED
                    if known and cell.changes
                },
            )
        )
    return sorted(rows, key=lambda row: row.means.get(VALIDATION, np.inf))


def beyond_noise(rows: Sequence[Ranked], figure: str) -> tuple[int, int]:
    """How many cells differ from the base by more than seeds do, and how many were compared: one of twenty would by
    chance alone, were no setting worth anything."""
    compared = [row.compared[figure] for row in rows if figure in row.compared]
    return sum(not each.within_noise for each in compared), len(compared)


def agreement(rows: Sequence[Ranked]) -> float | None:
    """Spearman's correlation, -1..1, between the EER that ranks and the EER that reports, over cells; None for fewer
    than three, or where one never changes."""
    known = [row for row in rows if row.means]
    ranking, reporting = ([row.means[figure] for row in known] for figure in (VALIDATION, "eer"))
    if len(known) < 3 or len(set(ranking)) < 2 or len(set(reporting)) < 2:
        return None
    return float(spearmanr(ranking, reporting).statistic)


def of_value(grid: Grid, rows: Sequence[Ranked], axis: str, value: Any) -> list[Ranked]:
    """The cells that tell of one value of one axis: where it is the only change, and all that have it in a full
    product, over whose other settings one then averages."""
    own = getattr(grid.base.classifier, axis)
    known = [row for row in rows if row.means]
    if grid.full:
        return [row for row in known if row.changes.get(axis, own) == value]
    wanted = {} if value == own else {axis: value}
    return [row for row in known if row.changes == wanted]


def _tables(runs: Sequence[Run]) -> dict[str, NDArray[np.float64]]:
    return {figure: by_draw(runs, figure) for figure in (*FIGURES, VALIDATION)}
