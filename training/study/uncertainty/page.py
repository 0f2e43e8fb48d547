"""The study of uncertainty as one page: the answer, who is uncertain, whether that tells anything, what a band does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.report_page import share_bar, table
from training.study.paired import points
from training.study.study_page import document, dots, figure, intervals
from training.study.uncertainty.carry_out import NO_BAND_NAME, SHUFFLED
from training.study.uncertainty.measures import MEASURES
from training.study.uncertainty.product import SEVERAL

WORDS = {
    "entropy": "predictive entropy",
    "expected": "expected entropy",
    "mutual": "mutual information",
    "variance": "variance",
    "spread": "logits' spread",
}


def page(told: Mapping[str, Any]) -> str:
    """The whole page for what :mod:`training.study.uncertainty.command` found."""
    return document("Does it know when it does not know?", summary(told), told["command"], [
        "<h2>Does refusing what is uncertain keep strangers out?</h2>",
        _bands_picture(told["comparisons"]),
        _bands_table(told["comparisons"]),
        _HOW_BANDS,
        "<h2>Who is uncertain about whom</h2>",
        _groups_picture(told["groups"]),
        *_groups_tables(told["groups"]),
        _outsiders_note(told["groups"]),
        "<h2>Is a stranger the more uncertain one?</h2>",
        _telling_table(told["telling"]),
        _HOW_TELLING,
    ])  # fmt: skip


def summary(told: Mapping[str, Any]) -> str:
    """What the figures say, counted."""
    rows = told["comparisons"]
    banded = [row for row in rows if row["band"] not in (NO_BAND_NAME, SHUFFLED)]
    mixed = [row for row in rows if row["band"] == NO_BAND_NAME and "less_plain" in row]

    def counted(some: Sequence[Mapping[str, Any]], key: str) -> str:
        fewer = sum(row[key]["high"] < 0 for row in some)
        more = sum(row[key]["low"] > 0 for row in some)
        return f"{fewer} of {len(some)} lower the strangers' FAR at equal FRR beyond chance, {more} raise it"

    pack = told["pack"]
    return (
        f"{told['draws']} random households of {told['residents']} from {pack['speakers']} people, each tried on "
        f"another day and against strangers the network never met. A band on top of the same answers: "
        f"{counted(banded, 'less_no_band')}. The mean of several answers instead of one, without a band: "
        f"{counted(mixed, 'less_plain')}."
    )


def _bands_picture(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [(f"{row['method']}, {row['band']}", row["less_plain"]) for row in rows if "less_plain" in row]
    return figure(
        intervals("bands", "What each method and band changes in the FAR at equal FRR",
                  "FAR at equal FRR less that of the single network, points", shown),
        "Left of 0 fewer strangers get in while as many residents do. Lines: 95 % intervals, people and draws drawn "
        "anew; green and orange where they leave 0 out. One in twenty does by chance alone.",
    )  # fmt: skip


def _bands_table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["", "FAR at equal FRR", "less single network", "less no band", "in hindsight", "band in", "EER",
            "FAR, own threshold", "FRR, own threshold", "FAR at FRR 10 %", "FAR at FRR 20 %"]  # fmt: skip
    return table(head, [
        [
            f"{row['method']}, {row['band']}",
            f"{row['far_at_equal_frr']:.2%}",
            points(row.get("less_plain")),
            points(row.get("less_no_band")),
            f"{row['in_hindsight']:.2%}" if "in_hindsight" in row else "",
            "" if row["band"] == NO_BAND_NAME else f"{row['chosen']} of {row['draws']}",
            f"{row['eer']:.2%}",
            f"{row['far']:.2%}",
            f"{row['frr']:.1%}",
            f"{row['far_at_frr_10%']:.2%}",
            f"{row['far_at_frr_20%']:.2%}",
        ]
        for row in rows
    ])  # fmt: skip


def _groups_picture(groups: Mapping[str, Any]) -> str:
    names = list(next(iter(groups.values())))
    shown = {
        method: [by_group[name]["mutual"] if name in by_group else None for name in names]
        for method, by_group in groups.items()
        if method != SEVERAL and any(each["mutual"] > 0 for each in by_group.values())
    }
    return figure(
        dots("groups", "Mutual information by group and method", "mutual information, bits", names, shown),
        "How far the answers disagree, averaged over the group's clips and the draws. The door's four hearings "
        "disagree on another scale; they stand in the table below.",
    )


def _groups_tables(groups: Mapping[str, Any]) -> list[str]:
    parts = []
    for method, by_group in groups.items():
        rows = [
            [
                name,
                *(f"{each[measure]:.3f}" for measure in MEASURES),
                share_bar(each["admitted"], bad=not name.startswith("residents")),
                f"{each['clips']:.0f}",
            ]
            for name, each in by_group.items()
        ]
        parts.append(f"<h3>{method}</h3>")
        parts.append(table(["", *WORDS.values(), "admitted", "clips"], rows))
    return parts


def _outsiders_note(groups: Mapping[str, Any]) -> str:
    names = {name for by_group in groups.values() for name in by_group}
    absent = [
        said
        for said, there in (
            ("noise", "noise" in names),
            ("other languages", any(name.startswith("language ") for name in names)),
        )
        if not there
    ]
    note = (
        "<p>Means over the clips and the draws. The predictive entropy is that of the mean answer; it is the expected "
        "entropy of each answer and the mutual information, all in bits. <i>Admitted</i> is the share of single clips "
        "at the threshold that the choosing strangers give for a FAR of 1 %. Noise is the pack's own, cut into 3 s "
        "without asking whether it is speech: at a door the detector drops most of it first. Speech in other languages "
        "may come from rows that a pack keeps for training: these classifiers learn from the trial's clips alone, so "
        "nobody of them was met. The door's own network is asked of the pack's speech only, since it may have met "
        "those rows.</p>"
    )
    return note + (f"<p>This pack has no rows of: {', '.join(absent)}.</p>" if absent else "")


def _telling_table(telling: Mapping[str, Any]) -> str:
    rows = []
    for method, measures in telling.items():
        for name, each in measures.items():
            if name != "expected" and not (method in ("plain", "door's network") and name != "entropy"):
                admitted = "nobody to compare" if each["of_admitted"] is None else f"{each['of_admitted']:.1%}"
                rows.append([f"{method}: {WORDS[name]}", f"{each['of_all']:.1%}", admitted])
    return table(["", "of all clips", "of admitted clips"], rows)


_HOW_BANDS = (
    "<p>Equal FRR is the one the single network has on that draw, at the threshold that the choosing strangers give "
    "for a FAR of 1 %. Every band's number (the limit, or how many times the spread is taken off) is chosen on the "
    "same strangers and on residents' held-back clips of the day they were learnt, and only where it beats no band "
    "there; <i>band in</i> says in how many draws it did. The judged people chose nothing. <i>Dealt at random</i> is "
    "the control: the same limits with each clip's uncertainty exchanged for another's. <i>In hindsight</i> is the "
    "FAR at equal FRR with the number that suits the judged clips best: no door could have chosen it, and chance alone "
    "makes it look better than none, as the control shows.</p>"
    "<p>A limit on the entropy of the mean answer can add nothing to the mean answer: the entropy of a yes-or-no "
    "answer follows from its probability, so the limit is one more threshold on the same score.</p>"
    "<p>Dropout here leaves units out before the last layer only, where the recipes have it; the answers differ less "
    "than with dropout throughout. The mean logit of many passes is that of the single network. An ensemble costs its "
    "number of members in memory and time.</p>"
)
_HOW_TELLING = (
    "<p>In how many of a hundred pairs the stranger's clip is more uncertain than the resident's of another day: 50 % "
    "tells nothing. A band works on the clips that the threshold admits; there, strangers would have to be the more "
    "uncertain ones.</p>"
)
