"""Numbers as text of a known width, and text cut to a width. Pure."""

from __future__ import annotations

import textwrap
import unicodedata

LOWEST_DBFS = -70.0


def bar(share: float, width: int, *, mark: float | None = None) -> str:
    """``share`` 0..1 (clamped; not a number is 0) as ``width`` characters, with ``mark`` as a bar across it."""
    filled = round(_clamped(share) * width)
    cells = ["#"] * filled + ["-"] * (width - filled)
    if mark is not None and width:
        cells[min(width - 1, round(_clamped(mark) * width))] = "|"
    return "".join(cells)


def level_bar(level_dbfs: float, width: int, *, peak_dbfs: float | None = None) -> str:
    """A level from -70 dBFS to full scale, with the peak as a mark."""
    mark = None if peak_dbfs is None else 1.0 - peak_dbfs / LOWEST_DBFS
    return bar(1.0 - level_dbfs / LOWEST_DBFS, width, mark=mark)


def printable(text: str) -> str:
    """Without control characters: a name from a file cannot move the cursor."""
    return "".join(each if unicodedata.category(each)[0] != "C" else "?" for each in text)


def fitted(text: str, width: int) -> str:
    """At most ``width`` characters, the last a dot dot dot where something was cut off."""
    clean = printable(text)
    return clean if len(clean) <= width else clean[: max(0, width - 1)] + "…"


def folded(text: str, width: int, *, indent: str = "") -> list[str]:
    """``text`` over as many lines as it takes, each of at most ``width`` characters with its ``indent``."""
    return textwrap.wrap(
        printable(text), max(20, width), initial_indent=indent, subsequent_indent=indent, break_long_words=True
    ) or [indent]


def _clamped(share: float) -> float:
    # Written so that a value which is not a number is 0.
    return min(1.0, share) if share > 0.0 else 0.0
