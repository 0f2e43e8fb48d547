"""Fundamental frequency: how it differs between people and days, and what it tells alone.

Each clip is the median pitch of its voiced frames by pYIN (:func:`training.corpus.survey_voices.follow_pitch`). As a
verifier, a clip's score is how near it is, in octaves, to the nearest resident's enrolled pitch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.benchmark.pack import Pack
from training.corpus.index import Progress
from training.corpus.survey_voices import FEWEST_VOICED_FRAMES, as_recorded, follow_pitch
from training.metrics import eer
from training.study.kept import kept
from training.study.spectrogram.band_means import between_and_within
from training.study.trials import Trial

_Float = NDArray[np.float64]


def pitch_hz(pack: Pack, *, clips_a_session: int, runs: Path, progress: Progress) -> _Float:
    """float64, one for each clip of the pack; NaN for clips that were not listened to or hold too little voice.
    ``clips_a_session`` are spread evenly over each session."""
    rows = _spread_evenly(pack, clips_a_session)
    said = hashlib.sha256()
    for row in rows:
        said.update(pack.clips[row].clip.samples.tobytes())

    def listen() -> _Float:
        found = np.empty(len(rows))
        for count, row in enumerate(rows):
            followed = follow_pitch(as_recorded(pack.clips[row]))
            voiced = followed[np.isfinite(followed)]
            found[count] = np.median(voiced) if len(voiced) >= FEWEST_VOICED_FRAMES else np.nan
            progress("pitch", count + 1, len(rows))
        return found

    every = np.full(len(pack.clips), np.nan)
    every[rows] = kept(runs / "study", "pitch", [said.hexdigest()], listen)
    return every


def _spread_evenly(pack: Pack, most: int) -> list[int]:
    found: list[int] = []
    for name in pack.speakers:
        for session in pack.sessions(name):
            rows = pack.rows(name, session)
            found += rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))].tolist()
    return found


def people(pack: Pack, hz: _Float) -> list[dict[str, Any]]:
    """A row a person with any voice: name, sex, and the median pitch of each session in Hz."""
    told = []
    for name in pack.speakers:
        sessions = [hz[pack.rows(name, each)] for each in pack.sessions(name)]
        medians = [round(float(np.nanmedian(each)), 1) for each in sessions if np.isfinite(each).any()]
        if medians:
            told.append({"person": name, "sex": pack.sex[name], "sessions_hz": medians})
    return told


def speaker_share(told: Sequence[dict[str, Any]], sex: str | None = None) -> float | None:
    """The share of the variance of pitch (in octaves, by session) that is the speaker's, among people of several days
    (of one ``sex``); None for fewer than two of them."""
    able = [row for row in told if len(row["sessions_hz"]) > 1 and sex in (None, row["sex"])]
    if len(able) < 2:
        return None
    levels = np.log2(np.concatenate([row["sessions_hz"] for row in able]))[:, None]
    speakers = np.concatenate([[row["person"]] * len(row["sessions_hz"]) for row in able])
    return float(between_and_within(levels, speakers).share[0])


def alone(pack: Pack, hz: _Float, trials: Sequence[Trial]) -> dict[str, Any]:
    """EER of pitch alone, each the mean over trials: residents on another day against strangers, as a household, and
    each resident alone against strangers of the same sex. A trial without enough voice is left out."""
    households, same_sex = [], []
    for made in trials:
        references = {name: _reference(pack, hz, made, name) for name in made.residents}
        known = {name: value for name, value in references.items() if np.isfinite(value)}
        inside, outside = (rows[np.isfinite(hz[rows])] for rows in (made.tried, made.judging))
        if not known or not len(inside) or not len(outside):
            continue
        nearest_inside, nearest_outside = (_nearness(hz[rows], list(known.values())) for rows in (inside, outside))
        households.append(eer(nearest_inside, nearest_outside))
        own, others = [], []
        for name, value in known.items():
            mine = np.array([pack.clips[row].speaker == name for row in inside])
            alike = np.array([pack.sex[pack.clips[row].speaker] == pack.sex[name] for row in outside])
            own.append(_nearness(hz[inside[mine]], [value]))
            others.append(_nearness(hz[outside[alike]], [value]))
        if sum(map(len, own)) and sum(map(len, others)):
            same_sex.append(eer(np.concatenate(own), np.concatenate(others)))
    return {
        "household_eer": float(np.mean(households)) if households else None,
        "same_sex_eer": float(np.mean(same_sex)) if same_sex else None,
        "trials": len(households),
    }


def _reference(pack: Pack, hz: _Float, made: Trial, name: str) -> float:
    """The median of the days that were learnt."""
    days = {pack.clips[row].session for row in made.learnt if pack.clips[row].speaker == name}
    heard = np.concatenate([hz[pack.rows(name, day)] for day in sorted(days)])
    return float(np.nanmedian(heard)) if np.isfinite(heard).any() else float("nan")


def _nearness(hz: _Float, references: Sequence[float]) -> _Float:
    """How near, in octaves: 0 at the nearest reference, and below."""
    nearest: _Float = -np.abs(np.log2(hz[:, None] / np.asarray(references)[None, :])).min(axis=1)
    return nearest
