"""The page of one explained clip: what was decided, what mattered, whether that is true, and who sounds near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from device.sound.logmel import FrontendSpec
from device.verdict.bundle import Bundle
from device.verdict.values import Outcome
from training.explain.explanation import Explanation
from training.explain.grid import is_flat
from training.explain.keras_side import HOW_TO_GET
from training.explain.listen import player
from training.explain.neighbours import Neighbour
from training.explain.pictures import METHODS, deletion_plot, evidence_plot, log_mel_plot, map_plot, occlusion_plot
from training.explain.told import strongest
from training.explain.visit import Judged
from training.report_page import STYLE, Markup, table

HUES_STYLE = """
:root { --h1: #1769aa; --h2: #c2410c; --h3: #15803d; --h4: #9333ea; --h5: #a16207; --h6: #be185d; }
@media (prefers-color-scheme: dark) { :root { --h1: #6cb6f5; --h2: #fb923c; --h3: #4ade80; --h4: #c084fc;
  --h5: #facc15; --h6: #f472b6; } }
audio { height: 2.2rem; max-width: 100%; vertical-align: middle; } td audio { width: 15rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
.maps figure { margin: 0; } code { overflow-wrap: anywhere; } tr.here td { font-weight: 600; }
"""
SAID = {
    Outcome.OPEN: "The door opened",
    Outcome.REFUSE: "The visitor was refused",
    Outcome.SAY_MORE: "The door was not sure yet",
    Outcome.COOLING_DOWN: "The door had just opened, so this clip was not counted",
}
TITLES = {Outcome.OPEN: "Why did it open?", Outcome.REFUSE: "Why did it not open?"}


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """All that the page of one clip needs. ``residents`` and ``strangers`` are the nearest clips, None where no
    recordings were given; ``command`` makes the page again."""

    name: str
    bundle: Bundle
    heard: Sequence[Judged]
    place: int
    explanation: Explanation
    residents: Sequence[Neighbour] | None
    strangers: Sequence[Neighbour] | None
    command: str


def to_html(told: Told) -> str:
    """The whole page: no scripts, nothing loaded from elsewhere, light and dark."""
    explanation, spec = told.explanation, told.bundle.frontend
    outcome = explanation.judged.decision.outcome
    title = TITLES.get(outcome, "Why did it not open yet?")
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(f'{title} {told.name}')}</title><style>{STYLE}{HUES_STYLE}</style><h1>{title}</h1>",
        f"<p class=lead>{_lead(told)}</p>",
        f"<p>{player(explanation.judged.clip.samples, 'the clip')}</p>",
        _clips(told),
        _evidence(told),
        _heard(explanation, spec),
        _occlusion(explanation, spec),
        _others(explanation, spec),
        _truth(told),
        _near(told),
        _HOW_TO_READ,
        f"<p class=soft>Made again by <code>{escape(told.command)}</code>; all figures are in "
        "<code>explain.json</code> beside this page.</p></html>",
    ]
    return "\n".join(parts)


def _lead(told: Told) -> str:
    judged, best = told.explanation.judged, told.explanation.best
    nearest = judged.score.best
    whose = (
        f"whose voice it is most like ({best.llr:+.2f})"
        if best.resident == nearest.resident
        else f"as was asked ({best.llr:+.2f}); it is most like {escape(nearest.resident)} ({nearest.llr:+.2f})"
    )
    many = f"Clip {told.place + 1} of {len(told.heard)}" if len(told.heard) > 1 else "The only clip"
    return (
        f"{SAID.get(judged.decision.outcome, 'The door waited')}: {escape(judged.decision.reason)}. "
        f"{many} of <b>{escape(told.name)}</b> is explained here: what in it speaks for "
        f"<b>{escape(best.resident)}</b>, {whose}."
    )


def _clips(told: Told) -> str:
    rows = []
    for place, each in enumerate(told.heard):
        clip, best, decision = each.clip, each.score.best, each.decision
        mark = " ←" if place == told.place else ""
        filled = f"{clip.speech_seconds:.1f} s, repeated" if clip.filled else f"{clip.speech_seconds:.1f} s"
        rows.append([
            f"{place + 1}{mark}", f"{clip.started_at_seconds:.1f} s", filled, best.resident, f"{best.llr:+.2f}",
            f"{decision.evidence:+.2f}" if decision.clips else "", decision.outcome.value.replace("_", " "),
        ])  # fmt: skip
    head = ["clip", "begins", "speech", "most like", "this clip", "visit so far", "then"]
    return (
        table(head, rows)
        + "<p class=soft>Evidence adds up over the clips of a visit, at most "
        + (f"{told.bundle.thresholds.max_clips}. A replay guard, a schedule or a button is not asked here.</p>")
    )


def _evidence(told: Told) -> str:
    limits, scores = told.bundle.thresholds, told.explanation.judged.score.residents
    picture = evidence_plot(scores, open_llr=limits.open_llr, refuse_llr=limits.refuse_llr)
    rows = [
        [each.resident, f"{each.llr:+.2f}", f"{each.cosine:.3f}"] for each in sorted(scores, key=lambda one: -one.llr)
    ]
    return (
        f"<h2>For whom it speaks</h2><figure>{picture}<figcaption>Right of <i>open</i> ({limits.open_llr:+.2f}) one "
        f"clip opens alone, left of <i>refuse</i> ({limits.refuse_llr:+.2f}) for everybody it is refused alone."
        f"</figcaption></figure>{table(['', 'log-likelihood ratio', 'similarity'], rows)}"
    )


def _heard(explanation: Explanation, spec: FrontendSpec) -> str:
    maps = explanation.maps
    picture = log_mel_plot(explanation.decibels, spec, grid=maps.grid, kept=explanation.heard_kept)
    count = int(explanation.heard_kept.sum())
    if not count:
        listen = "<p>No part speaks for the resident, so there is nothing to listen to.</p>"
    else:
        listen = (
            f"<p>Only what is outlined, the {count} of {maps.grid.size} patches to which LIME gives the most weight: "
            f"{player(explanation.heard, 'only the parts that mattered')} (also <code>heard.wav</code>)</p>"
        )
    return (
        f"<h2>What it heard</h2><figure>{picture}<figcaption>Log-mel, before each band's mean is taken away."
        f"</figcaption></figure>{listen}"
    )


def _occlusion(explanation: Explanation, spec: FrontendSpec) -> str:
    maps = explanation.maps
    if is_flat(maps.occlusion.patches):
        said = "<b>The map is flat: no single patch of this clip changes the score.</b>"
    else:
        places = "; ".join(escape(each.sentence) for each in strongest(maps.occlusion.patches, maps.grid, spec))
        said = f"The score falls most without {places}."
    return (
        f"<h2>What mattered</h2><p>{said}</p><figure>{occlusion_plot(maps.occlusion, maps.grid, spec)}<figcaption>"
        "Occlusion of the network that the door runs: how far the log-likelihood ratio falls when a patch is replaced "
        "by its bands' means. Blue spoke for the resident, orange against. Above: all bands of a moment; right: a band "
        f"all the time.{_repeated(explanation)}</figcaption></figure>"
    )


def _repeated(explanation: Explanation) -> str:
    if not explanation.judged.clip.filled:
        return ""
    return (
        f" This clip is {explanation.judged.clip.speech_seconds:.1f} s of speech, repeated to fill 3 s: where a copy "
        "remains, taking one away changes less."
    )


def _others(explanation: Explanation, spec: FrontendSpec) -> str:
    maps = explanation.maps
    figures = []
    for name, importance in maps.by_method.items():
        if name != "occlusion":
            note = _note(explanation, name) + (" <b>Flat: it points nowhere.</b>" if is_flat(importance) else "")
            picture = map_plot(name, METHODS[name], importance, maps.grid, spec)
            figures.append(f"<figure>{picture}<figcaption><b>{METHODS[name]}.</b> {note}</figcaption></figure>")
    missing = ""
    if maps.cosine is None:
        missing = (
            "<p><b>No gradient maps:</b> they need the Keras network before quantization. Add <code>--weights "
            f"FILE</code>; {escape(HOW_TO_GET)}.</p>"
        )
    return f"<h2>The same, asked in other ways</h2><div class=maps>{''.join(figures)}</div>{missing}"


def _note(explanation: Explanation, name: str) -> str:
    maps = explanation.maps
    if name == "lime":
        if maps.lime.explained is None:
            return "The score never varied, whatever was missing."
        return f"Its linear model foretells {max(maps.lime.explained, 0.0):.0%} of how the score varies on other masks."
    return {
        "grad_cam": "The last convolutional stage; each channel weighed by its mean gradient. Shows only what speaks "
        f"for the resident. Float and int8 embedding of this clip: cosine {maps.cosine:.4f}.",
        "elementwise": "The same with each gradient at its own place.",
        "integrated": "The gradient at the features, followed from an empty clip to this one.",
    }[name]


def _truth(told: Told) -> str:
    maps = told.explanation.maps
    low, high = (sorted(maps.chance.areas.tolist())[place] for place in (0, -1))
    rows: list[list[str]] = []
    for name, verdict in maps.verdicts.items():
        word = "flat" if verdict.flat else "yes" if verdict.faithful else "not shown"
        beaten = "" if verdict.flat else f"{verdict.beaten:.0%}"
        rows.append([METHODS[name], f"{verdict.curve.area:+.2f}", beaten, word])
    rows.append([f"random order (mean of {len(maps.chance.areas)})", f"{maps.chance.area:+.2f}", "", ""])
    return (
        "<h2>Is that true?</h2><p>If a map is right, the score falls faster when its most important patches go first "
        "than when patches go in random order. The area under each curve says so in one number: lower is truer. "
        f"Random orders lie between {low:+.2f} and {high:+.2f}.</p>"
        f"<figure>{deletion_plot(maps.verdicts, maps.chance, open_llr=told.bundle.thresholds.open_llr)}</figure>"
        + table(["", "area", "random orders beaten", "points at what mattered"], rows)
        + "<p class=soft><i>Not shown</i>: it beats fewer than 19 of 20 random orders. Every curve is measured on the "
        "network that the door runs, also for the maps that come from the float one.</p>"
    )


def _near(told: Told) -> str:
    head = "<h2>Who sounds near</h2>"
    if told.residents is None or told.strangers is None:
        return (
            f"{head}<p><b>No recordings were given,</b> so the nearest clips are not here. Add <code>--recordings "
            "FOLDER</code>, the folder the bundle was made from.</p>"
        )
    rows: list[list[str]] = []
    for role, found in (("resident", told.residents), ("stranger", told.strangers)):
        for each in found:
            sound = Markup(f"<td>{player(each.samples, f'{each.speaker}, {each.session}')}</td>")
            rows.append([each.speaker, role, each.session, str(each.place + 1), f"{each.cosine:.3f}", sound])
        if not found:
            rows.append([f"no other {role}", role, "", "", "", ""])
    return (
        f"{head}{table(['', '', 'session', 'clip', 'cosine', ''], rows)}<p class=soft>The nearest clips by the int8 "
        "embedding. A session that holds this very recording is left out, and so is its speaker among the strangers, "
        "of whom each is here once. The door compares with the residents' prototypes, which are means of such clips."
        "</p>"
    )


_HOW_TO_READ = (
    "<h2>How to read this</h2><p>A score is a natural-log likelihood ratio. A patch that is taken away is replaced by "
    "its bands' means over the clip, after the front-end: no real sound does exactly that, so far from the clip the "
    "curves say what the network makes of sound it never met. Patches speak together: two that hold the same hint "
    "hide each other, which is why falls of single patches are smaller than those of whole moments or bands. A map "
    "says what this network used, not what makes this voice a person's.</p>"
)
