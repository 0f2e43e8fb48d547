"""Many explained clips together: how true each method is, and which bands and moments matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np

from training.corpus.survey_svg import HUES, INK, draw_svg
from training.explain.pictures import METHODS, WIDE_INCHES
from training.report_page import STYLE, Markup, table

Explained = Mapping[str, Any]
OPENED, SHUT = "opened", "not opened"


def summary(told: Sequence[Explained]) -> dict[str, Any]:
    """Figures over clips, each as in its ``explain.json``, of one bundle. ``methods``: mean deletion area, mean gain
    over random orders, on how many clips it beat 19 of 20 of them; ``bands``: the mean fall without each band, for
    clips after which the door opened and for others."""
    methods: dict[str, Any] = {}
    for method in told[0]["maps"]:
        rows = [(each["deletion"][method], each["deletion"]["random"]["area"]) for each in told]
        methods[method] = {
            "area": float(np.mean([row["area"] for row, _ in rows])),
            "below_random": float(np.mean([chance - row["area"] for row, chance in rows])),
            "faithful": sum(row["faithful"] for row, _ in rows),
            "flat": sum(row["flat"] for row, _ in rows),
        }
    groups: dict[str, list[Explained]] = defaultdict(list)
    for each in told:
        groups[OPENED if each["outcome"] == "open" else SHUT].append(each)
    return {
        "clips": len(told),
        "random_area": float(np.mean([each["deletion"]["random"]["area"] for each in told])),
        "methods": methods,
        "lime_explained": [each["lime_explained"] for each in told],
        "band_edges_hz": told[0]["occlusion_bands"]["hz"],
        "bands": {
            name: {
                "clips": len(group),
                "falls": np.mean([one["occlusion_bands"]["falls"] for one in group], axis=0).tolist(),
            }
            for name, group in groups.items()
        },
        "rows": [
            {
                "file": each["file"],
                "clip": each["clip"],
                "outcome": each["outcome"],
                "resident": each["resident"],
                "llr": each["llr"],
                "random": each["deletion"]["random"]["area"],
                **{method: each["deletion"][method]["area"] for method in methods},
            }
            for each in told
        ],
    }  # fmt: skip


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """For a terminal."""
    lines = [f"{found['clips']} clips; deletion area, mean: {found['random_area']:+.2f} in random order"]
    for method, row in found["methods"].items():
        lines.append(
            f"  {METHODS[method]:42s} {row['area']:+8.2f}  {row['below_random']:6.2f} below random; "
            f"true on {row['faithful']} of {found['clips']} clips"
        )
    for name, group in found["bands"].items():
        edges, falls = found["band_edges_hz"], group["falls"]
        best = int(np.argmax(falls))
        lines.append(
            f"  {name} ({group['clips']}): most without {edges[best]:.0f} to {edges[best + 1]:.0f} Hz, "
            f"{-falls[best]:+.2f}"
        )
    return lines


def summary_html(found: Mapping[str, Any], names: Sequence[str], command: str) -> str:
    """A page with a row a clip, each linked to its own."""
    methods = list(found["methods"])
    head = ["", "clip", "then", "for", "score", "random", *(METHODS[each] for each in methods)]
    rows = []
    for name, each in zip(names, found["rows"], strict=True):
        link = Markup(f'<td><a href="{quote(name)}/explain.html">{escape(name)}</a></td>')
        areas = [f"{each[method]:+.2f}" for method in methods]
        rows.append([
            link, str(each["clip"]), each["outcome"].replace("_", " "), each["resident"], f"{each['llr']:+.2f}",
            f"{each['random']:+.2f}", *areas,
        ])  # fmt: skip
    truth = [
        [METHODS[method], f"{row['area']:+.2f}", f"{row['below_random']:.2f}", f"{row['faithful']} of {found['clips']}"]
        for method, row in found["methods"].items()
    ]
    return "\n".join([
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{found['clips']} clips explained</title><style>{STYLE}{HUES_CSS}</style>",
        f"<h1>{found['clips']} clips explained</h1>",
        "<h2>How true each method is</h2>"
        "<p>Deletion areas, in log-likelihood ratio: the lower, the truer. In random order "
        f"{found['random_area']:+.2f} on average.</p>",
        table(["", "area", "below random", "beats 19 of 20 random orders on"], truth),
        f"<h2>Which bands matter</h2><figure>{_bands_plot(found)}<figcaption>Mean fall of the score without a band, "
        "measured on the network that the door runs.</figcaption></figure>",
        f"<h2>Each clip</h2>{table(head, rows)}",
        f"<p class=soft>Made again by <code>{escape(command)}</code>.</p></html>",
    ])  # fmt: skip


HUES_CSS = """
:root { --h1: #1769aa; --h2: #c2410c; } a { color: var(--in); }
@media (prefers-color-scheme: dark) { :root { --h1: #6cb6f5; --h2: #fb923c; } }
"""


def _bands_plot(found: Mapping[str, Any]) -> str:
    edges = found["band_edges_hz"]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for (name, group), colour in zip(found["bands"].items(), HUES, strict=False):
            axes.stairs(group["falls"], edges, color=colour, linewidth=2.0, label=f"{name} ({group['clips']} clips)")
        axes.axhline(0.0, color=INK, linewidth=0.8)
        axes.set_xscale("log")
        ticks = [100, 200, 500, 1000, 2000, 5000]
        axes.set_xticks(ticks, [str(each) for each in ticks])
        axes.minorticks_off()
        axes.set_xlabel("Hz")
        axes.set_ylabel("fall of the score")
        axes.grid(True, axis="both")
        axes.legend(frameon=False, fontsize=10)

    return draw_svg("bands", "Mean fall of the score without each band", draw, height_inches=3.2,
                    width_inches=WIDE_INCHES)  # fmt: skip
