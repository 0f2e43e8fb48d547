"""Each run of a study: learnt, quantized, and judged on people nobody learnt from. Killed, it goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import DataError
from training.atomic import write_text
from training.backbone import BackboneArtefact
from training.benchmark.household import CLEAN, household
from training.benchmark.pack import Pack, read_pack
from training.benchmark.systems import (
    Judged,
    float_system,
    int8_system,
    kept_embeddings,
    refuse_familiar,
)
from training.benchmark.verification import verification
from training.clips import stack
from training.corpus.index import Index, Progress, index_folder
from training.corpus.layouts import parse_source
from training.corpus.split import Split, speaker_hash, split
from training.recipe import Recipe, digest
from training.stages import Stages
from training.study.households import Trials
from training.study.plan import Run
from training.tracking import JsonLines


def carry_out(
    runs: Sequence[Run], trials: Trials, *, folder: Path, out: Path, progress: Progress, say: Callable[[str], None]
) -> dict[str, Any]:
    """All runs in order, each written to ``out`` as it ends; those that stand there under the same recipe are kept."""
    told: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    recordings: dict[str, tuple[Index, Split]] = {}
    pack: Pack | None = None
    for run in runs:
        key = digest([run.recipe.sha256(), trials.draws, trials.residents, trials.enrol_seconds, trials.seed])
        if told.get(run.name, {}).get("key") == key:
            say(f"{run.name}: kept")
            continue
        place = digest([run.recipe.data.folder, run.recipe.data.corpora])
        if place not in recordings:
            recordings[place] = recordings_of(run.recipe, folder, progress)
        started = time.monotonic()
        learnt = _learn(run.recipe, *recordings[place], folder, progress)
        minutes = (time.monotonic() - started) / 60.0
        if pack is None:
            pack = read_pack(trials.pack, vad=run.recipe.vad, segmenter=run.recipe.segmenter, sounds_heard=(),
                             file_hash={}, progress=progress)  # fmt: skip
        told[run.name] = {
            "key": key,
            "series": run.series,
            "minutes": round(minutes, 1),
            **learnt.told,
            **_judge(learnt, pack, trials, folder, progress),
        }
        write_text(out, json.dumps(told, indent=1, allow_nan=False))
        say(f"{run.name}: done in {minutes:.1f} min")
    return {run.name: told[run.name] for run in runs}


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    artefact: BackboneArtefact
    weights: Path
    told: dict[str, Any]


def recordings_of(recipe: Recipe, folder: Path, progress: Progress) -> tuple[Index, Split]:
    """What the recipe's recordings are, and who is learnt from and who judges."""
    index = index_folder(
        Path(recipe.data.folder), layout=recipe.data.layout, allowed=recipe.data.allowed,
        corpora=[parse_source(each) for each in recipe.data.corpora], cache=folder / "index.jsonl", progress=progress,
    )  # fmt: skip
    parts = split(
        index, seed=recipe.data.seed, validation_fraction=recipe.data.validation_fraction,
        test_fraction=recipe.data.test_fraction, enrol_sessions=recipe.enrol.sessions,
    )  # fmt: skip
    return index, parts


def _learn(recipe: Recipe, index: Index, parts: Split, folder: Path, progress: Progress) -> _Learnt:
    import keras

    from training.fit import epochs_so_far
    from training.learn import learn
    from training.networks.cost import multiply_adds

    # What the run before left in this process, some GB a run.
    keras.backend.clear_session(free_memory=True)
    tracker = JsonLines(folder / "study.jsonl")
    stages = Stages(folder, tracker)
    learnt = learn(recipe, index, parts, stages, tracker, progress)
    last = epochs_so_far(learnt.fit_folder)[-1]
    material = learnt.material
    people = np.unique(material.labels[material.rows] // len(recipe.backbone.speeds))
    return _Learnt(
        learnt.artefact,
        learnt.weights,
        {
            "speakers": int((people >= 0).sum()),
            "hours": round(len(material.rows) / len(recipe.backbone.speeds) * 3.0 / 3600.0, 2),
            "validation_eer": last["eer"],
            "validation_frr": last["frr_at_checkpoint_far"],
            "bytes": len(learnt.artefact.model),
            "multiply_adds": multiply_adds(learnt.network),
        },
    )


def _judge(learnt: _Learnt, pack: Pack, trials: Trials, folder: Path, progress: Progress) -> dict[str, Any]:
    """The int8 network, and beside it the float one, in the benchmark's own trials on clean speech."""
    artefact = learnt.artefact
    judged = Judged(
        artefact.model, artefact.frontend, artefact.vad, artefact.segmenter, artefact.cohort, dict(artefact.manifest)
    )
    draws = trials.drawn(pack)
    told: dict[str, Any] = {}
    for count, system in enumerate((int8_system(judged), float_system(judged, learnt.weights)), start=1):
        refuse_familiar(system, pack.speakers, speaker_hash)
        embeddings = kept_embeddings(system, stack(pack.clips), folder / "benchmark")
        found = verification(pack, embeddings, seed=trials.seed)
        across = [each for each in found.values() if each.get("across_sessions") and "clip_to_ten" in each]
        if not across:
            raise DataError(
                "nobody in this pack was recorded in two sessions",
                where=str(trials.pack),
                allowed="a corpus with several sessions a speaker",
            )
        # Enrolled as recorded: copies cost three times the clips, and tell little of what the networks differ in.
        at_the_door = household(pack, {CLEAN: embeddings}, {CLEAN: pack.clips}, system.cohort, draws)[CLEAN]
        told[system.name] = {
            "clip_to_clip_eer": across[0]["clip_to_clip"]["eer"]["value"],
            "clip_to_ten_eer": across[0]["clip_to_ten"]["eer"]["value"],
            "pooled_clip_to_clip_eer": found["pooled"]["clip_to_clip"]["eer"]["value"],
            "household_clip_eer": at_the_door["clip"]["eer"]["value"],
            "household_clip_frr": at_the_door["clip"]["frr_where_far_is_1pct"]["value"],
            "household_visit_frr": at_the_door["visit"]["frr_where_far_is_1pct"]["value"],
        }
        progress("judged", count, 2)
    return told
