"""How each resident is likely to fare at the door, before anybody has stood there in the rain.

**Each session is left out in turn**: the resident is enrolled on the other sessions, everybody else on all of theirs,
and the visits of the session left out meet the bundle's own threshold. For a bundle that is enrolled on every session
that is harsh. Where there is only one session, groups of clips are left out instead; the same day flatters by far, and
the report says so. ``tests/training/test_outlook_on_real_speech.py`` measures both. Beside it stand the resident who
sounds nearest, and the stranger who does.

Everything is computed on embeddings that are at hand, so it costs next to nothing. The figures (rates 0..1, evidence in
natural-log ratios)::

    residents   rows of person, speech_seconds, sessions, left_out, nearest_resident, nearest_stranger, advice
    left_out    kind (session, group or none), visits, refused, frr and upper_bound (None without a visit),
                by_session -> rows of session, visits, refused
    nearest_resident   name, mean_llr, visits, taken_for (visits that would open under that name); None without another
    nearest_stranger   name, mean_peak_llr, visits and let_in (of that person, as this resident), all_visits and
                       all_let_in (of all strangers, as this resident), upper_bound (of the latter); None without any
    strangers   what the strangers are, in words
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.verdict.bundle import Thresholds
from device.verdict.head import Head
from device.verdict.interpreter import Embedding
from training.calibrate import evidence_of, visits
from training.clips import SpokenClip
from training.enrol import enrol
from training.metrics import clopper_pearson_upper
from training.outlook_advice import advise
from training.voices import Voices, chosen, joined

MOST_GROUPS = 4
# How a shipped network calls the people it was made with.
_HASHED = re.compile(r"[0-9a-f]{16}")
_Float = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Household:
    """Everything that is known of the residents: ``clips`` and their ``voices`` in the same order, tests included, and
    how they are enrolled."""

    clips: Sequence[SpokenClip]
    voices: Voices
    cohort: Embedding
    head: Head
    thresholds: Thresholds
    prototypes: int


def look_ahead(home: Household, strangers: Mapping[str, Row | None], *, who: str) -> Row:
    """The figures. ``strangers``: :func:`nearest_strangers` by resident; ``who`` they are, in words."""
    evidence = evidence_of(home.head, home.voices)
    rows = []
    for person in home.head.residents:
        spoken = [each for each in home.clips if each.speaker == person]
        told: Row = {
            "person": person,
            "speech_seconds": round(sum(each.clip.speech_seconds for each in spoken), 1),
            "sessions": len({each.session for each in spoken}),
            "left_out": left_out(home, person),
            "nearest_resident": nearest_resident(home, evidence, person),
            "nearest_stranger": strangers.get(person),
        }
        rows.append({**told, "advice": advise(told, target_far=home.thresholds.target_far)})
    return {"residents": rows, "strangers": who}


def outlook_of(home: Household, figures: Mapping[str, Any], populations: Sequence[Voices]) -> Row:
    """:func:`look_ahead` with the strangers at hand: those of the test where there was one (``figures`` has them), else
    those the threshold was chosen on, the first of ``populations`` and the household's own."""
    if "nearest_strangers" in figures:
        who = f"the {figures['counts']['strangers']} of this test, on whom nothing was chosen"
        return look_ahead(home, figures["nearest_strangers"], who=who)
    # The second one holds the same people with little speech.
    met = populations[0]
    for each in populations[2:]:
        met = joined(met, each)
    names = [f"unnamed {name[:8]}" if _HASHED.fullmatch(name) else name for name in met.speakers]
    found = nearest_strangers(evidence_of(home.head, met), home.head.residents, names, met.sessions, home.thresholds)
    who = f"{len(met.names)} people on whom the threshold was chosen, which flatters"
    return look_ahead(home, found, who=who)


