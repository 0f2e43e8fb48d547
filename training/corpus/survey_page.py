"""The survey as one page that needs nothing else: advice first, then tables, then pictures. And its command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from device.errors import StateError
from training.backbone import read_backbone
from training.corpus import survey_sections as sections
from training.corpus.index import Progress, index_folder, silent
from training.corpus.survey import Survey, measure, to_json
from training.corpus.survey_warnings import Advice, advise

_STYLE = """
:root { color-scheme: light dark; --bg: #fbfaf8; --card: #fff; --line: #8883; --soft: #59636e;
  --h1: #1769aa; --h2: #c2410c; --h3: #15803d; --h4: #9333ea; --h5: #a16207; --h6: #be185d; }
@media (prefers-color-scheme: dark) { :root { --bg: #15181c; --card: #1d2126; --soft: #9aa5b1;
  --h1: #6cb6f5; --h2: #fb923c; --h3: #4ade80; --h4: #c084fc; --h5: #facc15; --h6: #f472b6; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--bg); overflow-wrap: anywhere; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin: 2.6rem 0 .6rem; } h3 { margin: 0 0 .4rem; font-size: 1rem; }
.lead { font-size: 1.1rem; max-width: 46rem; } .soft { color: var(--soft); } p { max-width: 46rem; }
.advice { list-style: none; padding: 0; display: grid; gap: .6rem; }
.advice li { background: var(--card); border: 1px solid var(--line); border-left: .35rem solid var(--h1);
  border-radius: .5rem; padding: .6rem .9rem; }
.advice li.urgent { border-left-color: var(--h2); } .advice .fine { border-left-color: var(--h3); }
.tag { font-size: .8rem; font-weight: 600; color: var(--h1); display: block; }
.urgent .tag { color: var(--h2); } .fine .tag { color: var(--h3); }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; overflow-wrap: normal; }
th, td { padding: .3rem .7rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; font-size: .85rem; color: var(--soft); } tr { border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--bg); }
.left :is(th, td):nth-child(2) { text-align: left; }
.cards { columns: 2 27rem; column-gap: 1rem; }
figure { margin: 0 0 1rem; break-inside: avoid; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; padding: .8rem .6rem; }
figcaption { font-size: .9rem; color: var(--soft); margin-top: .4rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: currentColor; } summary { cursor: pointer; }
"""


_METHOD = (
    "Speech is what the door's own detector calls speech, in frames of 20 ms. Level is the root mean square of a whole "
    "recording; SNR compares its speech with its quietest tenth. A recording is clipped when 0.1 % of it is at full "
    "scale. Pitch is pYIN over up to 20 s of each voice, above 60 Hz, hum filtered out. Colour is the average power in "
    "sixth-octave bands. The linear spectrogram is narrow-band; the mel one is the door's own front-end. Likeness is "
    "the cosine between people's mean embeddings over up to 12 clips each, by the shipped network: it says whom the "
    "network may confuse, not whom a human would."
)


def to_html(survey: Survey, advice: Sequence[Advice]) -> str:
    """The whole page: no scripts, nothing loaded from elsewhere, light and dark."""
    title = f"Voices in {survey.name}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>",
        f"<p class=lead>{escape(sections.summary(survey))}</p>",
        f"<h2>What to do</h2>{sections.advice_html(advice)}",
        f"<h2>Residents</h2>{sections.residents_html(survey)}{sections.sessions_html(survey)}",
        sections.everybody_else_html(survey),
        f"<h2>How much, and how well recorded</h2>{sections.shown_html(survey)}",
        f"<div class=cards>{''.join(sections.amounts_html(survey) + sections.qualities_html(survey))}</div>",
        sections.likeness_html(survey),
        sections.voices_html(survey),
        f"<h2>How this was measured</h2><p class=soft>{escape(_METHOD)}</p></html>",
    ]
    return "\n".join(parts)


def write_survey(survey: Survey, out: Path) -> tuple[Advice, ...]:
    """Write ``survey.html`` and ``survey.json`` into ``out``, replacing older ones; return the advice.

    Raises :class:`StateError` when they cannot be written.
    """
    advice = advise(survey)
    # Both are made before either is written: a defect leaves the older pair as it was.
    contents = {"survey.json": to_json(survey, advice), "survey.html": to_html(survey, advice)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            fresh = out / f".{name}.new"
            fresh.write_text(content, encoding="utf-8")
            os.replace(fresh, out / name)
    except OSError as error:
        raise StateError("the survey cannot be written", where=str(out), received=error) from error
    return advice


def make_survey(
    folder: Path, out: Path, *, backbone: Path, cache: Path | None = None, progress: Progress = silent
) -> tuple[Advice, ...]:
    """Index ``folder``, measure it with the network in ``backbone``, write page and JSON. Raises a
    :class:`~device.errors.VoicelatchError`, and writes nothing, when there is nobody to survey."""
    # Read first: a wrong path should not cost an index.
    network = read_backbone(backbone)
    index = index_folder(folder, cache=cache, progress=progress)
    return write_survey(measure(index, network, progress=progress), out)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``survey`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "What a folder of recordings can carry: one page and a JSON, with advice on what to record again."
    example = "python -m training survey recordings/household --out survey"
    parser: argparse.ArgumentParser = commands.add_parser(
        "survey", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("folder", type=Path, help="a folder with allowed/<person>/...")
    parser.add_argument("--out", type=Path, default=Path("survey"), help="where to write (default: survey)")
    parser.add_argument(
        "--backbone", type=Path, default=Path("models/backbone"), help="the network that compares voices"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the index is kept (default: runs)")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    from training.progress import Bars

    with Bars() as bars:
        advice = make_survey(
            arguments.folder,
            arguments.out,
            backbone=arguments.backbone,
            cache=arguments.runs / "index.jsonl",
            progress=bars,
        )
    for each in advice:
        print(f"{'!' if each.urgent else '-'} {each.sentence}")
    print(f"the whole survey: {arguments.out / 'survey.html'}")
    return 0
