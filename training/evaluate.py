"""What the bundle does to people it was not made for: strangers nobody learnt from, residents on another day.

Everything goes through the device's own scorer and policy on the int8 network. A clip's score is the highest
log-likelihood ratio of any resident, as the door sees it; a visit is up to ``max_clips`` clips in a row of one person.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import numpy as np

from device.sound.logmel import LogMel
from device.sound.pcm import Samples
from device.verdict.bundle import Bundle
from device.verdict.interpreter import unit_length
from device.verdict.scorer import Scorer, speech_share
from device.verdict.tries import TryLimits
from device.verdict.values import Score
from training.at_the_door import hold_visits, listen_long, policy_of, tell_visits
from training.calibrate import peaks, visits
from training.clips import SpokenClip
from training.conditions import conditions
from training.corpus.index import Progress
from training.door_tries import tries_figures
from training.effects import Sound
from training.metrics import (
    BySpeaker,
    bootstrap_by_speaker,
    confusion,
    eer,
    f1_allowed,
    far_at,
    frr_at,
    frr_at_far,
    log_likelihood_ratio_cost,
    min_dcf,
    pooled,
)
from training.outlook import nearest_strangers

Figures = dict[str, Any]
CLIPS_PER_TASK = 64
# Less sound than that carries no rate by the hour, with or without an opening.
LEAST_HOURS = 0.5
FARS = {"frr_at_far_1pct": 0.01, "frr_at_far_01pct": 0.001}


@dataclass(frozen=True, slots=True, eq=False)
class TestSet:
    """Who is tested with what. ``residents`` are of other sessions than the enrolment, ``strangers`` of people nobody
    learnt from; ``noises`` and ``rooms`` are ones that training never used; ``speech`` are long recordings of
    strangers, ``sounds`` of noise, int16 at 16 kHz, gone through once (either may be empty)."""

    residents: Sequence[SpokenClip]
    strangers: Sequence[SpokenClip]
    noises: Sequence[Sound] = ()
    rooms: Sequence[Sound] = ()
    speech: Iterable[Samples] = ()
    sounds: Iterable[Samples] = ()

    # Not a test, whatever its name begins with.
    __test__ = False


def evaluate(bundle: Bundle, tested: TestSet, *, float_network: Any | None, seed: int, progress: Progress) -> Figures:
    """All figures of one bundle, ready for JSON.

    ``float_network`` is the Keras network the bundle was quantized from, or None where it is not at hand. Its figures
    differ in the clips on trial alone: enrolment, cohort, calibration and thresholds stay those of the int8 network.
    """
    residents, strangers = tested.residents, tested.strangers
    everybody = [*residents, *strangers]
    scores = score_clips(bundle, everybody, progress, label="evaluate")
    inside, outside = scores[: len(residents)], scores[len(residents) :]
    figures: Figures = {
        "counts": {
            "residents": len({each.speaker for each in residents}),
            "resident_clips": len(residents),
            "strangers": len({each.speaker for each in strangers}),
            "stranger_clips": len(strangers),
        },
        "runs_in": bundle.input.dtype,
        "int8": _rates(residents, inside, strangers, outside, bundle, seed=seed),
        "door": {
            "residents": tell_visits(hold_visits(bundle, residents, inside)),
            "strangers": tell_visits(hold_visits(bundle, strangers, outside)),
        },
        "tries": _tries(bundle, residents, inside, strangers, outside),
        "per_person": _per_person(bundle, residents, inside, strangers, outside),
        "scores": {
            "residents": [round(each.best.llr, 3) for each in inside],
            "strangers": [round(each.best.llr, 3) for each in outside],
        },
        "conditions": {},
        "long": {},
        "nearest_strangers": _nearest_strangers(bundle, strangers, outside),
    }
    if float_network is not None:
        float_scores = _float_scores(float_network, bundle, everybody)
        figures["float"] = _rates(
            residents, float_scores[: len(residents)], strangers, float_scores[len(residents) :], bundle, seed=seed
        )
    for name, change in conditions(tested.noises, tested.rooms).items():
        rng = np.random.default_rng(seed)
        changed = [change(each, rng) for each in everybody]
        heard = score_clips(bundle, changed, progress, label=name)
        first, rest = heard[: len(residents)], heard[len(residents) :]
        figures["conditions"][name] = {
            **_rates(residents, first, strangers, rest, bundle, seed=seed, draws=0),
            "accepted": _accepted(bundle, residents, first),
        }
    for name, recordings in (("strangers", tested.speech), ("noise", tested.sounds)):
        heard_long = listen_long(bundle, recordings)
        if heard_long["hours"] > 0:
            # From a few seconds "thousands an hour" would follow.
            rates = () if heard_long["hours"] >= LEAST_HOURS else ("per_hour", "upper_bound_per_hour")
            figures["long"][name] = {**heard_long, **dict.fromkeys(rates)}
    return figures


def score_clips(bundle: Bundle, clips: Sequence[SpokenClip], progress: Progress, *, label: str) -> list[Score]:
    """What the door makes of each clip, in order; shared among the machine's cores, a scorer each."""
    workers = max(1, min(os.cpu_count() or 1, len(clips) // CLIPS_PER_TASK))
    # Threads, not processes: the network and numpy's transforms run outside the interpreter's lock.
    idle: SimpleQueue[Scorer] = SimpleQueue()
    for _ in range(workers):
        idle.put(Scorer(bundle))

    def score(part: Sequence[SpokenClip]) -> list[Score]:
        scorer = idle.get()
        try:
            return [scorer.score(each.clip) for each in part]
        finally:
            idle.put(scorer)

    found: list[Score] = []
    parts = [clips[start : start + CLIPS_PER_TASK] for start in range(0, len(clips), CLIPS_PER_TASK)]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for scores in pool.map(score, parts):
            found += scores
            progress(label, len(found), len(clips))
    return found


def _float_scores(network: Any, bundle: Bundle, clips: Sequence[SpokenClip]) -> list[Score]:
    log_mel, scorer = LogMel(bundle.frontend), Scorer(bundle)
    features = np.stack([log_mel(each.clip.samples) for each in clips])
    embeddings = unit_length(np.asarray(network.predict(features, batch_size=64, verbose=0), dtype=np.float32))
    return [
        scorer.judge_embedding(embedding, speech_share=speech_share(each.clip))
        for embedding, each in zip(embeddings, clips, strict=True)
    ]


def _tries(
    bundle: Bundle,
    residents: Sequence[SpokenClip],
    inside: Sequence[Score],
    strangers: Sequence[SpokenClip],
    outside: Sequence[Score],
) -> Figures:
    """What somebody who tries all day at a door as shipped would come to."""
    spec = replace(policy_of(bundle), limits=TryLimits())
    margin = spec.limits.strict_llr_margin
    usual = tell_visits(hold_visits(bundle, strangers, outside))
    strict = tell_visits(hold_visits(bundle, strangers, outside, margin_llr=margin))
    median = float(np.median([each.best.llr for each in inside]))
    held = tell_visits(hold_visits(bundle, residents, inside, margin_llr=margin))
    return {**tries_figures(spec, usual, strict, resident_llr=median),
            "residents_strict": {key: held[key] for key in ("visits", "opened", "share")}}  # fmt: skip


def _nearest_strangers(bundle: Bundle, strangers: Sequence[SpokenClip], outside: Sequence[Score]) -> Figures:
    evidence = np.array([[each.llr for each in score.residents] for score in outside])
    speakers, sessions = [each.speaker for each in strangers], [each.session for each in strangers]
    return dict(nearest_strangers(evidence, bundle.residents, speakers, sessions, bundle.thresholds))


def _by_speaker(clips: Sequence[SpokenClip], scores: Sequence[Score]) -> BySpeaker:
    names = sorted({each.speaker for each in clips})
    best = np.array([each.best.llr for each in scores])
    owner = np.array([each.speaker for each in clips])
    return {name: best[owner == name] for name in names}


def _visit_peaks(clips: Sequence[SpokenClip], scores: Sequence[Score], max_clips: int) -> BySpeaker:
    speakers, sessions = [each.speaker for each in clips], [each.session for each in clips]
    evidence = np.array([[each.llr for each in score.residents] for score in scores])
    found: dict[str, list[float]] = {}
    for rows in visits(speakers, sessions, max_clips=max_clips):
        found.setdefault(speakers[rows[0]], []).append(float(peaks(evidence, [rows])[0]))
    return {name: np.array(values) for name, values in found.items()}


def _rates(
    residents: Sequence[SpokenClip],
    inside: Sequence[Score],
    strangers: Sequence[SpokenClip],
    outside: Sequence[Score],
    bundle: Bundle,
    *,
    seed: int,
    draws: int = 500,
) -> Figures:
    """EER and FRR at two FARs, for single clips and for visits, with intervals by person where ``draws`` > 0."""
    statistics: dict[str, Callable[[Any, Any], float]] = {
        "eer": eer,
        **{name: _frr_at(far) for name, far in FARS.items()},
        "min_dcf": min_dcf,
        "cllr": log_likelihood_ratio_cost,
    }
    made: Figures = {}
    most = bundle.thresholds.max_clips
    for unit, wanted, others in (
        ("clip", _by_speaker(residents, inside), _by_speaker(strangers, outside)),
        ("visit", _visit_peaks(residents, inside, most), _visit_peaks(strangers, outside, most)),
    ):
        made[unit] = {}
        for name, statistic in statistics.items():
            value = {"value": statistic(pooled(wanted), pooled(others))}
            if draws:
                rng = np.random.default_rng(seed)
                value["low"], value["high"] = bootstrap_by_speaker(wanted, others, statistic, rng=rng, draws=draws)
            if name in FARS:
                # How many strangers' trials such a rate rests on: below one it says nothing.
                value["strangers_behind_it"] = FARS[name] * len(pooled(others))
            made[unit][name] = value
        trials = pooled(wanted), pooled(others), bundle.thresholds.open_llr
        made[unit]["at_threshold"] = {
            "far": far_at(pooled(others), bundle.thresholds.open_llr),
            "frr": frr_at(pooled(wanted), bundle.thresholds.open_llr),
            "f1": f1_allowed(*trials),
            **confusion(*trials),
        }
    return made


def _frr_at(far: float) -> Callable[[Any, Any], float]:
    return lambda wanted, others: frr_at_far(wanted, others, far)


def _accepted(bundle: Bundle, residents: Sequence[SpokenClip], scores: Sequence[Score]) -> dict[str, float]:
    """The share of each resident's single clips that would open alone."""
    by_person = _by_speaker(residents, scores)
    return {name: float(np.mean(values >= bundle.thresholds.open_llr)) for name, values in by_person.items()}


def _per_person(
    bundle: Bundle,
    residents: Sequence[SpokenClip],
    inside: Sequence[Score],
    strangers: Sequence[SpokenClip],
    outside: Sequence[Score],
) -> list[Figures]:
    rows = []
    for role, clips, scores in (("resident", residents, inside), ("stranger", strangers, outside)):
        for name, values in _by_speaker(clips, scores).items():
            accepted = float(np.mean(values >= bundle.thresholds.open_llr))
            rows.append(
                {
                    "role": role,
                    "person": name,
                    "clips": len(values),
                    "accepted": accepted,
                    "mean_llr": float(values.mean()),
                    "highest_llr": float(values.max()),
                }
            )
    return rows
