"""What the door made of a recording: its clips, each one's evidence, and what the policy said; and one to explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import AudioFormatError, ConfigError
from device.sound.pcm import Clip, Samples
from device.sound.segmenter import cut_clips
from device.verdict.bundle import Bundle
from device.verdict.policy import PolicyState, judge
from device.verdict.scorer import Scorer
from device.verdict.values import Decision, Outcome, Score
from training.at_the_door import policy_of
from training.scan import open_sound


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One clip, its evidence, and what the policy decided after it."""

    clip: Clip
    score: Score
    decision: Decision


def read_recording(path: Path) -> Samples:
    """Any form of recording that libsndfile reads, as int16 ``(n,)`` at 16 kHz. Raises AudioFormatError."""
    return np.concatenate(list(open_sound(path).blocks()))


def hear(path: Path, bundle: Bundle, scorer: Scorer) -> list[Judged]:
    """Every clip of a recording as the door would cut and judge it; visits cost nothing.

    Raises :class:`AudioFormatError` when it cannot be read or the door hears no speech in it.
    """
    clips = cut_clips(read_recording(path), bundle.vad, bundle.segmenter)
    if not clips:
        raise AudioFormatError(
            "the door hears no speech in it",
            where=str(path),
            allowed=f"at least {bundle.segmenter.min_speech_seconds:g} s of speech",
            next_step="choose another recording",
        )
    spec, state, heard = policy_of(bundle), PolicyState(), []
    for clip in clips:
        score = scorer.score(clip)
        state, decision = judge(spec, state, score, now_seconds=clip.ended_at_seconds)
        heard.append(Judged(clip, score, decision))
    return heard


def choose(heard: Sequence[Judged], number: int | None, *, where: str) -> int:
    """Which clip is explained, from 0. ``number`` counts from 1; without one it is the first that opened the door,
    else the first that was refused, else the last. Raises :class:`ConfigError` for a number that is not there."""
    if number is not None:
        if not 1 <= number <= len(heard):
            raise ConfigError("no such clip", where=where, received=f"--number {number}", allowed=f"1 to {len(heard)}")
        return number - 1
    for outcome in (Outcome.OPEN, Outcome.REFUSE):
        for place, each in enumerate(heard):
            if each.decision.outcome is outcome:
                return place
    return len(heard) - 1
