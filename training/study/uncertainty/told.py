"""The study of uncertainty for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.study.paired import points


def table(told: Mapping[str, Any]) -> str:
    """One line a method and band."""
    return "\n".join(_lines(told))


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{'method':31s} {'band':28s} at its own threshold: FAR    FRR    EER   band in  "
        "FAR at equal FRR  in hindsight   less the single network        less no band (points, 95 %)"
    )
    for row in told["comparisons"]:
        yield (
            f"{row['method']:31s} {row['band']:28s} {row['far']:26.2%} {row['frr']:6.1%} {row['eer']:6.2%} "
            f"{row['chosen']:4d}/{row['draws']:<3d} {row['far_at_equal_frr']:17.2%} {_hindsight(row):>13s}   "
            f"{points(row.get('less_plain')):28s}   {points(row.get('less_no_band'))}"
        )


def _hindsight(row: Mapping[str, Any]) -> str:
    return f"{row['in_hindsight']:.2%}" if "in_hindsight" in row else ""
