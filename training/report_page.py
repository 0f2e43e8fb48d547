"""The evaluation's page, top to bottom: the answer, the pictures, the tables, how to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.charts import det_curve, histograms

TOO_LITTLE = "too little to say"
# Below so many expected events a rate is decided by chance.
FEWEST_EVENTS = 10
STYLE = """
:root { color-scheme: light dark; --bg: #fbfaf8; --card: #fff; --line: #8883; --soft: #59636e;
  --in: #1769aa; --out: #c2410c; --in-soft: #1769aa55; --out-soft: #c2410c55; }
@media (prefers-color-scheme: dark) { :root { --bg: #15181c; --card: #1d2126; --soft: #9aa5b1;
  --in: #6cb6f5; --out: #fb923c; --in-soft: #6cb6f555; --out-soft: #fb923c55; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--bg); overflow-wrap: anywhere; }
h1 { line-height: 1.2; } h2 { margin: 2.4rem 0 .4rem; } p { max-width: 48rem; } .soft { color: var(--soft); }
.lead { font-size: 1.1rem; } .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr));
  gap: .8rem; margin: 1.2rem 0; }
.tile, figure { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem 1rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .9rem; } .tile.in b { color: var(--in); } .tile.out b { color: var(--out); }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; margin-top: .4rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .8rem 0; overflow-wrap: normal; }
th, td { padding: .3rem .8rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-size: .85rem; color: var(--soft); font-weight: 600; } tr { border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--bg); }
.bar { background: linear-gradient(90deg, var(--in-soft) var(--share), transparent var(--share)); }
.bar.bad { background: linear-gradient(90deg, var(--out-soft) var(--share), transparent var(--share)); }
svg { width: 100%; height: auto; display: block; } .det { max-width: 32rem; } text { fill: currentColor; }
rect.in, circle.in { fill: var(--in); } rect.out, circle.out { fill: var(--out); } .curve { stroke: var(--in); }
"""


class Markup(str):
    """A cell that is HTML already; anything else is text, and escaped."""

    __slots__ = ()


HARDER = ("", "EER, clip", "FRR at FAR 1 %, clip", "EER, visit", "strangers' visits let in", "residents' refused")


def page(title: str, figures: Mapping[str, Any], limits: Mapping[str, Any], *, extra: Sequence[str] = ()) -> str:
    """The whole page for checked ``figures`` and ``limits``; see ``training.report``. ``extra``: further sections."""
    scores = figures["scores"]
    picture = histograms(
        scores["residents"], scores["strangers"], open_llr=limits["open_llr"], refuse_llr=limits["refuse_llr"]
    )
    rates = [_rates(name, told) for name, told in _rows(figures)]
    settled = [_settled(name, told["at_threshold"]) for name, told in _rows(figures)]
    harder = {"as recorded": figures["int8"], **figures["conditions"]}
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>",
        f"<p class=lead>{_summary(figures, limits)}</p>{_tiles(figures)}",
        f"<h2>Scores</h2><figure>{picture}<figcaption>Each bar is a share of that group's clips: {_key('in')} "
        f"residents above, {_key('out')} strangers below. One clip alone opens right of <i>open</i>; the clips of a "
        "visit add up.</figcaption></figure>",
        "<h2>Error rates</h2>",
        table(["", "EER", "FRR at FAR 1 %", "FRR at FAR 0.1 %", "minDCF", "Cllr"], rates),
        f"<p>Small: 95 % intervals, people drawn anew. {escape(_trust(figures['counts']))}</p>",
        f"<figure class=det>{det_curve(scores['residents'], scores['strangers'], open_llr=limits['open_llr'])}"
        "<figcaption>Every choice of a threshold for single clips is a point of the curve; the dot is the door's own, "
        "the dashed diagonal holds the EER. In the shaded part fewer than three strangers' clips decide.</figcaption>"
        "</figure>",
        "<h2>At the door's own threshold</h2>",
        table(
            ["", "residents accepted", "refused", "strangers accepted", "refused", "FAR", "FRR", "F1 of allowed"],
            settled,
        ),
        "<p>F1 depends on how many strangers came for each resident in this test: it says nothing about another door. "
        "A door that never opens has 0.</p>",
        *extra,
        _long(figures["long"]),
        f"<h2>Harder conditions ({escape(figures['runs_in'])})</h2>",
        table(HARDER, [_condition(*told) for told in harder.items()]),
        "<p>The last two columns at the door's own thresholds.</p>",
        _each_in_conditions(figures),
        "<h2>Each person</h2>",
        table(["", "role", "clips", "accepted", "mean", "highest"], _people(figures["per_person"])),
        _HOW_TO_READ,
    ]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself on a narrow screen. A :class:`Markup` is taken as it is."""
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"


