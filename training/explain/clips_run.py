"""Several recordings explained one after the other, each on its own page; and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.verdict.bundle import Bundle, load_bundle
from device.verdict.scorer import Scorer
from training.atomic import write_atomically, write_text
from training.corpus.index import Progress
from training.explain.explanation import explain_clip
from training.explain.keras_side import Weights, load_network
from training.explain.listen import wav_bytes
from training.explain.neighbours import Surrounding, surrounding
from training.explain.page import Told, to_html
from training.explain.pictures import METHODS
from training.explain.summary import summary, summary_html, summary_lines
from training.explain.told import dumped, to_json
from training.explain.visit import choose, hear
from training.stages import Stages
from training.tracking import JsonLines


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """With what clips are explained; ``recordings`` and ``weights`` may be missing, and the page says so;
    ``resident``: whose score, None for the one each clip is most like."""

    bundle: Path
    weights: Weights | None
    recordings: Path | None
    number: int | None
    resident: str | None
    masks: int
    seed: int
    runs: Path


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    bundle: Bundle
    scorer: Scorer
    network: Any | None
    near: Surrounding | None


def explain_all(
    clips: Sequence[tuple[Path, str]],
    asked: Asked,
    *,
    out: Path,
    command: str,
    progress: Progress,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A page for each of ``clips`` (a recording and its name): in ``out`` for one, in ``out/NAME`` for several, then
    with ``summary.html`` and ``summary.json`` beside. Returns what stands in each ``explain.json``.

    Raises :class:`~device.errors.VoicelatchError`; pages that were written before stay.
    """
    ready = _prepare(asked, progress)
    told = []
    for path, name in clips:
        folder = out / name if len(clips) > 1 else out
        told.append(_explain(path, ready, asked, folder, command, progress))
        for line in told_lines(told[-1]):
            say(line)
        say(f"  the page: {folder / 'explain.html'}")
    if len(clips) > 1:
        found = summary(told)
        write_text(out / "summary.json", dumped(found))
        write_text(out / "summary.html", summary_html(found, [name for _, name in clips], command))
        for line in summary_lines(found):
            say(line)
        say(f"all of them: {out / 'summary.html'}")
    return told


def told_lines(told: dict[str, Any]) -> list[str]:
    """An explanation for a terminal."""
    deletion, limits = told["deletion"], told["thresholds"]
    lines = [
        f"{told['file']}: clip {told['clip']} of {len(told['clips'])}, {told['outcome'].replace('_', ' ')}; "
        f"for {told['resident']} {told['llr']:+.2f} (opens at {limits['open_llr']:+.2f})"
    ]
    for each in told["strongest"]:
        lines.append(
            f"  {each['from_seconds']:.1f} to {each['to_seconds']:.1f} s, {each['from_hz']:.0f} to "
            f"{each['to_hz']:.0f} Hz: without it {-each['importance']:+.2f}"
        )
    for method in told["maps"]:
        verdict = deletion[method]
        word = "flat: points nowhere" if verdict["flat"] else f"beats {verdict['random_orders_beaten']:.0%} of them"
        lines.append(
            f"  deletion area {verdict['area']:+8.2f}  against {deletion['random']['area']:+.2f} in random order, "
            f"{word}: {METHODS[method]}"
        )
    return lines


def _prepare(asked: Asked, progress: Progress) -> _Ready:
    bundle = load_bundle(asked.bundle)
    if asked.resident is not None and asked.resident not in bundle.residents:
        raise ConfigError("nobody of this name lives here", where="--resident", received=asked.resident,
                          allowed=", ".join(bundle.residents))  # fmt: skip
    network = None
    if asked.weights is not None:
        size = bundle.output.shape[0]
        network = load_network(asked.weights, bundle.manifest, shape=bundle.frontend.shape, embedding_size=size)
    near = None
    if asked.recordings is not None:
        stages = Stages(asked.runs, JsonLines(asked.runs / "explain.jsonl"))
        near = surrounding(asked.recordings, bundle, stages, cache=asked.runs / "index.jsonl", progress=progress)
    return _Ready(bundle, Scorer(bundle), network, near)


def _explain(path: Path, ready: _Ready, asked: Asked, folder: Path, command: str, progress: Progress) -> dict[str, Any]:
    heard = hear(path, ready.bundle, ready.scorer)
    place = choose(heard, asked.number, where=str(path))
    explanation = explain_clip(
        heard[place], ready.bundle, ready.scorer,
        resident=asked.resident,
        network=ready.network, masks=asked.masks, seed=asked.seed, progress=progress,
    )  # fmt: skip
    near = ready.near
    residents = near.nearest_residents(explanation.embedding, path) if near else None
    strangers = near.nearest_strangers(explanation.embedding, path) if near else None
    told = Told(path.name, ready.bundle, heard, place, explanation, residents, strangers, command)
    found = to_json(
        path.name, ready.bundle, heard, place, explanation, residents=residents, strangers=strangers, command=command
    )
    # All are made before one is written: a defect leaves an older page as it was.
    contents = {
        "heard.wav": wav_bytes(explanation.heard),
        "explain.json": dumped(found).encode(),
        "explain.html": to_html(told).encode(),
    }
    for name, content in contents.items():
        write_atomically(folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
    return found
