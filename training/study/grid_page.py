"""A grid as a table in the terminal and as a page with a small picture for each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from training.report_page import Markup
from training.report_page import table as html_table
from training.study.grid_plan import BASE, Grid, shown
from training.study.grid_ranks import COMPARED, Compared, Ranked, agreement, beyond_noise, of_value
from training.study.seeds import VALIDATION
from training.study.strips import Row, strips
from training.study.study_page import document

COLUMNS = (
    "The validation EER ranks (held-out enrolment clips against strangers who choose); the figures after it report "
    "(another day, strangers who chose nothing)."
)
HEAD = ("", "validation EER", "less the base", "", "EER", "less the base", "", "FRR at FAR 1 %", "less the base", "",
        "closed-set F1")  # fmt: skip
PAGE_HEAD = tuple(each for place, each in enumerate(HEAD) if each or place == 0)
WIDTHS = (28, 15, 22, 7, 7, 22, 7, 15, 22, 7, 14)
_STYLE = """
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
.charts figure { margin: 0; } .charts h3 { margin: 0 0 .3rem; font-size: 1rem; }
td small { color: var(--soft); } .better { color: var(--in); } .worse { color: var(--out); }
td.left { text-align: left; }
th, td { padding: .3rem .5rem; }
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
    for figure in COMPARED:
        cells.append(f"{row.means[figure]:.1%}")
        cells += ["", ""] if figure not in row.compared else _difference(row.compared[figure])
    return [*cells, f"{row.means['closed_set_f1']:.1%}"]


def _difference(compared: Compared) -> list[str]:
    found = compared.less_base
    return [f"{_points(found.mean)} [{_points(found.low)}, {_points(found.high)}]", mark(compared)]


def _points(share: float) -> str:
    # Adding 0 takes the sign from a zero.
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def mark(compared: Compared) -> str:
    """``noise`` where seeds alone bring two cells so far apart; else whether the cell is better or worse."""
    return "noise" if compared.within_noise else "better" if compared.less_base.mean < 0 else "worse"


def lead(rows: Sequence[Ranked]) -> str:
    """The finding, from the figures."""
    base, best = next(row for row in rows if row.name == BASE), rows[0]
    many, compared = beyond_noise(rows, VALIDATION)
    many_reported, _ = beyond_noise(rows, "eer")
    ranking, reported = (
        f"{best.means[figure]:.1%}{'' if best is base else f' (base {base.means[figure]:.1%})'}"
        for figure in (VALIDATION, "eer")
    )
    name = f"{best.name[:1].upper()}{best.name[1:]}" if best is not base else "The base"
    said = (
        f"{name} has the lowest validation EER, {ranking}; on strangers and another day its EER is {reported}. Of "
        f"{compared} cells {many} differ from the base by more than seeds do in what ranks and {many_reported} in the "
        f"EER that is reported; {compared / 20:.1f} would by chance alone."
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
        html_table(PAGE_HEAD, [_marked(row) for row in rows]),
        "<h2>Each setting</h2><div class=charts>",
        *(_chart(grid, rows, axis) for axis in grid.axes),
        "</div><h2>How to read this</h2>",
        f"<p>Every cell was learnt {runs} times, in the same households with the same seeds as the base. <b>Less the "
        "base</b>: the mean difference in points, and its 95 % interval by Student's t over households, each "
        "household's seeds averaged first; below 0 is better. <b>Noise</b>: seeds alone bring two cells so far apart "
        "19 times of 20, so nothing was found. The deviation between seeds is that of all cells together, so that one "
        "cell that hardly learns makes it larger, and seeds are taken as independent, which they are not quite where a "
        "setting leaves the first weights as they are: both call too much noise rather than too little. A difference "
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
    """The cells of a row for the page: what is better in the colour of residents, worse in that of strangers."""
    if not row.means:
        return [row.name, Markup(f'<td class=left colspan="{len(PAGE_HEAD) - 1}">{escape(_cells(row)[1])}</td>')]
    cells = [row.name]
    for figure in COMPARED:
        cells.append(f"{row.means[figure]:.1%}")
        cells.append(Markup(_two_lines(row.compared[figure])) if figure in row.compared else "")
    return [*cells, f"{row.means['closed_set_f1']:.1%}"]


def _two_lines(compared: Compared) -> str:
    found, said = compared.less_base, mark(compared)
    return (
        f"<td>{_points(found.mean)} <span class={said}>{said}</span><br>"
        f"<small>{_points(found.low)} to {_points(found.high)}</small></td>"
    )


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
