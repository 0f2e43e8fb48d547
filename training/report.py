"""The evaluation as one page that needs nothing else: plain words, tables, a picture of the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

_STYLE = """
:root { color-scheme: light dark; --in: #1769aa; --out: #c2410c; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .25rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #8884; }
svg { width: 100%; height: auto; } .in { fill: var(--in); } .out { fill: var(--out); } text { fill: currentColor; }
"""


def render_report(figures: Mapping[str, Any], *, title: str, thresholds: Mapping[str, Any]) -> str:
    """HTML of the figures made by :func:`training.evaluate.evaluate`."""
    counts, door = figures["counts"], figures["door"]
    inside, outside = door["residents"], door["strangers"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f"<p>At its own thresholds the door opened on <b>{inside['opened']} of {inside['visits']}</b> visits by "
        f"{counts['residents']} residents, recorded in another session than the enrolment, and on "
        f"<b>{outside['opened']} of {outside['visits']}</b> visits by {counts['strangers']} strangers, none of whom "
        "was heard in training or in choosing the thresholds. A visit is up to "
        f"{thresholds['max_clips']} clips of 3 seconds.</p>",
        _picture(figures["scores"], thresholds["open_llr"], thresholds["refuse_llr"]),
        "<h2>Error rates</h2>",
        _table(
            ["", "EER", "FRR at FAR 1 %", "FRR at FAR 0.1 %", "minDCF"],
            [
                _row(f"{kind}, one {unit}", figures[kind][unit])
                for kind in ("int8", "float")
                if kind in figures
                for unit in ("clip", "visit")
            ],
        ),
        "<p>In brackets: 95 % intervals, people drawn anew. The figures for 0.1 % rest on few clips.</p>",
        "<h2>Harder conditions (int8)</h2>",
        _table(
            ["", "EER, clip", "FRR at FAR 1 %, clip", "EER, visit", "strangers' visits let in", "residents' refused"],
            [
                _condition(name, told)
                for name, told in {"as recorded": figures["int8"], **figures["conditions"]}.items()
            ],
        ),
        "<h2>Each person</h2>",
        _table(
            ["", "role", "clips", "accepted", "mean", "highest"],
            [
                [
                    each["person"],
                    each["role"],
                    str(each["clips"]),
                    f"{each['accepted']:.1%}",
                    f"{each['mean_llr']:+.1f}",
                    f"{each['highest_llr']:+.1f}",
                ]
                for each in sorted(figures["per_person"], key=lambda row: (row["role"], -row["highest_llr"]))
            ],
        ),
        "<h2>How to read this</h2><p>A score is a natural-log likelihood ratio: how many times (as a power of e) "
        "likelier the clip is if the nearest resident spoke than if somebody else did. FAR is the share of "
        "strangers accepted, FRR the share of residents refused, EER where the two are equal. Voice is a "
        "convenience: a recording of a resident can sound like the resident.</p></html>",
    ]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _row(name: str, told: Mapping[str, Any]) -> list[str]:
    cells = [name]
    for key in ("eer", "frr_at_far_1pct", "frr_at_far_01pct"):
        value = told[key]
        interval = f" ({value['low']:.1%} to {value['high']:.1%})" if "low" in value else ""
        cells.append(f"{value['value']:.2%}{interval}")
    return [*cells, f"{told['min_dcf']['value']:.3f}"]


def _condition(name: str, told: Mapping[str, Any]) -> list[str]:
    clip, visit = told["clip"], told["visit"]
    return [
        name,
        f"{clip['eer']['value']:.2%}",
        f"{clip['frr_at_far_1pct']['value']:.2%}",
        f"{visit['eer']['value']:.2%}",
        f"{visit['at_threshold']['far']:.2%}",
        f"{visit['at_threshold']['frr']:.2%}",
    ]


def _picture(scores: Mapping[str, Sequence[float]], open_llr: float, refuse_llr: float) -> str:
    """Two histograms over one axis: each bar is the share of that group's clips."""
    values = np.concatenate([scores["residents"], scores["strangers"]])
    edges = np.linspace(values.min(), max(values.max(), open_llr + 1), 61)

    def x(llr: float) -> float:
        return float(20 + 860 * (llr - edges[0]) / (edges[-1] - edges[0]))

    bars = []
    for name, css, base, sign in (("residents", "in", 120, -1), ("strangers", "out", 124, 1)):
        share, _ = np.histogram(scores[name], edges)
        heights = 100 * share / max(share.max(), 1)
        for left, height in zip(edges[:-1], heights, strict=True):
            top = base - height if sign < 0 else base
            bars.append(f'<rect class={css} x="{x(left):.1f}" y="{top:.1f}" width="13" height="{height:.1f}"/>')
    lines = "".join(
        f'<line x1="{x(llr):.1f}" x2="{x(llr):.1f}" y1="10" y2="235" stroke="currentColor" stroke-dasharray="4"/>'
        f'<text x="{x(llr) + 4:.1f}" y="20" font-size="13">{word} {llr:+.1f}</text>'
        for llr, word in ((open_llr, "open"), (refuse_llr, "refuse"))
    )
    return (
        '<svg viewBox="0 0 900 260" role="img" aria-label="Scores of residents above, of strangers below">'
        f'{"".join(bars)}{lines}<text x="20" y="255" font-size="13">clips of residents (above) and strangers (below)'
        f" by score, {edges[0]:+.0f} to {edges[-1]:+.0f}</text></svg>"
    )
