"""A grid as a table in the terminal and as a page with a small picture for each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from training.report_page import Markup
from training.report_page import table as html_table
from training.study.grid_plan import BASE, Grid, shown
from training.study.grid_ranks import Compared, Ranked, agreement, beyond_noise, of_value
from training.study.seeds import VALIDATION
from training.study.strips import Row, strips
from training.study.study_page import document

COLUMNS = (
    "The validation EER ranks (held-out enrolment clips against strangers who choose); the figures after it report "
    "(another day, strangers who chose nothing)."
)
HEAD = ("", "validation EER", "less the base", "", "EER", "less the base", "", "FRR at FAR 1 %", "less the base", "",
        "closed-set F1")  # fmt: skip
WIDTHS = (28, 15, 22, 7, 7, 22, 7, 15, 22, 7, 14)
_STYLE = """
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
.charts figure { margin: 0; } .charts h3 { margin: 0 0 .3rem; font-size: 1rem; }
td small { color: var(--soft); } td.better { color: var(--in); } td.worse { color: var(--out); }
"""


def table(rows: Sequence[Ranked]) -> str:
    """One line a cell, lowest validation EER first."""
    return "\n".join(_lines(rows))


def _lines(rows: Sequence[Ranked]) -> Iterator[str]:
    yield COLUMNS
    yield _line(HEAD)
    for row in rows:
        yield _line([str(cell) for cell in _cells(row)])
    yield lead(rows)


def _line(cells: Sequence[str]) -> str:
    return " ".join(
        f"{cell:>{wide}s}" if place else f"{cell:{wide}s}"
        for place, (cell, wide) in enumerate(zip(cells, WIDTHS, strict=False))
    )


def _cells(row: Ranked) -> list[str]:
    if not row.means:
        return [row.name, f"ran away in {row.ran_away} of {row.runs} runs"]
    cells = [row.name]
    for figure in (VALIDATION, "eer", "frr_where_far_is_1pct"):
        cells.append(f"{row.means[figure]:.1%}")
        cells += ["", ""] if figure not in row.compared else _difference(row.compared[figure])
    return [*cells, f"{row.means['closed_set_f1']:.1%}"]


def _difference(compared: Compared) -> list[str]:
    found = compared.less_base
    return [f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]", mark(compared)]


def mark(compared: Compared) -> str:
    """``noise`` where seeds alone bring two cells so far apart; else whether the cell is better or worse."""
    return "noise" if compared.within_noise else "better" if compared.less_base.mean < 0 else "worse"


def lead(rows: Sequence[Ranked]) -> str:
    """The finding, from the figures."""
    base = next(row for row in rows if row.name == BASE)
    best = rows[0]
    many, compared = beyond_noise(rows, VALIDATION)
    many_reported, _ = beyond_noise(rows, "eer")
    said = (
        f"{best.name[:1].upper()}{best.name[1:]} has the lowest validation EER, {best.means[VALIDATION]:.1%} (base "
        f"{base.means[VALIDATION]:.1%}); on strangers and another day its EER is {best.means['eer']:.1%} (base "
        f"{base.means['eer']:.1%}). Of {compared} cells {many} differ from the base by more than seeds do in what "
        f"ranks and {many_reported} in the EER that is reported; {compared / 20:.1f} would by chance alone."
    )
    agree = agreement(rows)
    if agree is None:
        return said
    return f"{said} The two EERs order the cells alike with a rank correlation of {agree:+.2f}."


def page(grid: Grid, rows: Sequence[Ranked], command: str) -> str:
    """The whole page, self-contained HTML, made by ``command``."""
    runs = rows[0].runs
    parts = [
        f"<style>{_STYLE}</style><p>{escape(COLUMNS)}</p>",
        html_table(HEAD, [_marked(row) for row in rows]),
        "<h2>Each setting</h2><div class=charts>",
        *(_chart(grid, rows, axis) for axis in grid.axes),
        "</div><h2>How to read this</h2>",
        f"<p>Every cell was learnt {runs} times, in the same households with the same seeds as the base. <b>Less the "
        "base</b>: the mean difference in points, and its 95 % interval by Student's t over households, each "
        "household's seeds averaged first; below 0 is better. <b>Noise</b>: seeds alone bring two cells so far apart "
        "19 times of 20, so nothing was found; the deviation between seeds is that of all cells together. A difference "
        "beyond noise whose interval includes 0 is real in these households and may not be in others.</p>"
        "<p>Choosing a cell by the figures that report would make them too good; the validation EER that chooses rests "
        "on few clips of the residents' enrolment day, so that it flatters, and tells small differences badly. "
        + ("Every combination was learnt; a picture shows a setting's value over all the others."
           if grid.full else
           "One setting was changed at a time: what two changes do together is not in here, and an optimiser may want "
           "a learning rate other than the base's. <code>--full</code> learns every combination.")
        + "</p>",
    ]  # fmt: skip
    return document("A grid of settings", lead(rows), command, parts)


def _marked(row: Ranked) -> list[str]:
    """The cells of a row, its marks in the colours of residents (better) and strangers (worse)."""
    cells = _cells(row)
    if not row.means:
        return [cells[0], Markup(f'<td colspan="{len(HEAD) - 1}">{escape(cells[1])}</td>')]
    return [Markup(f"<td class={cell}>{cell}</td>") if cell in ("better", "worse") else cell for cell in cells]


def _chart(grid: Grid, rows: Sequence[Ranked], axis: str) -> str:
    own = getattr(grid.base.classifier, axis)
    told = {value: of_value(grid, rows, axis, value) for value in grid.axes[axis]}
    lines = [
        Row(f"{shown(value)}{' (base)' if value == own else ''}", (_dots(cells, VALIDATION), _dots(cells, "eer")))
        for value, cells in told.items()
        if cells
    ]
    every = [value for row in rows if row.means for figure in (VALIDATION, "eer") for value in row.by_household[figure]]
    picture = strips(
        lines, legend=("validation EER", "EER, another day"), label=f"EER by {axis}", low=min(every), high=max(every)
    )
    away = [shown(value) for value, cells in told.items() if not cells]
    said = "A dot a household, the stroke their mean." + (f" Ran away: {', '.join(away)}." if away else "")
    return f"<figure><h3>{escape(axis)}</h3>{picture}<figcaption>{escape(said)}</figcaption></figure>"


def _dots(cells: Sequence[Ranked], figure: str) -> tuple[float, ...]:
    """By household, the mean over cells."""
    columns: list[tuple[Any, ...]] = list(zip(*(row.by_household[figure] for row in cells), strict=True))
    return tuple(sum(each) / len(each) for each in columns)
