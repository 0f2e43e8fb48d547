"""One door: residents enrolled and tried, and strangers, all through the same door; thresholds know none of it.

What chooses the threshold is what the product has: the residents' own clips, and strangers in the shipped conditions,
none of which is a door here (:mod:`training.benchmark.doors`). The figure is the FAR reached against the FAR aimed at,
beside the FRR, in visits of up to three clips, for the whole household and for each resident living alone. For
comparison, the same with a threshold from strangers as recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.household.channel import channel_map
from device.household.conditions import FEWEST_PEOPLE, StrangersByCondition
from device.household.door_scores import DoorScorer, resident_prototypes
from device.household.thresholds import door_threshold
from device.verdict.interpreter import Embedding, unit_length
from training.benchmark.doors import Door
from training.benchmark.household import MAX_CLIPS, Draw, over
from training.benchmark.pack import Pack
from training.calibrate import visits
from training.metrics import threshold_at_far

TARGETS = {"1pct": 0.01, "01pct": 0.001}
# Enough for a person's visit; more clips of few people are no more strangers.
CLIPS_OF_A_STRANGER = 3
_Rows = NDArray[np.int64]


def one_door(
    pack: Pack,
    at_doors: Mapping[str, Embedding],
    in_conditions: Mapping[str, Embedding],
    doors: Sequence[Door],
    draws: Sequence[Draw],
    *,
    shipped: StrangersByCondition | None = None,
) -> dict[str, Any]:
    """Figures by door, and ``judged``: mean and worst of the doors that nothing was chosen on.

    ``at_doors`` and ``in_conditions``: float32 ``(clips, d)`` of the pack's clips by name. ``shipped`` strangers choose
    the thresholds; without them the draw's choosing strangers do, in ``in_conditions``, whose first is as recorded.
    """
    by_door = {door.name: _at(pack, at_doors[door.name], in_conditions, draws, shipped) for door in doors}
    judged = [by_door[door.name] for door in doors if not door.to_choose_on]
    return {
        "doors": {
            door.name: {"to_choose_on": door.to_choose_on, **_folded(by_door[door.name])} for door in doors
        },
        "judged": {
            household: {
                name: {
                    "mean": float(np.mean([np.mean(each[household][name]) for each in judged])),
                    "worst": max(float(np.mean(each[household][name])) for each in judged),
                }
                for name in judged[0][household]
            }
            for household in judged[0]
        },
    }  # fmt: skip


def strangers_of(pack: Pack, in_conditions: Mapping[str, Embedding], rows: _Rows) -> StrangersByCondition:
    """Some of the pack's clips in all conditions, at most three of a person.

    Raises :class:`DataError` when they are too few people.
    """
    people = sorted({pack.clips[row].speaker for row in rows})
    if len(people) < FEWEST_PEOPLE:
        raise DataError(
            "too few strangers to choose a threshold for one door",
            received=f"{len(people)} people",
            allowed=f"{FEWEST_PEOPLE} or more",
            next_step="give shipped strangers with --strangers, or a pack with more people",
        )
    first = [[row for row in rows if pack.clips[row].speaker == name][:CLIPS_OF_A_STRANGER] for name in people]
    chosen = np.concatenate([np.array(mine, dtype=np.int64) for mine in first])
    owners = np.repeat(np.arange(len(people)), [len(mine) for mine in first])
    return StrangersByCondition(
        tuple(in_conditions), np.stack([vectors[chosen] for vectors in in_conditions.values()]), owners
    )


def _at(
    pack: Pack,
    door: Embedding,
    in_conditions: Mapping[str, Embedding],
    draws: Sequence[Draw],
    shipped: StrangersByCondition | None,
) -> dict[str, dict[str, list[float]]]:
    """All figures of one door, one value for each household."""
    figures: dict[str, dict[str, list[float]]] = {}
    for draw in draws:
        strangers = shipped or strangers_of(pack, in_conditions, draw.choosing)
        alone: list[tuple[str, ...]] = [(name,) for name in draw.residents]
        households: dict[str, list[tuple[str, ...]]] = {"household": [draw.residents], "alone": alone}
        for kind, groups in households.items():
            for residents in groups:
                for name, value in _household(pack, door, strangers, draw, residents).items():
                    figures.setdefault(kind, {}).setdefault(name, []).append(value)
    return figures


def _household(
    pack: Pack, door: Embedding, strangers: StrangersByCondition, draw: Draw, residents: tuple[str, ...]
) -> dict[str, float]:
    enrolled = [door[_of(pack, draw.enrolled, (name,))] for name in residents]
    scorer = DoorScorer(resident_prototypes(enrolled), strangers, channel_map(strangers))
    inside, outside = _of(pack, draw.tried, residents), draw.judging
    plain = scorer.prototypes
    first = unit_length(strangers.cohorts[0])
    found = {}
    for name, target in TARGETS.items():
        threshold = door_threshold(scorer, enrolled, target_far=target)
        shut, opened = (
            [threshold.opens(scorer.scores(door[rows])) for rows in _visits(pack, side)] for side in (inside, outside)
        )
        found[f"frr_at_far_{name}"] = 1.0 - float(np.mean(shut))
        found[f"far_reached_{name}"] = float(np.mean(opened))
        as_recorded = threshold_at_far((first @ plain.T).max(axis=1), target)
        passed = [bool((door[rows] @ plain.T).max() >= as_recorded) for rows in _visits(pack, outside)]
        found[f"far_reached_{name}_from_strangers_as_recorded"] = float(np.mean(passed))
    return found


def _of(pack: Pack, rows: _Rows, names: tuple[str, ...]) -> _Rows:
    return np.array([row for row in rows if pack.clips[row].speaker in names], dtype=np.int64)


def _visits(pack: Pack, rows: _Rows) -> list[_Rows]:
    who = [pack.clips[row].speaker for row in rows], [pack.clips[row].session for row in rows]
    return [rows[visit] for visit in visits(*who, max_clips=MAX_CLIPS)]


def _folded(figures: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    return {kind: {name: over(values) for name, values in by_name.items()} for kind, by_name in figures.items()}
