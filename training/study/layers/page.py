"""The page of a study of layers: what follows, the pictures, the tables, how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

from training.report_page import STYLE, Markup, table
from training.study.layers.charts import moves_chart, total_chart, treatments_chart
from training.study.layers.findings import Findings
from training.study.layers.measured import Measured
from training.study.layers.told import NOTE, main_table, pack_table, percent, together_table
from training.study.layers.verdict import NO, UNCLEAR, YES, answer

_HUES = """
:root { --h1: #1769aa; --h2: #c2410c; --h3: #15803d; --h4: #9333ea; }
@media (prefers-color-scheme: dark) { :root { --h1: #6cb6f5; --h2: #fb923c; --h3: #4ade80; --h4: #c084fc; } }
body { max-width: 76rem; } table { font-size: .85rem; } th, td { padding: .25rem .4rem; } td.no { color: var(--out); }
code { overflow-wrap: anywhere; } .key { display: inline-block; width: .8em; height: .8em; border-radius: 50%; }
"""


def page(found: Findings, *, command: str) -> str:
    """The whole page: no scripts, nothing loaded from elsewhere, light and dark."""
    title = f"Layers of {found.network}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}{_HUES}</style><h1>{escape(title)}</h1>",
        f"<p class=lead>{escape(_lead(found))}</p>",
        "<h2>What follows</h2>",
        _list(found.conclusions),
        "<h2>One layer at a time</h2>",
        f"<figure>{treatments_chart(found.measured, float(found.plain.eer[0]), tolerance=found.tolerance)}"
        "<figcaption>Dots are the EER on the validation speakers; lines the 95 % interval of how far it is from that "
        "of the network as learnt (upright line), the same people drawn anew for both; dotted what is tolerated. The "
        "scale is logarithmic."
        "</figcaption></figure>",
        table(*main_table(found.measured, found.verdicts, found.plain, show=partial(_cell, tolerance=found.tolerance))),
        f"<p class=soft>{escape(NOTE)} Coloured: surely more than tolerated; grey: the interval spans it.</p>",
        "<h2>How far each layer moved</h2>",
        _moved(found),
        "<h2>Together, in int8</h2>",
        table(*together_table(found.outcomes)),
        f"<p>{escape(found.suggestion)}</p>",
    ]
    if found.pack:
        parts += ["<h2>On people who chose nothing</h2>", table(*pack_table(found.pack))]
    parts += [_how_to_read(found), f"<p>Made by <code>{escape(command)}</code></p></html>"]
    return "\n".join(parts)


def _lead(found: Findings) -> str:
    return (
        f"{len(found.measured) - 1} layers of a learnt network, each reset, drawn anew, pruned and held in fewer bits "
        f"by itself, and judged on {len(found.people)} people of whom nothing was learnt (EER {found.plain.eer[0]:.2%},"
        f" FRR {found.plain.frr[0]:.1%} at FAR {found.far:.0%}). A household's refresh learns none of them: it enrols. "
        "What follows is for who learns the network itself again, or wants it smaller."
    )


def _moved(found: Findings) -> str:
    if found.log:
        return (
            f"<figure>{moves_chart(found.log)}<figcaption>{_key(1)} since the start, {_key(2)} in each epoch, as a "
            "share of the size (L2 norm) of the kernel at its start.</figcaption></figure>"
        )
    if found.change:
        return (
            f"<figure>{total_chart(found.change)}<figcaption>Over all epochs: this fit is older than the log of "
            f"each. Its start: {escape(found.start_told)}.</figcaption></figure>"
        )
    return f"<p>Not known: {escape(found.start_told)}.</p>"


def _how_to_read(found: Findings) -> str:
    return (
        "<h2>How to read this</h2><p>A conclusion needs the whole interval of what a treatment costs on one side of "
        f"{100 * found.tolerance:g} points of EER; the same people are drawn for both networks, so that only the "
        f"difference counts. {len(found.measured) - 1} layers are looked at: with 95 % intervals about one in forty is "
        f"on the wrong side by chance. One of the {found.own_trials} trials of a person's own voice is "
        f"{100 / found.own_trials:.2f} points. Resetting a kernel leaves the batch norms behind it with means and "
        "variances of something else; <i>norms measured</i> gives them their own. The other layers are not learnt "
        "again: a network that learns around a frozen layer should lose less. Few bits are a grid for each output "
        "channel, with the scale of least squared error. <i>Packed</i> is what the weights need; the device's "
        "runtime keeps one byte a weight whatever it holds, so that only a compressed file gets smaller. "
        f"Start of the network: {escape(found.start_told)}.</p>"
    )


def _cell(found: Measured, *, tolerance: float) -> Markup:
    kind = {YES: "", NO: " class=no", UNCLEAR: " class=soft"}[answer(found.eer_cost, tolerance)]
    return Markup(f"<td{kind}>{percent(found)}</td>")


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in sentences) + "</ul>"


def _key(number: int) -> str:
    return f'<span class=key style="background: var(--h{number})"></span>'
