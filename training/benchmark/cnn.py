"""The end-to-end baseline: what course projects build. A small CNN learns allowed against known others, each draw anew.

Here so that anybody can see what strangers do to it. It learns from the residents' enrolment and from half of the
strangers who choose; the other half of those chooses its thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, LogMel
from training.benchmark.household import CLEAN, FARS, MAX_CLIPS, Draw, over
from training.benchmark.pack import Pack
from training.calibrate import visits
from training.classifier import Classifier, float_scores, learn_classifier
from training.clips import SpokenClip
from training.corpus.index import Progress
from training.metrics import eer, far_at, frr_at, frr_at_far, threshold_at_far

CONDITIONS = (CLEAN, "noise 10 dB", "in a room")


def cnn_household(
    pack: Pack, changed: Mapping[str, Sequence[SpokenClip]], draws: Sequence[Draw], *, seed: int, progress: Progress
) -> dict[str, Any]:
    """The same figures as :func:`training.benchmark.household.household`, for three conditions."""
    log_mel = LogMel(FrontendSpec())
    kept = [name for name in CONDITIONS if name in changed]
    features = {
        name: np.stack([log_mel(each.clip.samples) for each in changed[name]]).astype(np.float32) for name in kept
    }
    per_draw = []
    for count, draw in enumerate(draws, start=1):
        per_draw.append(_one(pack, features, draw, seed=seed + count))
        progress("cnn", count, len(draws))
    return {
        name: {
            unit: {key: over([each[name][unit][key] for each in per_draw]) for key in per_draw[0][name][unit]}
            for unit in ("clip", "visit")
        }
        for name in kept
    }


def _one(pack: Pack, features: Mapping[str, NDArray[np.float32]], draw: Draw, *, seed: int) -> dict[str, Any]:
    people = sorted({pack.clips[row].speaker for row in draw.choosing})
    known = set(people[::2])
    learnt = np.array([row for row in draw.choosing if pack.clips[row].speaker in known])
    choosing = np.array([row for row in draw.choosing if pack.clips[row].speaker not in known])
    rows = np.concatenate([draw.enrolled, learnt])
    allowed = np.arange(len(rows)) < len(draw.enrolled)
    network = learn_classifier(Classifier(), features[CLEAN][rows], allowed, seed=seed)
    limits: dict[str, dict[str, float]] = {}
    told: dict[str, Any] = {}
    for name, heard in features.items():
        scores = float_scores(network, heard)
        if name == CLEAN:
            for unit, values in _units(pack, scores, choosing).items():
                limits[unit] = {key: threshold_at_far(values, far) for key, far in FARS.items()}
        inside, outside = _units(pack, scores, draw.tried), _units(pack, scores, draw.judging)
        told[name] = {}
        for unit in ("clip", "visit"):
            figures = {
                "eer": eer(inside[unit], outside[unit]),
                "frr_where_far_is_1pct": frr_at_far(inside[unit], outside[unit], FARS["1pct"]),
            }
            for key, threshold in limits[unit].items():
                figures[f"frr_at_far_{key}"] = frr_at(inside[unit], threshold)
                figures[f"far_reached_{key}"] = far_at(outside[unit], threshold)
            told[name][unit] = figures
    return told


def _units(pack: Pack, scores: NDArray[np.float64], rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Scores of clips, and of visits: the mean of up to three."""
    mine = scores[rows]
    speakers, sessions = [pack.clips[row].speaker for row in rows], [pack.clips[row].session for row in rows]
    held = visits(speakers, sessions, max_clips=MAX_CLIPS)
    return {"clip": mine, "visit": np.array([mine[each].mean() for each in held])}