def left_out(home: Household, person: str) -> Row:
    """This resident's visits where their session, or their group of clips, is not enrolled."""
    kind, parts = _parts(home.voices, person)
    by_session: dict[str, list[int]] = {}
    for rows in parts:
        rest = np.setdiff1d(np.arange(len(home.voices.speakers)), rows)
        head = enrol(chosen(home.voices, rest), home.cohort, home.head.calibration, prototypes=home.prototypes)
        tried = chosen(home.voices, rows)
        own = evidence_of(head, tried)[:, head.residents.index(person)]
        for visit, peak in _own_peaks(tried, own, home.thresholds.max_clips):
            counts = by_session.setdefault(tried.sessions[visit[0]], [0, 0])
            counts[0] += 1
            counts[1] += peak < home.thresholds.open_llr
    held, refused = (sum(each[place] for each in by_session.values()) for place in (0, 1))
    return {
        "kind": kind, "visits": held, "refused": refused,
        "frr": refused / held if held else None,
        "upper_bound": clopper_pearson_upper(refused, held) if held else None,
        "by_session": [{"session": name, "visits": each[0], "refused": each[1]}
                       for name, each in sorted(by_session.items())],
    }  # fmt: skip


def nearest_resident(home: Household, evidence: _Float, person: str) -> Row | None:
    """The other resident for whom this one's clips speak most; None where nobody else lives here."""
    mine = home.voices.of(person)
    others = [column for column, name in enumerate(home.head.residents) if name != person]
    if not others or not len(mine):
        return None
    nearest = max(others, key=lambda column: float(evidence[mine, column].mean()))
    peaks = _own_peaks(chosen(home.voices, mine), evidence[mine, nearest], home.thresholds.max_clips)
    return {
        "name": home.head.residents[nearest], "mean_llr": round(float(evidence[mine, nearest].mean()), 2),
        "visits": len(peaks), "taken_for": sum(peak >= home.thresholds.open_llr for _, peak in peaks),
    }  # fmt: skip


def nearest_strangers(
    evidence: _Float, residents: Sequence[str], speakers: Sequence[str], sessions: Sequence[str], limits: Thresholds
) -> dict[str, Row | None]:
    """For each resident the stranger who comes nearest. ``evidence`` ``(clips, residents)`` of strangers' clips by
    ``speakers`` in ``sessions``."""
    held = visits(speakers, sessions, max_clips=limits.max_clips)
    found: dict[str, Row | None] = {}
    for column, resident in enumerate(residents):
        peaks: dict[str, list[float]] = {}
        for rows in held:
            peaks.setdefault(speakers[rows[0]], []).append(float(np.cumsum(evidence[rows, column]).max()))
        if not peaks:
            found[resident] = None
            continue
        nearest = max(peaks, key=lambda name: float(np.mean(peaks[name])))
        let_in = sum(peak >= limits.open_llr for each in peaks.values() for peak in each)
        found[resident] = {
            "name": nearest, "mean_peak_llr": round(float(np.mean(peaks[nearest])), 2), "visits": len(peaks[nearest]),
            "let_in": sum(peak >= limits.open_llr for peak in peaks[nearest]),
            "all_visits": len(held), "all_let_in": let_in, "upper_bound": clopper_pearson_upper(let_in, len(held)),
        }  # fmt: skip
    return found


def _parts(voices: Voices, person: str) -> tuple[str, list[NDArray[np.int64]]]:
    """What is left out in turn: sessions, or groups of neighbouring clips where there is one session."""
    mine = voices.of(person)
    sessions = sorted({voices.sessions[row] for row in mine})
    if len(sessions) > 1:
        return "session", [np.array([row for row in mine if voices.sessions[row] == name]) for name in sessions]
    groups = min(MOST_GROUPS, len(mine))
    # One clip left to enrol on, and one to try, is the least.
    return ("group", list(np.array_split(mine, groups))) if groups >= 2 else ("none", [])


def _own_peaks(voices: Voices, evidence: _Float, max_clips: int) -> list[tuple[NDArray[np.int64], float]]:
    """Each visit's rows, and the highest running sum of ``evidence`` ``(clips,)`` in it."""
    held = visits(voices.speakers, voices.sessions, max_clips=max_clips)
    return [(rows, float(np.cumsum(evidence[rows]).max())) for rows in held]
