"""One clip explained: every map on the same grid, each tried by deletion, and what can be listened to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.sound.logmel import Features, LogMel
from device.sound.pcm import Samples
from device.verdict.bundle import Bundle
from device.verdict.interpreter import Embedding, unit_length
from device.verdict.scorer import Scorer
from device.verdict.values import ResidentScore
from training.corpus.index import Progress
from training.explain.deletion import Chance, Verdict, delete_at_random, judge_map
from training.explain.grid import Grid, Judge, Kept, Map, cut_evenly
from training.explain.int8_judge import Int8Judge
from training.explain.keras_side import agreement
from training.explain.lime import Lime, fit_lime
from training.explain.listen import most_important, only
from training.explain.occlusion import Occlusion, occlude
from training.explain.visit import Judged

TIME_PATCHES = 15
BAND_PATCHES = 8
# Of all patches, so many are left in the sound of what mattered.
HEARD_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the methods say of one score. ``by_method``: importance of each patch, ``grid.shape``, positive where it
    speaks for the resident; ``verdicts``: each tried by deletion against ``chance``; ``cosine`` between the float
    network and the int8 one, None without weights."""

    grid: Grid
    whole: float
    occlusion: Occlusion
    lime: Lime
    by_method: Mapping[str, Map]
    chance: Chance
    verdicts: Mapping[str, Verdict]
    cosine: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """``best``: the resident whose score is explained, who need not be the nearest; ``features`` float32 ``(frames,
    bands)``; ``decibels`` the same without the bands' means taken away, to look at; ``embedding`` float32 ``(d,)``,
    the int8 network's; ``heard``: what mattered most, as sound, and ``heard_kept`` its patches; ``passes``: how
    often the network ran."""

    judged: Judged
    best: ResidentScore
    features: Features
    decibels: Features
    embedding: Embedding
    maps: Maps
    heard: Samples
    heard_kept: Kept
    passes: int


def make_maps(
    judge: Judge,
    features: Features,
    *,
    gradients: Mapping[str, Map],
    masks: int,
    seed: int,
    progress: Progress,
    cosine: float | None = None,
) -> Maps:
    """Occlusion, LIME and the given gradient maps ``(frames, bands)``, on one grid, each tried by deletion."""
    frames, bands = features.shape
    grid = cut_evenly((frames, bands), time_patches=min(TIME_PATCHES, frames), band_patches=min(BAND_PATCHES, bands))
    occlusion = occlude(judge, features, grid, progress=progress)
    lime = fit_lime(judge, features, grid, masks=masks, rng=np.random.default_rng([seed, 1]), progress=progress)
    by_method: dict[str, Map] = {"occlusion": occlusion.patches, "lime": lime.patches}
    by_method |= {name: grid.gathered(each) for name, each in gradients.items()}
    chance = delete_at_random(judge, features, grid, np.random.default_rng([seed, 2]), progress=progress)
    verdicts = {
        name: judge_map(judge, features, grid, each, chance, np.random.default_rng([seed, 3]))
        for name, each in by_method.items()
    }
    return Maps(grid, judge(features), occlusion, lime, by_method, chance, verdicts, cosine)


def explain_clip(
    judged: Judged,
    bundle: Bundle,
    scorer: Scorer,
    *,
    resident: str | None = None,
    network: Any | None,
    masks: int,
    seed: int,
    progress: Progress,
) -> Explanation:
    """Explain one score of a clip: ``resident``'s, or the best one's. ``network``: the Keras network for gradients, or
    None."""
    best = judged.score.best
    if resident is not None:
        best = next(each for each in judged.score.residents if each.resident == resident)
    samples = judged.clip.samples
    features = LogMel(bundle.frontend)(samples)
    judge = Int8Judge(bundle, scorer, resident=best.resident, speech_share=judged.score.speech_share)
    gradients: Mapping[str, Map] = {}
    cosine = None
    if network is not None:
        from training.explain.gradients import Resident, gradient_maps

        cosine = agreement(network, features, judge.embed(features))
        mine = bundle.head.prototypes[bundle.head.owners == bundle.residents.index(best.resident)]
        voice = Resident(mine, unit_length(mine.mean(axis=0)))
        gradients = gradient_maps(network, features, voice)
    maps = make_maps(judge, features, gradients=gradients, masks=masks, seed=seed, progress=progress, cosine=cosine)
    kept = most_important(maps.by_method["lime"], HEARD_SHARE)
    return Explanation(
        judged,
        best,
        features,
        to_look_at(samples, bundle),
        judge.embed(features),
        maps,
        only(samples, kept, maps.grid, bundle.frontend),
        kept,
        judge.passes,
    )


def to_look_at(samples: Samples, bundle: Bundle) -> Features:
    """The clip's log-mel in dB, without the bands' means taken away, whatever the network hears."""
    return LogMel(bundle.frontend).to_look_at(samples)
