"""A picture of rows of dots over one axis of per cent, as inline SVG whose colours follow the page's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

ROW, TOP, LEFT, RIGHT, WIDTH = 34, 40, 165, 500, 520
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 7
CSS = (("in", "var(--in)"), ("out", "var(--out)"))


@dataclass(frozen=True, slots=True)
class Row:
    """A name, and the values of each series, 0..1."""

    name: str
    series: tuple[tuple[float, ...], ...]


def strips(rows: Sequence[Row], *, legend: Sequence[str], label: str, low: float, high: float) -> str:
    """Pale dots for values, a stroke at their mean; up to two series a row, the second below the first. The axis holds
    ``low`` to ``high``, 0..1."""
    step = next((each for each in STEPS if (high - low) / each <= MOST_TICKS - 1), STEPS[-1])
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1)
    bottom = TOP + ROW * len(rows)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value / step - first) / (last - first)

    parts = []
    for tick in range(first, last + 1):
        at = x(tick * step)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{bottom}" stroke="currentColor" opacity="0.15"/>'
            f'<text x="{at:.1f}" y="{bottom + 17}" font-size="13" text-anchor="middle">{100 * tick * step:g} %</text>'
        )
    for place, word in enumerate(legend):
        across = 12 + 260 * place
        parts.append(
            f'<circle class={CSS[place][0]} cx="{across}" cy="14" r="5"/>'
            f'<text x="{across + 12}" y="19" font-size="14">{escape(word)}</text>'
        )
    for place, row in enumerate(rows):
        middle = TOP + ROW * place + ROW / 2
        parts.append(
            f'<text x="{LEFT - 10}" y="{middle + 5}" font-size="14" text-anchor="end">{escape(row.name)}</text>'
        )
        for number, values in enumerate(row.series):
            css, colour = CSS[number]
            y = middle + (12 * number - 6 if len(row.series) > 1 else 0)
            mean = x(sum(values) / len(values))
            parts += [f'<circle class={css} cx="{x(each):.1f}" cy="{y}" r="4" opacity="0.45"/>' for each in values]
            parts.append(
                f'<line x1="{mean:.1f}" x2="{mean:.1f}" y1="{y - 7}" y2="{y + 7}" stroke="{colour}" stroke-width="3"/>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 24}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )
