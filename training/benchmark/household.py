"""Random households: residents enrolled on one day and tried on another, everybody else a stranger.

In each draw half of the strangers choose the thresholds and half give the figures; nobody does both. The thresholds
are chosen on clean speech and kept in every condition, as at a door. Scores are those of the product's own head:
prototypes, cohort, log-likelihood ratios calibrated on the strangers who choose. A system without a cohort of its own
gets every second one of those strangers as its cohort, and the rest choose: who is in the cohort looks like less of a
danger than a stranger is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.pcm import CLIP_SECONDS
from device.verdict.head import Head
from device.verdict.interpreter import Embedding
from device.verdict.scorer import speech_share
from training.benchmark.pack import Pack
from training.calibrate import evidence_of, fit_calibration, peaks, validation_trials, visits
from training.clips import SpokenClip
from training.enrol import enrol
from training.metrics import eer, far_at, frr_at, frr_at_far, threshold_at_far
from training.recipe import DecisionSettings, Enrol
from training.voices import Voices, cohort_of

PROTOTYPES = Enrol().prototypes
COHORT_TOP = DecisionSettings().cohort_top
MAX_CLIPS = 3
FARS = {"1pct": 0.01, "01pct": 0.001}
CLEAN = "clean"
SHORT = "1.5 s of speech"
_Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One household: rows of the pack's clips. ``choosing`` and ``judging`` strangers share no speaker."""

    residents: tuple[str, ...]
    enrolled: _Rows
    tried: _Rows
    choosing: _Rows
    judging: _Rows


def draw_households(
    pack: Pack, *, draws: int, residents: int, enrol_seconds: float, enrol_sessions: int, seed: int
) -> list[Draw]:
    """``draws`` households, deterministic for a seed. Residents have more than ``enrol_sessions`` sessions: those
    first are enrolled, ``enrol_seconds`` in all, and the others are tried.

    Raises :class:`DataError` when too few people have so many sessions.
    """
    able = [name for name in pack.speakers if len(pack.sessions(name)) > enrol_sessions]
    if len(able) < residents or len(pack.speakers) < residents + 4:
        raise DataError(
            "too few speakers for such households",
            received=f"{len(able)} with more than {enrol_sessions} sessions, {len(pack.speakers)} in all",
            allowed=f"{residents} of the first kind, {residents + 4} in all",
            next_step="ask for fewer residents, or give a pack with more sessions",
        )
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        chosen = tuple(sorted(rng.choice(able, residents, replace=False).tolist()))
        strangers = rng.permutation([name for name in pack.speakers if name not in chosen]).tolist()
        half = len(strangers) // 2
        enrolled, tried = zip(
            *(_two_days(pack, name, enrol_seconds=enrol_seconds, enrol_sessions=enrol_sessions) for name in chosen),
            strict=True,
        )
        found.append(
            Draw(
                chosen,
                np.concatenate(enrolled),
                np.concatenate(tried),
                np.concatenate([pack.rows(name) for name in sorted(strangers[:half])]),
                np.concatenate([pack.rows(name) for name in sorted(strangers[half:])]),
            )
        )
    return found


def household(
    pack: Pack,
    embeddings: Mapping[str, Embedding],
    changed: Mapping[str, Sequence[SpokenClip]],
    cohort: Embedding | None,
    draws: Sequence[Draw],
    copies: Embedding | None = None,
    *,
    cohort_top: int = COHORT_TOP,
) -> dict[str, Any]:
    """Figures by condition and unit (``clip``, and ``visit`` of up to three): eer, and at the thresholds chosen on
    clean speech for a FAR of 1 % and 0.1 %: frr and the far that came out, in all and by the strangers' corpus; each
    the mean, lowest and highest of the draws. ``frr_where_far_is_1pct`` is the FRR where the judged strangers' own FAR
    is 1 %: no door could choose that threshold, but two systems are compared at the same FAR there. ``embeddings`` and
    ``changed`` (the clips themselves) by condition, ``clean`` among them; ``copies`` float32 ``(k, clips, d)``: all
    clips as they are enrolled beside themselves (:mod:`training.door_copies`)."""
    per_draw = [_one(pack, embeddings, changed, cohort, draw, copies, cohort_top) for draw in draws]
    return {
        condition: {
            unit: {
                # In a small pack a draw may leave no stranger of some corpus.
                name: over([each[condition][unit][name] for each in per_draw if name in each[condition][unit]])
                for name in sorted({name for each in per_draw for name in each[condition][unit]})
            }
            for unit in ("clip", "visit")
        }
        for condition in embeddings
    }


