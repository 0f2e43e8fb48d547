"""What a study of layers found, as a table for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.study.layers.measured import ALL, TREATMENTS, Measured
from training.study.layers.paired import Interval, Rates
from training.study.layers.suggestion import SHIPPED, Outcome
from training.study.layers.verdict import Verdict

# Short, since there are many columns.
HEADINGS = {
    "reset": "reset",
    "reset, norms measured": "reset*",
    "drawn": "drawn",
    "drawn, norms measured": "drawn*",
    **{each.name: f"-{each.level:.0%}" for each in TREATMENTS if each.kind == "pruned"},
    **{each.name: each.name for each in TREATMENTS if each.kind == "quantised"},
}
NOTE = (
    "EER on the validation speakers, one layer changed at a time. reset: to its start; drawn: anew, mean of several; "
    "*: with the means and variances of the batch norms measured anew; -25%: so many weights set to zero. freeze: may "
    "stay at its start; zeros, bits: the most and the fewest it surely tolerates."
)


def percent(found: Measured) -> str:
    return f"{found.eer.value:.1%}"


def main_table(
    measured: Mapping[str, Mapping[str, Measured]],
    verdicts: Sequence[Verdict],
    plain: Rates,
    *,
    show: Callable[[Measured], str] = percent,
) -> tuple[list[str], list[list[str]]]:
    """Heading and rows: each layer's EER under each treatment, as ``show`` writes it, and the verdict."""
    by_layer = {each.layer: each for each in verdicts}
    head = ["layer", "weights", *HEADINGS.values(), "freeze", "zeros", "bits"]
    rows = []
    for layer, row in measured.items():
        verdict = by_layer[layer]
        cells = [show(row[name]) if name in row else "" for name in HEADINGS]
        freezes = "" if layer == ALL else verdict.freezes
        zeros, bits = (f"{verdict.share:.0%}" if verdict.share else "none"), str(verdict.bits or "float")
        rows.append([layer, str(verdict.weights), *cells, freezes, zeros, bits])
    nothing = ["as learnt", str(sum(each.weights for each in verdicts if each.layer != ALL))]
    return head, [[*nothing, f"{plain.eer[0]:.1%}", *[""] * (len(head) - 3)], *rows]


def together_table(outcomes: Mapping[str, Outcome]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows: what was treated together, and what is left of it in int8."""
    head = ["together", "layers", "saved, packed", "file", "compressed", "float EER", "int8 EER", "dearer by",
            "int8 FRR at 1 %"]  # fmt: skip
    rows = []
    for name, each in outcomes.items():
        cost = "" if name == SHIPPED else points(each.int8_rates.eer_cost)
        rows.append([name, str(len(each.plan)), f"{each.saved_bytes / 1000:.0f} kB", f"{each.file_bytes / 1000:.0f} kB",
                     f"{each.deflated_bytes / 1000:.0f} kB", f"{each.float_rates.eer.value:.2%}",
                     f"{each.int8_rates.eer.value:.2%}", cost, f"{each.int8_rates.frr.value:.1%}"])  # fmt: skip
    return head, rows


def pack_table(told: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows: the chosen one beside the shipped network, on other people."""
    head = ["on the pack, int8", "people", "", "EER", "dearer by", "FRR at 1 %", "dearer by"]
    rows = []
    for trial, found in told.items():
        for place, (name, each) in enumerate(found["systems"].items()):
            costs = [points(Interval(**each[key])) if place else "" for key in ("eer_cost", "frr_cost")]
            rows.append([trial if not place else "", str(found["people"]) if not place else "", name,
                         f"{each['eer']['value']:.2%}", costs[0], f"{each['frr']['value']:.1%}", costs[1]])  # fmt: skip
    return head, rows


def points(cost: Interval) -> str:
    """A difference in percentage points, with its interval."""
    return f"{100 * cost.value:+.2f} ({100 * cost.low:+.2f} to {100 * cost.high:+.2f})"


def in_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text for a terminal: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        first, *others = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)
