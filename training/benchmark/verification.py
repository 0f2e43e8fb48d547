"""Clip against clip, and clip against ten: is it the same person on another day? Plain cosines, no household.

Same-speaker trials are between sessions where a corpus has them, within one session where it does not.
Different-speaker trials stay within the corpus, as many between people of one sex as between the sexes (where the pack
tells it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.verdict.interpreter import Embedding, unit_length
from training.benchmark.pack import Pack
from training.metrics import bootstrap_by_speaker, eer, frr_at_far, min_dcf, pooled, roc

PAIRS_PER_SPEAKER = 60
ENROLLED_CLIPS = 10
DRAWS = 300
DET_POINTS = 200
_Rows = NDArray[np.int64]
_Trials = tuple[dict[str, list[float]], dict[str, list[float]]]


def verification(pack: Pack, embeddings: Embedding, *, seed: int) -> dict[str, Any]:
    """Figures by corpus and pooled: ``clip_to_clip`` and ``clip_to_ten`` -> eer, frr_at_far_1pct, frr_at_far_01pct,
    min_dcf -> value, low, high (95 %, people drawn anew); how many trials and people; whether sessions were crossed."""
    told: dict[str, Any] = {}
    everything: dict[str, _Trials] = {"clip_to_clip": ({}, {}), "clip_to_ten": ({}, {})}
    for corpus in sorted(set(pack.corpus.values())):
        people = [name for name in pack.speakers if pack.corpus[name] == corpus]
        across = [name for name in people if len(pack.sessions(name)) > 1]
        rng = np.random.default_rng(seed)
        made = {
            "clip_to_clip": clip_to_clip(pack, embeddings, people, rng),
            "clip_to_ten": clip_to_ten(pack, embeddings, people),
        }
        told[corpus] = {"speakers": len(people), "across_sessions": bool(across)}
        for kind, (targets, nontargets) in made.items():
            if not targets or not nontargets:
                continue
            told[corpus][kind] = rates(targets, nontargets, seed=seed)
            for side, trials in zip(everything[kind], (targets, nontargets), strict=True):
                side.update(trials)
    told["pooled"] = {"speakers": len(pack.speakers)}
    for kind, (targets, nontargets) in everything.items():
        told["pooled"][kind] = rates(targets, nontargets, seed=seed)
    return told


def clip_to_clip(pack: Pack, embeddings: Embedding, people: list[str], rng: np.random.Generator) -> _Trials:
    """Up to 60 same-speaker and 60 different-speaker pairs for each speaker."""
    targets: dict[str, list[float]] = defaultdict(list)
    nontargets: dict[str, list[float]] = defaultdict(list)
    rows = {name: pack.rows(name) for name in people}
    for name in people:
        pairs = _own_pairs(pack, name)
        for place in rng.permutation(len(pairs))[:PAIRS_PER_SPEAKER]:
            left, right = pairs[place]
            targets[name].append(float(embeddings[left] @ embeddings[right]))
        for group in _groups_of_others(pack, name, people):
            for _ in range(PAIRS_PER_SPEAKER // 2):
                other = group[int(rng.integers(len(group)))]
                left, right = (int(rng.choice(rows[each])) for each in (name, other))
                nontargets[name].append(float(embeddings[left] @ embeddings[right]))
    return dict(targets), dict(nontargets)


def clip_to_ten(pack: Pack, embeddings: Embedding, people: list[str]) -> _Trials:
    """Every speaker's first ten clips of the earliest session are a model; clips of the other sessions (of the rest,
    where there is only one) are tried against it, and everybody else's of those too."""
    models, tried = {}, {}
    for name in people:
        enrolled, rest = _enrolled(pack, name)
        if len(rest):
            models[name] = unit_length(embeddings[enrolled].mean(axis=0))
            tried[name] = embeddings[rest]
    targets = {name: [float(each) for each in tried[name] @ models[name]] for name in models}
    nontargets = {
        name: [float(each) for other in models if other != name for each in tried[name] @ models[other]]
        for name in models
    }
    return targets, {name: scores for name, scores in nontargets.items() if scores}


def rates(targets: Mapping[str, list[float]], nontargets: Mapping[str, list[float]], *, seed: int) -> dict[str, Any]:
    """Error rates with intervals by speaker, and ``det``: up to 200 points of (far, frr) on the way between them."""
    wanted = {name: np.array(scores) for name, scores in targets.items()}
    others = {name: np.array(scores) for name, scores in nontargets.items()}
    statistics: dict[str, Callable[[Any, Any], float]] = {
        "eer": eer,
        "frr_at_far_1pct": lambda own, foreign: frr_at_far(own, foreign, 0.01),
        "frr_at_far_01pct": lambda own, foreign: frr_at_far(own, foreign, 0.001),
        "min_dcf": min_dcf,
    }
    far, frr = roc(pooled(wanted), pooled(others))
    points = np.unique(np.linspace(0, len(far) - 1, DET_POINTS).astype(np.int64))
    told: dict[str, Any] = {
        "targets": len(pooled(wanted)),
        "nontargets": len(pooled(others)),
        "det": {"far": far[points].round(6).tolist(), "frr": frr[points].round(6).tolist()},
    }
    for name, statistic in statistics.items():
        rng = np.random.default_rng(seed)
        low, high = bootstrap_by_speaker(wanted, others, statistic, rng=rng, draws=DRAWS)
        told[name] = {"value": statistic(pooled(wanted), pooled(others)), "low": low, "high": high}
    return told


def _own_pairs(pack: Pack, name: str) -> list[tuple[int, int]]:
    rows = pack.rows(name)
    sessions = [pack.clips[row].session for row in rows]
    crossing = len(set(sessions)) > 1
    return [
        (int(rows[left]), int(rows[right]))
        for left in range(len(rows))
        for right in range(left + 1, len(rows))
        if not crossing or sessions[left] != sessions[right]
    ]


def _groups_of_others(pack: Pack, name: str, people: list[str]) -> list[list[str]]:
    """The others of the same sex and of the other one; twice everybody where sexes are not told."""
    others = [each for each in people if each != name]
    same = [each for each in others if pack.sex[each] == pack.sex[name]]
    other = [each for each in others if pack.sex[each] != pack.sex[name]]
    return [group or others for group in (same, other) if others]


def _enrolled(pack: Pack, name: str) -> tuple[_Rows, _Rows]:
    sessions = pack.sessions(name)
    first = pack.rows(name, sessions[0])
    if len(sessions) > 1:
        return first[:ENROLLED_CLIPS], np.concatenate([pack.rows(name, each) for each in sessions[1:]])
    return first[:ENROLLED_CLIPS], first[ENROLLED_CLIPS:]
