"""matplotlib drawings as inline SVG whose colours follow the page, light or dark.

matplotlib knows no CSS, so everything is drawn in a few reserved colours, which are then replaced by ``currentColor``
and the page's variables ``--h1`` to ``--h6``. Letters stay text, in the page's own font.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

INK = "#010101"
HUES = tuple(f"#01f00{number}" for number in range(1, 7))
# Light enough for every colour of a spectrogram.
PITCH = "#7dd3fc"
WIDTH_INCHES = 5.0
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "survey",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.major.size": 0,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": INK,
    "grid.alpha": 0.12,
}


def short(name: str, most: int = 18) -> str:
    """A name that fits beside an axis."""
    plain = "".join(each if each.isprintable() else "?" for each in name)
    if len(plain) <= most:
        return plain
    # Numbered names differ at their ends.
    end = most // 2
    return f"{plain[: most - end - 1]}…{plain[-end:]}"


def draw_svg(
    name: str, label: str, draw: Callable[[Any], None], *, height_inches: float, width_inches: float = WIDTH_INCHES
) -> str:
    """Draw on a new transparent figure; return SVG fit to stand inside a page beside others."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # Letters that matplotlib's own font lacks are still drawn by the page's.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        content = io.StringIO()
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return fit_for_page(content.getvalue(), name, label)


def fit_for_page(svg: str, name: str, label: str) -> str:
    """Take out what a page does not need (prologue, metadata, fonts, unused ids) and put its colours in."""
    found = re.search(r'viewBox="([^"]+)"[^>]*>(.*)</svg>', svg, flags=re.DOTALL)
    if found is None:
        raise ValueError("matplotlib wrote no picture")
    body = re.sub(r"<metadata>.*?</metadata>", "", found.group(2), flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL).replace("xlink:href=", "href=")
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda each: f' id="{name}-{each[1]}"' if each[1] in used else "", body)
    body = re.sub(r'(href="|url\()#', rf"\1#{name}-", body)
    body = re.sub(r"(font: )([\d.]+px) [^;\"]+", r"font-size: \2", body)
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    colours = {INK: "currentColor", **{hue: f"var(--h{row})" for row, hue in enumerate(HUES, start=1)}}
    for reserved, colour in colours.items():
        body = body.replace(reserved, colour)
    return f'<svg viewBox="{found.group(1)}" role="img" aria-label="{escape(label, quote=True)}">{body}</svg>'
