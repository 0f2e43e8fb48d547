"""A band's mean intensity over a clip: how much of it is the speaker's, and how much the day's.

The front-end removes these means. Among people recorded on several days, a one-way analysis of variance (Shrout and
Fleiss, Psychological Bulletin 1979) of the sessions' mean levels tells what is thrown away: voice, or microphone and
room.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.logmel import FrontendSpec, LogMel, band_edges_hz
from training.benchmark.pack import Pack

_Float = NDArray[np.float64]
# Below this nothing varies but the last digits: a band that is silent in every recording.
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Variance:
    """For each column: ``ratio`` of the mean squares between speakers and within them across sessions (1 where the
    speaker tells nothing), and ``share`` of the variance that is the speaker's, 0..1."""

    ratio: _Float
    share: _Float


def between_and_within(levels: _Float, speakers: NDArray[np.str_]) -> Variance:
    """``levels`` float64 ``(sessions, columns)``. Raises :class:`DataError` unless two speakers or more are there and
    one has two sessions."""
    names, counts = np.unique(speakers, return_counts=True)
    sessions, people = len(speakers), len(names)
    if people < 2 or sessions <= people:
        raise DataError(
            "nobody's days can be told from the voice", received=f"{people} people, {sessions} sessions",
            allowed="two people or more, somebody of them on two days",
        )  # fmt: skip
    means = np.stack([levels[speakers == name].mean(axis=0) for name in names])
    within = sum(((levels[speakers == name] - mean) ** 2).sum(axis=0) for name, mean in zip(names, means, strict=True))
    within_mean = np.asarray(within) / (sessions - people)
    between_mean = (counts[:, None] * (means - levels.mean(axis=0)) ** 2).sum(axis=0) / (people - 1)
    # Of unequal numbers of sessions, what one counts for.
    size = (sessions - (counts**2).sum() / sessions) / (people - 1)
    own = np.maximum(between_mean - within_mean, 0.0) / size
    return Variance(
        between_mean / np.maximum(within_mean, LEAST_VARIANCE), own / np.maximum(own + within_mean, LEAST_VARIANCE)
    )


def band_means(pack: Pack, frontend: FrontendSpec) -> dict[str, Any]:
    """For JSON: the bands' centres in Hz; each speaker's mean level a band in dB; ratio and share a band, of the level
    as recorded and of the colour alone (each session's mean over the bands at 0). Speakers of several days only."""
    log_mel = LogMel(replace(frontend, remove_band_mean=False))
    able = [name for name in pack.speakers if len(pack.sessions(name)) > 1]
    levels, speakers = [], []
    for name in able:
        for session in pack.sessions(name):
            clips = [pack.clips[row].clip.samples for row in pack.rows(name, session)]
            levels.append(np.mean([log_mel(clip).mean(axis=0, dtype=np.float64) for clip in clips], axis=0))
            speakers.append(name)
    table, who = np.array(levels), np.array(speakers)
    colour = table - table.mean(axis=1, keepdims=True)
    found: dict[str, Any] = {
        "centres_hz": band_edges_hz(frontend)[1:-1].round(1).tolist(),
        "sessions": len(who),
        "speakers": {name: colour[who == name].mean(axis=0).round(2).tolist() for name in able},
    }
    for name, each in (("as_recorded", table), ("colour", colour)):
        told = between_and_within(each, who)
        found[name] = {"ratio": told.ratio.round(3).tolist(), "share": told.share.round(4).tolist()}
    return found
