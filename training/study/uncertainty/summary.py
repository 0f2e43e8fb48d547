"""The study's figures, ready for JSON: what is uncertain about whom, and whether refusing it pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import eer
from training.study.paired import Difference, Scores, Statistic, far_at_frr, paired
from training.study.trials import TARGET_FAR, Trial
from training.study.uncertainty.band import threshold
from training.study.uncertainty.carry_out import NO_BAND_NAME, Outcome, Told
from training.study.uncertainty.measures import MEASURES, Answers, more_uncertain
from training.study.uncertainty.product import PLAIN as DOOR
from training.study.uncertainty.product import SEVERAL

PLAIN = "plain"
RESIDENTS, STRANGERS = "residents, another day", "strangers never met"
EQUAL_FRRS = (0.1, 0.2)


def groups(told: Told, trials: Sequence[Trial], outsiders: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """For each method and group: the mean of every measure, and the share that would be admitted alone."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for answers, made in zip(told.answers, trials, strict=True):
        for method, each in answers.items():
            limit = threshold(each.score[made.choosing], TARGET_FAR)
            for group, rows in _rows(made, outsiders).items():
                # The door's network is asked of the pack's own clips alone.
                if len(rows) and rows.max() < len(each.score):
                    told_here = {name: float(getattr(each, name)[rows].mean()) for name in MEASURES}
                    told_here |= {"admitted": float(np.mean(each.score[rows] >= limit)), "clips": float(len(rows))}
                    found.setdefault(method, {}).setdefault(group, []).append(told_here)
    return {
        method: {
            group: {key: float(np.mean([draw[key] for draw in draws])) for key in draws[0]}
            for group, draws in by_group.items()
        }
        for method, by_group in found.items()
    }


def _rows(made: Trial, outsiders: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    inside = made.allowed[made.seen]
    return {
        "residents, the day they were learnt": made.seen[inside],
        RESIDENTS: made.tried,
        "others it has met": made.seen[~inside],
        STRANGERS: made.judging,
        **outsiders,
    }


def telling(told: Told, trials: Sequence[Trial]) -> dict[str, Any]:
    """For each method and measure: how often a stranger is more uncertain than a resident, of all clips, and of those
    that the threshold admits, where a band would have its work; and how many strangers' clips those are."""
    found: dict[str, Any] = {}
    for method in told.answers[0]:
        found[method] = {}
        for name in MEASURES:
            each = [_telling(answers[method], name, made) for answers, made in zip(told.answers, trials, strict=True)]
            everybody, admitted = (np.array(side) for side in zip(*each, strict=True))
            known = admitted[~np.isnan(admitted)]
            found[method][name] = {
                "of_all": float(everybody.mean()),
                "of_admitted": float(known.mean()) if len(known) else None,
            }
    return found


def _telling(answers: Answers, name: str, made: Trial) -> tuple[float, float]:
    uncertainty = getattr(answers, name)
    open_to = answers.score >= threshold(answers.score[made.choosing], TARGET_FAR)
    inside, outside = made.tried[open_to[made.tried]], made.judging[open_to[made.judging]]
    return (
        more_uncertain(uncertainty[made.judging], uncertainty[made.tried]),
        more_uncertain(uncertainty[outside], uncertainty[inside]),
    )


def comparisons(told: Told, *, seed: int) -> list[dict[str, Any]]:
    """A row for each method and band: what its own threshold gives, and at equal FRR the FAR less that of the plain
    network and less that of the same method without a band, each with its interval over people and draws."""
    rows = []
    for method, bands in told.outcomes.items():
        single = told.outcomes[DOOR if method in (DOOR, SEVERAL) else PLAIN][NO_BAND_NAME]
        frrs = [each.frr for each in single]
        for band, outcomes in bands.items():
            row = {
                "method": method,
                "band": band,
                "far": _mean([each.far for each in outcomes]),
                "frr": _mean([each.frr for each in outcomes]),
                "eer": _mean([eer(each.tried.inside, each.tried.outside) for each in outcomes]),
                "chosen": int(sum(not np.isnan(each.number) for each in outcomes)),
                "draws": len(outcomes),
                "equal_frr": _mean(frrs),
                "far_at_equal_frr": _far(outcomes, frrs),
                **{f"far_at_frr_{frr:.0%}": _far(outcomes, [frr] * len(outcomes)) for frr in EQUAL_FRRS},
            }
            if outcomes is not single:
                row["less_plain"] = _difference(single, outcomes, frrs, seed=seed)
            if band != NO_BAND_NAME:
                row["in_hindsight"] = _hindsight(outcomes, frrs)
                row["less_no_band"] = _difference(bands[NO_BAND_NAME], outcomes, frrs, seed=seed)
            rows.append(row)
    return rows


def _far(outcomes: Sequence[Outcome], frrs: Sequence[float]) -> float:
    pairs = zip(outcomes, frrs, strict=True)
    return _mean([far_at_frr(each.tried.inside, each.tried.outside, frr) for each, frr in pairs])


def _hindsight(outcomes: Sequence[Outcome], frrs: Sequence[float]) -> float:
    pairs = zip(outcomes, frrs, strict=True)
    return _mean([each.band.in_hindsight(frr, each.number) for each, frr in pairs if each.band is not None])


def _difference(
    first: Sequence[Outcome], second: Sequence[Outcome], frrs: Sequence[float], *, seed: int
) -> dict[str, Any]:
    found = paired([each.tried for each in first], [each.tried for each in second], [_at(frr) for frr in frrs],
                   rng=np.random.default_rng(seed))  # fmt: skip
    return told_of(found)


def told_of(found: Difference) -> dict[str, Any]:
    """A difference for JSON."""
    return {"mean": found.mean, "low": found.low, "high": found.high, "each": list(found.each)}


def _at(frr: float) -> Statistic:
    def statistic(inside: Scores, outside: Scores) -> float:
        return far_at_frr(inside, outside, frr)

    return statistic


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
