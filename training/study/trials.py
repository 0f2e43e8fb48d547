"""The one trial of all studies of classifiers: a random household, who is learnt from, and on whom it is judged.

Each draw is one of the benchmark's (:mod:`training.benchmark.household`). Of its clips

- ``learnt``: of the residents' enrolment and of every second choosing stranger (the *known others*), four of five;
- ``seen``: the fifth one of each: other clips of the same people on the same day, what course projects test on;
- ``choosing``: the other choosing strangers, whom the network does not know: they choose the threshold;
- ``tried``: the residents on another day;
- ``judging``: strangers who chose nothing and taught nothing.

The figures that count are of ``tried`` and ``judging``; ``closed_set_f1``, which course projects report, of ``seen``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from training.benchmark.household import MAX_CLIPS, Draw
from training.benchmark.pack import Pack
from training.calibrate import visits
from training.metrics import eer, f1_allowed, far_at, frr_at, frr_at_far, threshold_at_far

TARGET_FAR = 0.01
ONE_IN = 5
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Rows of the pack's clips, by what they are for; ``allowed`` bool, one for each clip of the pack."""

    residents: tuple[str, ...]
    learnt: Rows
    seen: Rows
    choosing: Rows
    tried: Rows
    judging: Rows
    allowed: NDArray[np.bool_]


def trial(pack: Pack, draw: Draw, *, seed: int) -> Trial:
    """The trial of one household. Raises :class:`DataError` when a stranger who judges taught or chose, or when a
    resident's clips of one session are on both sides."""
    people = sorted({pack.clips[row].speaker for row in draw.choosing})
    known = set(people[::2])
    is_known = np.array([pack.clips[row].speaker in known for row in draw.choosing])
    rng = np.random.default_rng(seed)
    taught, seen = [], []
    for rows in (draw.enrolled, draw.choosing[is_known]):
        mixed = rng.permutation(rows)
        held = max(1, len(mixed) // ONE_IN)
        seen.append(np.sort(mixed[:held]))
        taught.append(np.sort(mixed[held:]))
    made = Trial(
        draw.residents,
        np.concatenate(taught),
        np.concatenate(seen),
        draw.choosing[~is_known],
        draw.tried,
        draw.judging,
        np.array([each.speaker in draw.residents for each in pack.clips]),
    )
    guard(pack, made)
    return made


def guard(pack: Pack, made: Trial) -> None:
    """Raise :class:`DataError` where somebody is on two sides."""

    def sources(rows: Rows) -> set[tuple[str, str]]:
        return {(pack.clips[row].speaker, pack.clips[row].session) for row in rows}

    def people(rows: Rows) -> set[str]:
        return {pack.clips[row].speaker for row in rows}

    strangers = [people(made.learnt) | people(made.seen), people(made.choosing), people(made.judging)]
    crossing = (strangers[0] & strangers[1]) | (strangers[1] & strangers[2]) | (strangers[0] & strangers[2])
    twice = sources(made.learnt) & sources(made.tried)
    if crossing or twice:
        raise DataError(
            "somebody is on two sides of the trial", received=sorted(crossing | {name for name, _ in twice})
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a system reaches in one trial: rates 0..1, of single clips and of visits of up to three.

    ``closed_set_f1``: F1 of *allowed* on ``seen``, where a resident is admitted at the system's own middle (a logit of
    0). ``far_reached``, ``frr``: on strangers who judge and residents on another day, at the threshold that gives the
    choosing strangers a FAR of 1 %; ``frr_where_far_is_1pct``: where the judging strangers' own FAR is.
    """

    closed_set_f1: float
    eer: float
    frr_where_far_is_1pct: float
    far_reached: float
    frr: float
    visit_eer: float
    visit_frr_where_far_is_1pct: float


FIGURES = tuple(Figures.__dataclass_fields__)


def judge(pack: Pack, made: Trial, scores: Scores, *, middle: float = 0.0) -> Figures:
    """``scores`` float64, one for each clip of the pack, higher for *allowed*; ``middle``: where *allowed* begins for
    who reports a closed-set F1."""
    seen_allowed = made.allowed[made.seen]
    inside, outside = scores[made.tried], scores[made.judging]
    limit = threshold_at_far(scores[made.choosing], TARGET_FAR)
    in_visits, out_visits = (_visits(pack, scores, rows) for rows in (made.tried, made.judging))
    return Figures(
        closed_set_f1=f1_allowed(scores[made.seen][seen_allowed], scores[made.seen][~seen_allowed], middle),
        eer=eer(inside, outside),
        frr_where_far_is_1pct=frr_at_far(inside, outside, TARGET_FAR),
        far_reached=far_at(outside, limit),
        frr=frr_at(inside, limit),
        visit_eer=eer(in_visits, out_visits),
        visit_frr_where_far_is_1pct=frr_at_far(in_visits, out_visits, TARGET_FAR),
    )


def _visits(pack: Pack, scores: Scores, rows: Rows) -> Scores:
    """The mean score of each visit."""
    mine = scores[rows]
    speakers, sessions = [pack.clips[row].speaker for row in rows], [pack.clips[row].session for row in rows]
    return np.array([mine[each].mean() for each in visits(speakers, sessions, max_clips=MAX_CLIPS)])


def spread(figures: Sequence[Figures]) -> Mapping[str, Mapping[str, float]]:
    """For each figure its mean, standard deviation, lowest and highest over trials (deviation 0 for a single one)."""
    found = {}
    for name in FIGURES:
        values = np.array([getattr(each, name) for each in figures], dtype=np.float64)
        found[name] = {
            "mean": float(values.mean()),
            "deviation": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
            "lowest": float(values.min()),
            "highest": float(values.max()),
        }
    return found
