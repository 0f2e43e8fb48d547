"""What chance does, as a table in the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from training.report_page import table as html_table
from training.study.chance import Interval, Spread
from training.study.strips import Row, strips
from training.study.study_page import document, figure

NAMES = {
    "closed_set_f1": "closed-set F1",
    "eer": "EER",
    "frr_where_far_is_1pct": "FRR at FAR 1 %",
    "far_reached": "FAR at its own 1 %",
    "frr": "FRR at its own 1 %",
    "visit_eer": "visit: EER",
    "visit_frr_where_far_is_1pct": "visit: FRR at FAR 1 %",
    "validation_eer": "validation EER",
}
HEAD = ("", "mean", "± seeds", "± households", "seeds' share", "these households", "other households",
        "told apart from")  # fmt: skip
WIDTHS = (22, 7, 9, 13, 13, 23, 23, 16)
CAPTION = "Residents on another day against strangers nobody learnt from, single clips, int8."
MANY = (1, 2, 3, 5, 10, 20, 50)


def table(figures: Mapping[str, Spread]) -> str:
    """One line a figure, and how large a difference must be."""
    return "\n".join(_lines(figures))


def _lines(figures: Mapping[str, Spread]) -> Iterator[str]:
    for cells in (HEAD, *_rows(figures)):
        yield f"{cells[0]:{WIDTHS[0]}s}" + "".join(
            f"{cell:>{wide}s}" for cell, wide in zip(cells[1:], WIDTHS[1:], strict=True)
        )
    yield lead(figures)


def lead(figures: Mapping[str, Spread]) -> str:
    """The finding in a few sentences, from the figures."""
    eer = figures["eer"]
    moved = (
        f"{_points(eer.seed_deviation)} (at most {100 * eer.seed_deviation_at_most:.1f}) between seeds in one household"
    )
    if eer.draws > 1:
        more = "Seeds" if eer.seed_deviation > eer.draw_deviation else "Households"
        moved = (
            f"{more} matter more: an EER deviates by {moved} and by {_points(eer.draw_deviation)} between households"
        )
    else:
        moved = f"An EER deviates by {moved}"
    return (
        f"{moved}. With {eer.seeds} seeds in each of {eer.draws} households two recipes differ by more than chance "
        f"when their mean EERs are {_points(eer.told_apart(eer.seeds))} apart; a true difference is found four times "
        f"of five from {_points(eer.found(eer.seeds))} on."
    )


def page(name: str, figures: Mapping[str, Spread], eer: Sequence[Sequence[float]], command: str) -> str:
    """The whole page, self-contained HTML; ``eer`` by household and seed, ``command`` what made it."""
    values = [value for row in eer for value in row]
    picture = strips(
        [Row(f"household {number}", (tuple(row),)) for number, row in enumerate(eer, start=1)],
        legend=("EER of one seed; the stroke is their mean",),
        label="EER of every seed in every household", low=min(values), high=max(values),
    )  # fmt: skip
    few = figures["eer"]
    parts = [
        "<style>.narrow { max-width: 38rem; } th, td { padding: .3rem .6rem; }</style>",
        f"<div class=narrow>{figure(picture, CAPTION)}</div>",
        html_table(HEAD, _rows(figures)),
        "<h2>How many seeds a comparison needs</h2>",
        f"<p>Two recipes in the same {few.draws} households, with so many seeds each: how far apart their means must "
        "be to be called more than chance at 95 %, and in brackets how large a true difference must be to be found "
        "four times of five. The deviation between seeds is the one measured here.</p>",
        html_table(("seeds", "EER", "FRR at FAR 1 %", "visit: EER"), [_needed(count, figures) for count in MANY]),
        "<h2>How to read this</h2><p>A seed decides first weights, the order of clips, dropout and noise while "
        "learning; who lives in the household and which clips are learnt stays the same. <b>± seeds</b> and <b>± "
        "households</b> are standard deviations in points: between seeds in one household, and between households with "
        "the seeds' part taken out; <b>seeds' share</b> is of the variance. <b>At most</b> is with 95 % confidence: "
        "few seeds tell a deviation badly, and a rare seed may learn much worse than the rest. Then intervals of the "
        "mean, 95 %, by Student's t: for seeds drawn anew in <b>these households</b>, and for <b>other households</b>. "
        "Those share "
        "people with each other, since a pack has only so many who were recorded twice, so that this one is rather too "
        "narrow. <b>Told apart from</b> so many points on are two recipes learnt with as many seeds in the same "
        "households. Whether a difference is the same in other households is another question, which one recipe cannot "
        "answer.</p>",
    ]
    return document(f"What chance does to {name}", lead(figures), command, parts)


def _rows(figures: Mapping[str, Spread]) -> list[list[str]]:
    return [
        [
            NAMES[name],
            f"{each.mean:.1%}",
            f"{100 * each.seed_deviation:.1f}",
            f"{100 * each.draw_deviation:.1f}" if each.draws > 1 else "-",
            f"{each.seeds_share:.0%}" if each.draws > 1 else "-",
            _between(each.these_households),
            _between(each.other_households),
            f"{100 * each.told_apart(each.seeds):.1f}",
        ]
        for name, each in figures.items()
    ]


def _needed(count: int, figures: Mapping[str, Spread]) -> list[str]:
    cells = [str(count)]
    for name in ("eer", "frr_where_far_is_1pct", "visit_eer"):
        each = figures[name]
        cells.append(f"{_points(each.told_apart(count))} ({100 * each.found(count):.1f})")
    return cells


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _between(interval: Interval | None) -> str:
    # The interval knows nothing of the ends of a rate.
    return "-" if interval is None else f"{max(interval.low, 0.0):.1%} to {min(interval.high, 1.0):.1%}"
