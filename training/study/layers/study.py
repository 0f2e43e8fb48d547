"""A study of layers on one screen: the learnt network, each layer changed by itself, what follows, and it in int8."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.backbone import BackboneArtefact
from training.clips import Cutter
from training.corpus.index import Progress
from training.fit import ValidationClips
from training.layer_log import read_layer_log
from training.learn import Learnt, learn, representative, validation_clips
from training.networks.parts import Values, kernel_values
from training.recipe import Recipe, digest
from training.stages import Stages
from training.study.layers.bench import Bench
from training.study.layers.findings import Findings
from training.study.layers.measured import Kept, measure
from training.study.layers.on_pack import on_pack
from training.study.layers.start import start_of
from training.study.layers.suggestion import SHIPPED, Outcome, carry_out, model_file, suggested
from training.study.layers.verdict import conclusions, judged
from training.study.runs import recordings_of
from training.tracking import JsonLines

# Raise it when a measurement means something else than before.
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``tolerance``: the EER a treatment may cost, 0.005 for half a point; ``draws_anew`` of each layer at random;
    ``resamples`` of the people, for intervals."""

    tolerance: float
    draws_anew: int
    resamples: int
    seed: int


def study(
    recipe: Recipe,
    settings: Settings,
    *,
    runs: Path,
    pack: Path | None,
    out: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> Findings:
    """Everything, in order; each figure is written to ``out`` as it is found, and not found again.

    Raises a :class:`~device.errors.VoicelatchError` at the first thing that is wrong.
    """
    tracker = JsonLines(runs / "study.jsonl")
    index, parts = recordings_of(recipe, runs, progress)
    learnt = learn(recipe, index, parts, Stages(runs, tracker), tracker, progress)
    cutter = Cutter(index.root, recipe.vad, recipe.segmenter)
    validation = validation_clips(cutter.cut(parts.validation, progress=progress, label="validation clips"), recipe)
    examples = representative(learnt.material.shards, np.random.default_rng(recipe.data.seed))
    far = recipe.backbone.checkpoint_far
    bench = Bench(learnt.network, validation, examples, far=far, draws=settings.resamples, seed=settings.seed)

    log, start = read_layer_log(learnt.fit_folder), start_of(recipe, learnt.fit_folder, learnt.network)
    if not log:
        say(
            "this fit is older than the log of its layers: how far they moved is known for all epochs together, at most"
        )
    say(f"start of the network: {start.told}")

    key = _key(learnt, validation, recipe, settings)
    kept = Kept(out, key, say=say)
    plain, measured = measure(
        bench, start.kernels, kept, draws_anew=settings.draws_anew, seed=settings.seed, progress=progress
    )
    weights = {name: each.values().size for name, each in bench.kernels.items()}
    verdicts = judged(measured, weights, tolerance=settings.tolerance)
    folder = runs / f"layers-{key[:12]}"
    outcomes = carry_out(
        bench, plain, verdicts, kept, shipped=learnt.artefact.model, examples=examples,
        tolerance=settings.tolerance, folder=folder, progress=progress,
    )  # fmt: skip
    change = _moved(start.kernels, kernel_values(learnt.network))
    found = Findings(
        network=f"{recipe.backbone.network}, width {recipe.backbone.width}",
        people=bench.drawn.people,
        own_trials=bench.own_trials,
        far=far,
        tolerance=settings.tolerance,
        plain=plain,
        measured=measured,
        verdicts=verdicts,
        conclusions=conclusions(verdicts, measured, change, tolerance=settings.tolerance),
        outcomes=outcomes,
        log=log,
        change=change,
        start_told=start.told,
        pack=_on_pack(pack, learnt.artefact, outcomes, kept, folder, settings, runs, far, progress),
    )
    kept.told.update(_summary(found))
    kept.write()
    return found


def _on_pack(
    pack: Path | None, artefact: BackboneArtefact, outcomes: Mapping[str, Outcome], kept: Kept, folder: Path,
    settings: Settings, runs: Path, far: float, progress: Progress,
) -> Mapping[str, Any]:  # fmt: skip
    """The suggestion and the shipped network on the pack; nothing without either."""
    name = suggested(outcomes, tolerance=settings.tolerance)
    if pack is None or name is None:
        return {}
    told, asked = kept.table("pack"), f"{name}, {pack.name}, at most {100 * settings.tolerance:g} points"
    if asked not in told:
        models = {SHIPPED: artefact.model, name: (folder / model_file(name)).read_bytes()}
        told[asked] = on_pack(pack, artefact, models, runs=runs, far=far, draws=settings.resamples,
                              seed=settings.seed, progress=progress)  # fmt: skip
        kept.write()
    found: Mapping[str, Any] = told[asked]
    return found


def _moved(start: Mapping[str, Values] | None, now: Mapping[str, Values]) -> dict[str, float]:
    """How far each kernel is from its start, over the size of the start."""
    if start is None:
        return {}
    return {
        name: float(np.linalg.norm(now[name] - before) / np.linalg.norm(before))
        for name, before in start.items()
        if np.any(before)
    }


def _key(learnt: Learnt, validation: ValidationClips, recipe: Recipe, settings: Settings) -> str:
    """What every figure depends on; the tolerance decides on conclusions alone."""
    heard = hashlib.sha256(np.ascontiguousarray(validation.features).tobytes())
    heard.update("\0".join(validation.speakers).encode())
    weights = hashlib.sha256()
    for each in learnt.network.get_weights():
        weights.update(np.ascontiguousarray(each).tobytes())
    chosen = {**asdict(settings), "tolerance": None}
    return digest([VERSION, learnt.material.key, weights.hexdigest(), heard.hexdigest(), chosen, recipe.data.seed])


def _summary(found: Findings) -> dict[str, Any]:
    """What a script may want beside the single measurements."""
    return {
        "network": found.network,
        "people": len(found.people),
        "own_trials": found.own_trials,
        "tolerance": found.tolerance,
        "plain": {"eer": float(found.plain.eer[0]), "frr": float(found.plain.frr[0]), "far": found.far},
        "start": found.start_told,
        "change": dict(found.change),
        "epochs": list(found.log),
        "verdicts": [asdict(each) for each in found.verdicts],
        "conclusions": list(found.conclusions),
        "suggested": suggested(found.outcomes, tolerance=found.tolerance),
        "suggestion": found.suggestion,
    }
