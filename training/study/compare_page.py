"""The comparison as a table in the terminal and as a page: what course projects report beside what counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from training.report_page import table as html_table
from training.study.pictures import Range, ranges
from training.study.study_page import document, figure

EXPLAINED = """<b>Closed-set F1</b> is measured on further clips of the same people, recorded on the same day as those
learnt from: what course projects report. <b>EER</b> and <b>FRR at FAR 1 %</b> are measured on residents on another day
and on strangers nobody learnt from: what happens at a door. <b>FAR at its own 1 %</b> is what a threshold chosen for
1 % on other strangers lets in. All networks are judged in int8, by the door's own interpreter; the embedding was learnt
once from other people and only its prototypes are of these residents, so that <i>learnt in</i> is the time of
enrolment. Residents are enrolled as recorded."""


def table(told: Mapping[str, Any]) -> str:
    """One line a system, best EER first; each figure the mean over trials, with its deviation where it fits."""
    return "\n".join(_lines(told["systems"]))


def _lines(systems: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{'':14s} closed-set F1   unseen strangers, another day: EER  FRR@FAR1%  visit EER   FRR@FAR1%      kB  "
        "M mult-adds  int8 ms  learnt in s"
    )
    for name, each in by_eer(systems):
        figures = each["figures"]
        yield (
            f"{name:14s} {_with(figures['closed_set_f1']):>13s} {_with(figures['eer']):>36s} "
            f"{figures['frr_where_far_is_1pct']['mean']:10.1%} {figures['visit_eer']['mean']:10.1%} "
            f"{figures['visit_frr_where_far_is_1pct']['mean']:11.1%} {_or_none(each['bytes'], 1e3, 0):>7s} "
            f"{_or_none(each['multiply_adds'], 1e6, 1):>12s} {_or_none(each['clip_ms'], 1.0, 2):>8s} "
            f"{each['learning_seconds']:12.1f}"
        )


def by_eer(systems: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Best first."""
    return sorted(systems.items(), key=lambda each: each[1]["figures"]["eer"]["mean"])


def _with(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.1%} ± {100 * figure['deviation']:.1f}"


def _or_none(value: float | None, unit: float, digits: int) -> str:
    return "-" if value is None else f"{value / unit:.{digits}f}"


def page(told: Mapping[str, Any], command: str) -> str:
    """The whole page, self-contained HTML, made by ``command``."""
    best = by_eer(told["systems"])
    rows = [
        (name, [_range(each["figures"]["closed_set_f1"]), _range(each["figures"]["frr_where_far_is_1pct"])])
        for name, each in best
    ]
    picture = ranges(
        rows,
        legend=("closed-set F1 (high looks good)", "residents refused where 1 % of strangers get in (low is good)"),
        label="Closed-set F1 and false refusals of each system",
    )
    rates = html_table(
        ["", "closed-set F1", "EER", "FRR at FAR 1 %", "FAR at its own 1 %", "visit: EER", "visit: FRR at FAR 1 %"],
        [_rates(name, each) for name, each in best],
    )
    costs = html_table(
        ["", "kB in int8", "million multiply-adds", "ms a clip", "learnt in s"],
        [_costs(name, each) for name, each in best],
    )
    caption = (
        f"Dots: means over {told['settings']['draws']} random households; bars: from the lowest to the highest of them."
    )
    parts = [
        figure(picture, caption),
        f"<h2>Error rates</h2>{rates}<h2>What it costs</h2>{costs}<h2>How to read this</h2><p>{EXPLAINED}</p>",
        *(f"<p>{escape(name)} is not in the tables: {escape(why)}</p>" for name, why in told["failed"].items()),
        f"<p class=soft>{escape(_people(told))}</p>",
    ]
    return document("Networks compared", lead(told), command, parts)


def lead(told: Mapping[str, Any]) -> str:
    """The finding in one sentence, from the figures: what the highest F1 is worth among those learnt end to end."""
    ends = {name: each for name, each in told["systems"].items() if each["kind"] != "embedding"}
    name, each = max(ends.items(), key=lambda item: item[1]["figures"]["closed_set_f1"]["mean"])
    figures = each["figures"]
    said = (
        f"Of what learns allowed against known others, {name} has the highest closed-set F1, "
        f"{figures['closed_set_f1']['mean']:.1%}; where it lets 1 % of strangers in, it refuses "
        f"{figures['frr_where_far_is_1pct']['mean']:.0%} of the residents' clips"
    )
    others = [each["figures"] for each in told["systems"].values() if each["kind"] == "embedding"]
    if not others:
        return f"{said}."
    return (
        f"{said}. The embedding has an F1 of {others[0]['closed_set_f1']['mean']:.1%} and refuses "
        f"{others[0]['frr_where_far_is_1pct']['mean']:.0%}."
    )


def _range(figure: Mapping[str, float]) -> Range:
    return Range(figure["mean"], figure["lowest"], figure["highest"])


def _rates(name: str, each: Mapping[str, Any]) -> list[str]:
    figures = each["figures"]
    return [
        name,
        *(_with(figures[key]) for key in ("closed_set_f1", "eer", "frr_where_far_is_1pct", "far_reached")),
        *(f"{figures[key]['mean']:.1%}" for key in ("visit_eer", "visit_frr_where_far_is_1pct")),
    ]


def _costs(name: str, each: Mapping[str, Any]) -> list[str]:
    return [
        name,
        _or_none(each["bytes"], 1e3, 0),
        _or_none(each["multiply_adds"], 1e6, 1),
        _or_none(each["clip_ms"], 1.0, 2),
        f"{each['learning_seconds']:.1f}",
    ]


def _people(told: Mapping[str, Any]) -> str:
    pack, settings = told["pack"], told["settings"]
    return (
        f"{pack['speakers']} people, {pack['clips']} clips; {settings['draws']} households of {settings['residents']}, "
        f"enrolled on {settings['enrol_seconds']:g} s of one day, seed {settings['seed']}."
    )
