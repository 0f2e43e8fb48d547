"""What the bundle does to people it was not made for: strangers nobody learnt from, residents on another day.

Everything goes through the device's own scorer and policy on the int8 network. A clip's score is the highest
log-likelihood ratio of any resident, as the door sees it; a visit is up to ``max_clips`` clips in a row of one person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from device.sound.logmel import LogMel
from device.sound.pcm import FULL_SCALE
from device.verdict.bundle import Bundle
from device.verdict.interpreter import unit_length
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.scorer import Scorer, clip_weight
from device.verdict.values import Outcome, Score
from training.augment import Sound, at_level, few_words, in_room, through_door_phone, to_int16, with_noise
from training.calibrate import peaks, visits
from training.clips import SpokenClip
from training.corpus.index import Progress
from training.metrics import BySpeaker, bootstrap_by_speaker, eer, far_at, frr_at, frr_at_far, min_dcf, pooled

Figures = dict[str, Any]
Change = Callable[[SpokenClip, np.random.Generator], SpokenClip]


def evaluate(
    bundle: Bundle,
    residents: Sequence[SpokenClip],
    strangers: Sequence[SpokenClip],
    *,
    float_network: Any | None,
    noises: Sequence[Sound],
    rooms: Sequence[Sound],
    seed: int,
    progress: Progress,
) -> Figures:
    """All figures of one bundle, ready for JSON. ``residents`` must be of other sessions than the enrolment.

    ``float_network`` is the Keras network the bundle was quantized from, or None where it is not at hand. Its figures
    differ in the clips on trial alone: enrolment, cohort, calibration and thresholds stay those of the int8 network.
    """
    scorer = Scorer(bundle)
    everybody = [*residents, *strangers]
    scores = _score_all(scorer, everybody, progress, "evaluate")
    inside, outside = scores[: len(residents)], scores[len(residents) :]
    figures: Figures = {
        "counts": {
            "residents": len({each.speaker for each in residents}),
            "resident_clips": len(residents),
            "strangers": len({each.speaker for each in strangers}),
            "stranger_clips": len(strangers),
        },
        "int8": _rates(residents, inside, strangers, outside, bundle, seed=seed),
        "door": _door(bundle, residents, inside, strangers, outside),
        "per_person": _per_person(bundle, residents, inside, strangers, outside),
        "scores": {
            "residents": [round(each.best.llr, 3) for each in inside],
            "strangers": [round(each.best.llr, 3) for each in outside],
        },
        "conditions": {},
    }
    if float_network is not None:
        float_scores = _float_scores(float_network, bundle, everybody)
        figures["float"] = _rates(
            residents, float_scores[: len(residents)], strangers, float_scores[len(residents) :], bundle, seed=seed
        )
    for name, change in conditions(noises, rooms).items():
        rng = np.random.default_rng(seed)
        changed = [change(each, rng) for each in everybody]
        heard = _score_all(scorer, changed, progress, name)
        told = _rates(
            residents, heard[: len(residents)], strangers, heard[len(residents) :], bundle, seed=seed, draws=0
        )
        figures["conditions"][name] = told
    return figures


def conditions(noises: Sequence[Sound], rooms: Sequence[Sound]) -> dict[str, Change]:
    """What is done to the test clips, by name. Noises and rooms are ones that training never used."""

    def noisy(snr_db: float) -> Change:
        def change(spoken: SpokenClip, rng: np.random.Generator) -> SpokenClip:
            noise = noises[int(rng.integers(len(noises)))]
            sound = _sound(spoken)
            placed = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(sound))
            return _sounding(spoken, with_noise(sound, placed, snr_db=snr_db))

        return change

    def in_a_room(spoken: SpokenClip, rng: np.random.Generator) -> SpokenClip:
        return _sounding(spoken, in_room(_sound(spoken), rooms[int(rng.integers(len(rooms)))]))

    def door_phone(spoken: SpokenClip, _rng: np.random.Generator) -> SpokenClip:
        return _sounding(spoken, through_door_phone(_sound(spoken), low_hz=300.0, high_hz=3400.0))

    def short(seconds: float) -> Change:
        def change(spoken: SpokenClip, rng: np.random.Generator) -> SpokenClip:
            cut = _sounding(spoken, few_words(_sound(spoken), seconds=seconds, rng=rng))
            # As the door marks such a clip, so that its evidence weighs what it weighs there.
            speech_seconds = min(seconds, spoken.clip.speech_seconds)
            return replace(cut, clip=replace(cut.clip, filled=True, speech_seconds=speech_seconds))

        return change

    found: dict[str, Change] = {}
    if noises:
        found |= {f"noise {snr_db:g} dB": noisy(snr_db) for snr_db in (20.0, 10.0, 5.0)}
    if rooms:
        found["in a room"] = in_a_room
    found["door phone"] = door_phone
    return found | {f"{seconds} s of speech": short(seconds) for seconds in (2.0, 1.5, 1.0)}


def _sound(spoken: SpokenClip) -> Sound:
    return (spoken.clip.samples / FULL_SCALE).astype(np.float32)


def _sounding(spoken: SpokenClip, sound: Sound) -> SpokenClip:
    """The same clip with another sound, held below full scale."""
    return replace(spoken, clip=replace(spoken.clip, samples=to_int16(at_level(sound, gain_db=0.0))))


def _score_all(scorer: Scorer, clips: Sequence[SpokenClip], progress: Progress, label: str) -> list[Score]:
    found = []
    for count, each in enumerate(clips, start=1):
        found.append(scorer.score(each.clip))
        progress(label, count, len(clips))
    return found


def _float_scores(network: Any, bundle: Bundle, clips: Sequence[SpokenClip]) -> list[Score]:
    log_mel, scorer = LogMel(bundle.frontend), Scorer(bundle)
    features = np.stack([log_mel(each.clip.samples) for each in clips])
    embeddings = unit_length(np.asarray(network.predict(features, batch_size=64, verbose=0), dtype=np.float32))
    return [
        scorer.judge_embedding(embedding, weight=clip_weight(each.clip))
        for embedding, each in zip(embeddings, clips, strict=True)
    ]


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
        "frr_at_far_1pct": lambda wanted, others: frr_at_far(wanted, others, 0.01),
        "frr_at_far_01pct": lambda wanted, others: frr_at_far(wanted, others, 0.001),
        "min_dcf": min_dcf,
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
            made[unit][name] = value
        made[unit]["at_threshold"] = {
            "far": far_at(pooled(others), bundle.thresholds.open_llr),
            "frr": frr_at(pooled(wanted), bundle.thresholds.open_llr),
        }
    return made


def _door(
    bundle: Bundle,
    residents: Sequence[SpokenClip],
    inside: Sequence[Score],
    strangers: Sequence[SpokenClip],
    outside: Sequence[Score],
) -> Figures:
    """The policy itself on every visit: how many opened."""
    spec = PolicySpec(
        open_llr=bundle.thresholds.open_llr,
        refuse_llr=bundle.thresholds.refuse_llr,
        max_clips=bundle.thresholds.max_clips,
    )
    told: Figures = {}
    for who, clips, scores in (("residents", residents, inside), ("strangers", strangers, outside)):
        who_spoke, when = [each.speaker for each in clips], [each.session for each in clips]
        each_visit = visits(who_spoke, when, max_clips=spec.max_clips)
        opened = [_opens(spec, [scores[row] for row in rows]) for rows in each_visit]
        told[who] = {"visits": len(opened), "opened": sum(opened), "share": float(np.mean(opened))}
    return told


def _opens(spec: PolicySpec, scores: Sequence[Score]) -> bool:
    state = PolicyState()
    for count, score in enumerate(scores):
        state, decision = judge(spec, state, score, now_seconds=3.0 * count)
        if decision.outcome in (Outcome.OPEN, Outcome.REFUSE):
            return decision.opens
    return False


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
