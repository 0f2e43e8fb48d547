"""What the pages of studies share: the frame, and two kinds of picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.corpus.survey_svg import HUES, INK, draw_svg
from training.report_page import STYLE

_COLOURS = """
:root { --h1: #1769aa; --h2: #c2410c; --h3: #15803d; --h4: #9333ea; --h5: #a16207; --h6: #be185d; }
@media (prefers-color-scheme: dark) { :root {
  --h1: #6cb6f5; --h2: #fb923c; --h3: #4ade80; --h4: #c084fc; --h5: #facc15; --h6: #f472b6; } }
code { overflow-wrap: anywhere; } h3 { margin: 1.6rem 0 .2rem; }
"""

# Rows of studies have long names.
WIDE_INCHES = 9.0


def document(title: str, lead: str, command: str, parts: Sequence[str]) -> str:
    """The whole page; ``lead`` and ``command`` are text, ``parts`` HTML."""
    return "\n".join([
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}{_COLOURS}</style><h1>{escape(title)}</h1>",
        f"<p class=lead>{escape(lead)}</p><p class=soft><code>{escape(command)}</code></p>",
        *parts,
        "</html>",
    ])  # fmt: skip


def figure(picture: str, caption: str) -> str:
    """A picture with its caption, which is text."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def intervals(name: str, label: str, axis: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A row a comparison: the mean difference in points and its interval, coloured where that leaves 0 out."""

    def draw(drawn: Any) -> None:
        axes = drawn.subplots()
        for row, (_, found) in enumerate(rows):
            low, mean, high = (100.0 * found[key] for key in ("low", "mean", "high"))
            colour = HUES[2] if high < 0 else HUES[1] if low > 0 else INK
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(mean, row, marker="o", markersize=7, color=colour)
        axes.axvline(0.0, color=INK, linewidth=1.2, alpha=0.6)
        axes.set_xlabel(axis)
        _rows(axes, [each for each, _ in rows])

    return draw_svg(name, label, draw, height_inches=0.9 + 0.25 * len(rows), width_inches=WIDE_INCHES)


def dots(name: str, label: str, axis: str, rows: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """A row a name, and in it a dot a series; None where there is nothing to show."""

    def draw(drawn: Any) -> None:
        axes = drawn.subplots()
        for number, (said, values) in enumerate(series.items()):
            shown = [(value, row) for row, value in enumerate(values) if value is not None]
            axes.scatter([value for value, _ in shown], [row for _, row in shown], s=64,
                         marker="oDs^vX"[number % 6], color=HUES[number % len(HUES)], label=said, zorder=3)  # fmt: skip
        axes.set_xlabel(axis)
        axes.set_xlim(left=0)
        axes.grid(True, axis="both")
        _rows(axes, rows)
        drawn.legend(frameon=False, fontsize=9, ncols=3, loc="outside lower center")

    return draw_svg(name, label, draw, height_inches=1.4 + 0.3 * len(rows), width_inches=WIDE_INCHES)


def _rows(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