def _cell(cell: str) -> str:
    return cell if isinstance(cell, Markup) else f"<td>{escape(cell)}</td>"


def share_bar(share: float, *, bad: bool, text: str = "") -> Markup:
    """A cell with a bar behind its number, or behind ``text``."""
    said = escape(text) or f"{share:.1%}"
    return Markup(f'<td class="bar{" bad" if bad else ""}" style="--share:{100 * share:.1f}%">{said}</td>')


def _summary(figures: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    counts, inside, outside = figures["counts"], *(figures["door"][who] for who in ("residents", "strangers"))
    return (
        f"At its own thresholds the door opened on <b>{inside['opened']} of {inside['visits']}</b> visits "
        f"({inside['share']:.1%}) by {counts['residents']} residents, recorded in another session than the "
        f"enrolment, and on <b>{outside['opened']} of {outside['visits']}</b> visits ({outside['share']:.2%}) by "
        f"{counts['strangers']} strangers, none of whom was heard in training or in choosing the thresholds. Were "
        f"visits independent, the share of strangers let in would be below {outside['upper_bound']:.2%} with 95 % "
        f"confidence; {outside['people_let_in']} of {outside['people']} strangers got in at least once, so below "
        f"{outside['people_upper_bound']:.0%} of people would. A visit is up to {limits['max_clips']} clips of 3 s."
    )


def _tiles(figures: Mapping[str, Any]) -> str:
    inside, outside, visit = figures["door"]["residents"], figures["door"]["strangers"], figures["int8"]["visit"]
    needed = inside["speech_seconds_until_open"]
    tiles = [
        ("in", f"{inside['share']:.0%}", "of residents' visits opened, on another day"),
        ("out", f"{outside['share']:.1%}", "of strangers' visits opened"),
        ("", f"{visit['eer']['value']:.1%}", "equal error rate of a visit"),
        ("", f"{needed:.1f} s" if needed is not None else "never", "of speech until it opened (median)"),
    ]
    cells = "".join(f'<div class="tile {css}"><b>{value}</b><span>{text}</span></div>' for css, value, text in tiles)
    return f"<div class=tiles>{cells}</div>"


def _rows(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """What the door runs, and beside it the float network where that was at hand: one clip, and a visit."""
    names = {"int8": figures["runs_in"], "float": "float"}
    return [
        (f"{name}, one {unit}", figures[kind][unit])
        for kind, name in names.items()
        if kind in figures
        for unit in ("clip", "visit")
    ]


def _rates(name: str, told: Mapping[str, Any]) -> list[str]:
    cells = [name]
    for key in ("eer", "frr_at_far_1pct", "frr_at_far_01pct"):
        value = told[key]
        behind = value.get("strangers_behind_it", FEWEST_EVENTS)
        if behind < 1:
            cells.append("too few strangers")
            continue
        interval = f"<br><small>{value['low']:.1%} to {value['high']:.1%}</small>" if "low" in value else ""
        hint = " (hint)" if behind < FEWEST_EVENTS else ""
        cells.append(Markup(f"<td>{value['value']:.2%}{hint}{interval}</td>"))
    return [*cells, f"{told['min_dcf']['value']:.3f}", f"{told['cllr']['value']:.3f}"]


def _settled(name: str, told: Mapping[str, Any]) -> list[str]:
    counts = [f"{told[f'{who}_{what}']}" for who in ("residents", "strangers") for what in ("accepted", "refused")]
    return [name, *counts, f"{told['far']:.2%}", f"{told['frr']:.1%}", f"{told['f1']:.3f}"]


def _trust(counts: Mapping[str, Any]) -> str:
    """What the counts can carry, in a sentence."""
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


def _long(told: Mapping[str, Any]) -> str:
    if not told:
        return ""
    names = {"strangers": "speech of strangers", "noise": "noise without speech"}
    rows = [
        [names[name], f"{each['hours']:.2f} h", str(each["decisions"]), str(each["openings"]),
         *([TOO_LITTLE] * 2 if each["per_hour"] is None
           else [f"{each['per_hour']:.2f}", f"{each['upper_bound_per_hour']:.1f}"])]
        for name, each in told.items()
    ]  # fmt: skip
    head = ["", "heard", "decisions", "false openings", "an hour", "at most, with 95 % confidence"]
    return (
        f"<h2>False openings an hour</h2>{table(head, rows)}<p>Long recordings through the whole door, from microphone "
        "to relay, on a simulated clock; visits cost nothing, so that no opening hides behind a wait. Strangers talk "
        "without a break here; nobody does that at a real door.</p>"
    )


def _condition(name: str, told: Mapping[str, Any]) -> list[str]:
    clip, visit = told["clip"], told["visit"]
    rates = (clip["eer"]["value"], clip["frr_at_far_1pct"]["value"], visit["eer"]["value"])
    let_in, refused = visit["at_threshold"]["far"], visit["at_threshold"]["frr"]
    return [name, *(f"{rate:.2%}" for rate in rates), f"{let_in:.2%}", share_bar(refused, bad=True)]


def _each_in_conditions(figures: Mapping[str, Any]) -> str:
    """Each resident's share of single clips that would open alone, in each condition."""
    told = {name: each["accepted"] for name, each in figures["conditions"].items() if "accepted" in each}
    clean = {row["person"]: row["accepted"] for row in figures["per_person"] if row["role"] == "resident"}
    if not told:
        return ""
    rows = [
        [person, share_bar(clean[person], bad=False), *(share_bar(each[person], bad=False) for each in told.values())]
        for person in sorted(clean)
    ]
    intro = "<p>Each resident's single clips that would open alone, at the door's own threshold:</p>"
    return intro + table(["", "as recorded", *told], rows)


def _people(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Residents first; among each role, whom the door takes most readily comes first."""
    return [
        [
            each["person"],
            each["role"],
            str(each["clips"]),
            share_bar(each["accepted"], bad=each["role"] == "stranger"),
            f"{each['mean_llr']:+.1f}",
            f"{each['highest_llr']:+.1f}",
        ]
        for each in sorted(rows, key=lambda row: (row["role"], -row["highest_llr"]))
    ]


def _key(css: str) -> str:
    return (
        f'<svg viewBox="0 0 10 10" style="width:.8em;display:inline" aria-hidden=true>'
        f'<rect class={css} width="10" height="10"/></svg>'
    )


_HOW_TO_READ = (
    "<h2>How to read this</h2><p>A score is a natural-log likelihood ratio: how many times (as a power of e) likelier "
    "the clip is if the nearest resident spoke than if somebody else did. FAR is the share of strangers accepted, FRR "
    "the share of residents refused, EER where the two are equal; minDCF is the cost of both errors where 99 of 100 "
    "visitors are strangers. Cllr is what the scores cost as likelihood ratios, in bits: 0 is perfect, 1 is knowing "
    "nothing. F1 is that of the class <i>allowed</i>. int8 is the network the door runs, float the one it was made "
    "from. Voice is a convenience: a recording of a resident can sound like the resident.</p></html>"
)