def _one(
    pack: Pack,
    embeddings: Mapping[str, Embedding],
    changed: Mapping[str, Sequence[SpokenClip]],
    cohort: Embedding | None,
    draw: Draw,
    copies: Embedding | None,
    cohort_top: int,
) -> dict[str, Any]:
    clean = embeddings[CLEAN]
    chosen_rows = draw.choosing
    choosing = voices_of(pack.clips, clean, chosen_rows, copies)
    neighbours = cohort
    if neighbours is None:
        lent = np.isin(choosing.speakers, choosing.names[::2])
        neighbours = cohort_of(voices_of(pack.clips, clean, draw.choosing[lent]))
        chosen_rows = draw.choosing[~lent]
        choosing = voices_of(pack.clips, clean, chosen_rows, copies)
    top = min(cohort_top, len(neighbours))
    short = choosing if SHORT not in embeddings else voices_of(changed[SHORT], embeddings[SHORT], chosen_rows)
    trials = validation_trials(choosing, short, neighbours, cohort_top=top, prototypes=PROTOTYPES)
    calibration = fit_calibration(trials, cohort_top=top)
    head = enrol(voices_of(pack.clips, clean, draw.enrolled, copies), neighbours, calibration, prototypes=PROTOTYPES)
    thresholds = {
        unit: {name: threshold_at_far(scores, far) for name, far in FARS.items()}
        for unit, scores in _scores(head, choosing).items()
    }
    told: dict[str, Any] = {}
    for condition, heard in embeddings.items():
        inside = _scores(head, voices_of(changed[condition], heard, draw.tried))
        strangers = voices_of(changed[condition], heard, draw.judging)
        outside = _scores(head, strangers)
        told[condition] = {}
        for unit, limits in thresholds.items():
            figures = {
                "eer": eer(inside[unit], outside[unit]),
                "frr_where_far_is_1pct": frr_at_far(inside[unit], outside[unit], FARS["1pct"]),
            }
            if unit == "clip":
                for corpus in sorted({pack.corpus[name] for name in pack.speakers}):
                    own = np.array([pack.corpus[name] == corpus for name in strangers.speakers])
                    if own.any():
                        figures[f"far_reached_1pct_{corpus}"] = far_at(outside[unit][own], limits["1pct"])
            for name, threshold in limits.items():
                figures[f"frr_at_far_{name}"] = frr_at(inside[unit], threshold)
                figures[f"far_reached_{name}"] = far_at(outside[unit], threshold)
            told[condition][unit] = figures
    return told


def _scores(head: Head, voices: Voices) -> dict[str, NDArray[np.float64]]:
    evidence = evidence_of(head, voices)
    held = visits(voices.speakers, voices.sessions, max_clips=MAX_CLIPS)
    return {"clip": evidence.max(axis=1), "visit": peaks(evidence, held)}


def _two_days(pack: Pack, name: str, *, enrol_seconds: float, enrol_sessions: int) -> tuple[_Rows, _Rows]:
    sessions = pack.sessions(name)
    most = max(1, round(enrol_seconds / enrol_sessions / CLIP_SECONDS))
    enrolled = [pack.rows(name, each)[:most] for each in sessions[:enrol_sessions]]
    return np.concatenate(enrolled), np.concatenate([pack.rows(name, each) for each in sessions[enrol_sessions:]])


def voices_of(
    clips: Sequence[SpokenClip], embeddings: Embedding, rows: _Rows, copies: Embedding | None = None
) -> Voices:
    """Some ``rows`` of the pack's clips, with their ``embeddings`` and ``copies``, as the head takes them."""
    return Voices(
        embeddings[rows],
        np.array([speech_share(clips[row].clip) for row in rows]),
        tuple(clips[row].speaker for row in rows),
        tuple(clips[row].session for row in rows),
        None if copies is None else copies[:, rows],
    )


def over(values: Sequence[float]) -> dict[str, float]:
    """Mean, lowest and highest of the draws."""
    return {"value": float(np.mean(values)), "lowest": min(values), "highest": max(values)}
