"""The evaluation as one page that needs nothing else, and as JSON: plain words, tables, two pictures.

What the figures hold (all made by :func:`training.evaluate.evaluate`; rates are 0..1, scores natural-log ratios)::

    counts       residents, resident_clips, strangers, stranger_clips
    int8, float  clip, visit -> eer, frr_at_far_1pct, frr_at_far_01pct, min_dcf -> value[, low, high];
                 at_threshold -> far, frr. ``float`` may be absent.
    conditions   name -> the same as ``int8``, without intervals
    door         residents, strangers -> visits, opened, share
    per_person   rows of role, person, clips, accepted, mean_llr, highest_llr
    scores       residents, strangers -> one number a clip
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from device.errors import DataError
from training.charts import det_curve, histograms
from training.metrics import clopper_pearson_upper

REQUIRED = ("counts", "int8", "door", "per_person", "scores", "conditions")
# Below so many expected events a rate is decided by chance.
FEWEST_EVENTS = 10
_STYLE = """
:root { color-scheme: light dark; --in: #1769aa; --out: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --in: #6cb6f5; --out: #fb923c; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .8rem; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #8884; }
svg { width: 100%; height: auto; } .det { max-width: 30rem; } text { fill: currentColor; }
.in { fill: var(--in); } .out { fill: var(--out); } .curve { stroke: var(--in); } .lead { font-size: 1.1rem; }
"""


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation. Raises :class:`DataError` when a part that the page needs is missing."""

    title: str
    figures: Mapping[str, Any]
    thresholds: Mapping[str, Any]

    def __post_init__(self) -> None:
        missing = [key for key in REQUIRED if key not in self.figures]
        missing += [key for key in ("open_llr", "refuse_llr", "max_clips") if key not in self.thresholds]
        if missing:
            raise DataError("the report lacks figures", received=", ".join(missing), allowed="all of them")

    def to_json(self) -> str:
        """Everything on the page and the single scores, for programs."""
        content = {"title": self.title, "thresholds": dict(self.thresholds), **self.figures}
        # A figure that is not a number would make a file that strict readers refuse.
        return json.dumps(content, indent=1, allow_nan=False)

    def to_html(self) -> str:
        """The whole page: no scripts, nothing loaded from elsewhere, light and dark."""
        scores, limits = self.figures["scores"], self.thresholds
        people = _table(["", "role", "clips", "accepted", "mean", "highest"], _people(self.figures["per_person"]))
        parts = [
            "<!doctype html><html lang=en><meta charset=utf-8>"
            '<meta name=viewport content="width=device-width, initial-scale=1">',
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style><h1>{escape(self.title)}</h1>",
            f"<p class=lead>{self._summary()}</p>",
            "<h2>Scores</h2><p>Each bar is a share of that group's clips: "
            f"{_key('in')} residents above, {_key('out')} strangers below. One clip alone opens right of "
            "<i>open</i>; the clips of a visit add up.</p>",
            histograms(
                scores["residents"],
                scores["strangers"],
                open_llr=limits["open_llr"],
                refuse_llr=limits["refuse_llr"],
            ),
            "<h2>Error rates</h2>",
            _table(["", "EER", "FRR at FAR 1 %", "FRR at FAR 0.1 %", "minDCF"], self._rates()),
            f"<p>In brackets: 95 % intervals, people drawn anew. {escape(self._trust())}</p>",
            f"<div class=det>{det_curve(scores['residents'], scores['strangers'], open_llr=limits['open_llr'])}</div>",
            "<p>Every choice of a threshold for single clips is a point of the curve; the dot is the door's own, the "
            "dashed diagonal holds the EER. In the shaded part fewer than three strangers' clips decide.</p>",
            "<h2>Harder conditions (int8)</h2>",
            _table(
                [
                    "",
                    "EER, clip",
                    "FRR at FAR 1 %, clip",
                    "EER, visit",
                    "strangers' visits let in",
                    "residents' refused",
                ],
                [
                    _condition(*told)
                    for told in {"as recorded": self.figures["int8"], **self.figures["conditions"]}.items()
                ],
            ),
            f"<p>The last two columns at the door's own thresholds.</p><h2>Each person</h2>{people}",
            _HOW_TO_READ,
        ]
        return "\n".join(parts)

    def _summary(self) -> str:
        counts, inside, outside = self.figures["counts"], *(self.figures["door"][who] for who in _SIDES)
        bound = clopper_pearson_upper(outside["opened"], outside["visits"])
        return (
            f"At its own thresholds the door opened on <b>{inside['opened']} of {inside['visits']}</b> visits "
            f"({inside['share']:.1%}) by {counts['residents']} residents, recorded in another session than the "
            f"enrolment, and on <b>{outside['opened']} of {outside['visits']}</b> visits ({outside['share']:.2%}) by "
            f"{counts['strangers']} strangers, none of whom was heard in training or in choosing the thresholds. Were "
            f"visits independent, the share of strangers let in would be below {bound:.2%} with 95 % confidence. A "
            f"visit is up to {self.thresholds['max_clips']} clips of 3 seconds."
        )

    def _rates(self) -> list[list[str]]:
        kinds = [kind for kind in ("int8", "float") if kind in self.figures]
        return [_row(f"{kind}, one {unit}", self.figures[kind][unit]) for kind in kinds for unit in ("clip", "visit")]

    def _trust(self) -> str:
        """What the counts can carry, in a sentence."""
        counts = self.figures["counts"]
        sentence = (
            f"They rest on {counts['resident_clips']} clips of {counts['residents']} residents and "
            f"{counts['stranger_clips']} of {counts['strangers']} strangers."
        )
        weak = [
            f"FAR {far:.1%} is {far * counts['stranger_clips']:.0f} of the strangers' clips"
            for far in (0.01, 0.001)
            if far * counts["stranger_clips"] < FEWEST_EVENTS
        ]
        return f"{sentence} Too few for more than a hint: {'; '.join(weak)}." if weak else sentence


_SIDES = ("residents", "strangers")
_HOW_TO_READ = (
    "<h2>How to read this</h2><p>A score is a natural-log likelihood ratio: how many times (as a power of e) likelier "
    "the clip is if the nearest resident spoke than if somebody else did. FAR is the share of strangers accepted, FRR "
    "the share of residents refused, EER where the two are equal; minDCF is the cost of both errors where 99 of 100 "
    "visitors are strangers. int8 is the network the door runs, float the one it was made from. Voice is a "
    "convenience: a recording of a resident can sound like the resident.</p></html>"
)


def _key(css: str) -> str:
    return (
        f'<svg viewBox="0 0 10 10" style="width:.8em" aria-hidden=true><rect class={css} width="10" height="10"/></svg>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"


def _row(name: str, told: Mapping[str, Any]) -> list[str]:
    cells = [name]
    for key in ("eer", "frr_at_far_1pct", "frr_at_far_01pct"):
        value = told[key]
        interval = f" ({value['low']:.1%} to {value['high']:.1%})" if "low" in value else ""
        cells.append(f"{value['value']:.2%}{interval}")
    return [*cells, f"{told['min_dcf']['value']:.3f}"]


def _condition(name: str, told: Mapping[str, Any]) -> list[str]:
    clip, visit = told["clip"], told["visit"]
    rates = (clip["eer"]["value"], clip["frr_at_far_1pct"]["value"], visit["eer"]["value"])
    return [name, *(f"{rate:.2%}" for rate in (*rates, visit["at_threshold"]["far"], visit["at_threshold"]["frr"]))]


def _people(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Residents first; among each role, whom the door takes most readily comes first."""
    return [
        [
            each["person"],
            each["role"],
            str(each["clips"]),
            f"{each['accepted']:.1%}",
            f"{each['mean_llr']:+.1f}",
            f"{each['highest_llr']:+.1f}",
        ]
        for each in sorted(rows, key=lambda row: (row["role"], -row["highest_llr"]))
    ]
