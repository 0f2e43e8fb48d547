"""The studies' pictures, as inline SVG whose colours follow the page's (``--in``, ``--out``, ``currentColor``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

ROW_HEIGHT = 30
LEFT, RIGHT, WIDTH = 250, 840, 900


@dataclass(frozen=True, slots=True)
class Range:
    """A figure over trials, 0..1."""

    mean: float
    lowest: float
    highest: float


def ranges(rows: Sequence[tuple[str, Sequence[Range]]], *, legend: Sequence[str], label: str) -> str:
    """A line a row with one dot for each figure of ``legend`` (two at most: the first in the colour of residents, the
    second in that of strangers) and a bar from its lowest to its highest; the axis is 0 to 100 %."""

    def x(share: float) -> float:
        return LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0)

    parts = []
    for place, word in enumerate(legend):
        css = ("in", "out")[place]
        parts.append(
            f'<circle class={css} cx="{LEFT}" cy="{14 + 22 * place}" r="6"/>'
            f'<text x="{LEFT + 12}" y="{19 + 22 * place}" font-size="14">{escape(word)}</text>'
        )
    top = 22 * len(legend) + 18
    bottom = top + ROW_HEIGHT * len(rows)
    for tick in range(0, 101, 20):
        at = x(tick / 100)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top - 8}" y2="{bottom}" stroke="currentColor" opacity="0.15"/>'
            f'<text x="{at:.1f}" y="{bottom + 18}" font-size="13" text-anchor="middle">{tick} %</text>'
        )
    for row, (name, figures) in enumerate(rows):
        y = top + 12 + ROW_HEIGHT * row
        parts.append(f'<text x="{LEFT - 12}" y="{y + 5}" font-size="14" text-anchor="end">{escape(name)}</text>')
        for place, figure in enumerate(figures):
            css, colour = (("in", "var(--in)"), ("out", "var(--out)"))[place]
            parts.append(
                f'<line x1="{x(figure.lowest):.1f}" x2="{x(figure.highest):.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
                f'stroke-width="3" opacity="0.45"/><circle class={css} cx="{x(figure.mean):.1f}" cy="{y}" r="6"/>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 26}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )
