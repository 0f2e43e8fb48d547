"""The suggestion beside the shipped network on a pack of recordings: people who taught nothing and chose nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from device.verdict.interpreter import Embedding
from training.backbone import BackboneArtefact
from training.benchmark.pack import Pack, read_pack
from training.benchmark.systems import Judged, int8_system, kept_embeddings, refuse_familiar
from training.benchmark.verification import clip_to_clip, clip_to_ten
from training.clips import stack
from training.corpus.index import Progress
from training.corpus.split import speaker_hash
from training.metrics import Scores
from training.study.layers.measured import compared
from training.study.layers.paired import rates, redraws

TRIALS = ("clip to clip", "clip to ten")
_ByPerson = dict[str, Scores]


def on_pack(
    folder: Path,
    artefact: BackboneArtefact,
    models: Mapping[str, bytes],
    *,
    runs: Path,
    far: float,
    draws: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """By trial (clip to clip, clip to ten; where a corpus has them, across sessions alone too) and model, the fields of
    :class:`~training.study.layers.measured.Measured`, against the first of ``models``, int8, in the same trials.

    Raises :class:`~device.errors.DataError` when the pack holds people whom the network has met.
    """
    pack = read_pack(folder, vad=artefact.vad, segmenter=artefact.segmenter, sounds_heard=(), file_hash={},
                     progress=progress)  # fmt: skip
    heard = {name: _heard(artefact, model, pack, runs) for name, model in models.items()}
    across = [name for name in pack.speakers if len(pack.sessions(name)) > 1]
    groups = {"everybody": pack.speakers, **({"across sessions": across} if len(across) > 2 else {})}
    told: dict[str, Any] = {}
    for group, people in groups.items():
        drawn = redraws(people, draws=draws, rng=np.random.default_rng(seed))
        for kind in TRIALS:
            found = {
                name: rates(*_trials(pack, each, people, kind, seed), drawn, far=far) for name, each in heard.items()
            }
            plain = next(iter(found.values()))
            told[f"{kind}, {group}"] = {
                "people": len(people),
                "systems": {name: asdict(compared([each], plain)) for name, each in found.items()},
            }
    return told


def _heard(artefact: BackboneArtefact, model: bytes, pack: Pack, runs: Path) -> Embedding:
    judged = Judged(
        model, artefact.frontend, artefact.vad, artefact.segmenter, artefact.cohort, dict(artefact.manifest)
    )
    system = int8_system(judged)
    refuse_familiar(system, pack.speakers, speaker_hash)
    return kept_embeddings(system, stack(pack.clips), runs / "benchmark")


def _trials(pack: Pack, embeddings: Embedding, people: list[str], kind: str, seed: int) -> tuple[_ByPerson, _ByPerson]:
    """Of the benchmark's trials those of ``people``; different-speaker trials stay within a corpus, as there."""
    own: _ByPerson = {}
    others: _ByPerson = {}
    for corpus in sorted({pack.corpus[name] for name in people}):
        members = [name for name in people if pack.corpus[name] == corpus]
        if kind == "clip to clip":
            targets, nontargets = clip_to_clip(pack, embeddings, members, np.random.default_rng(seed))
        else:
            targets, nontargets = clip_to_ten(pack, embeddings, members)
        own.update({name: np.array(scores) for name, scores in targets.items()})
        others.update({name: np.array(scores) for name, scores in nontargets.items()})
    return own, others
