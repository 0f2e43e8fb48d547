"""From frames to takes, and whether a take is good enough to know somebody by.

A take is one utterance as the door's own segmenter hears it, with a longer hangover, so that the pause at a comma does
not end a sentence, and with a second of background before it. What counts is net speech: the frames that the door's
own detector calls speech. A take in which sound is missing, clipped, too short, too quiet or too noisy is refused with
the reason; nothing of it is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.enrolment.prompts import Manner
from device.sound.measures import CLIPPED_SHARE, clipped_share, estimate_snr_db, frame_powers
from device.sound.pcm import FRAME_SECONDS, Frame, Gap, Samples
from device.sound.segmenter import Segmenter, SegmenterSpec, UtteranceEnded, UtteranceStarted

LEAD_FRAMES = 50
HANGOVER_FRAMES = 50
LONGEST_TAKE_SECONDS = 20.0
SHORTEST_SPEECH_SECONDS = 1.0
# Background that is to be noise alone may hold this share of what the detector takes for speech.
MOST_SPEECH_IN_NOISE = 0.05
NOISE_TAKE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """``samples`` int16 ``(n,)`` at 16 kHz, n > 0; ``speech`` bool ``(n // 320,)``: the detector's word for each
    frame."""

    samples: Samples
    speech: NDArray[np.bool_]

    @property
    def speech_seconds(self) -> float:
        """Net speech."""
        return float(self.speech.sum()) * FRAME_SECONDS


@dataclass(frozen=True, slots=True)
class Lost:
    """A take in progress was dropped: sound is missing in it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a take is like. ``level_dbfs`` is that of its speech (of all of it where there is none). ``problem``:
    why it is refused and what to do about it, empty for a good one."""

    speech_seconds: float
    level_dbfs: float
    clipped_share: float
    snr_db: float
    problem: str = ""

    @property
    def good(self) -> bool:
        return not self.problem


class TakeCutter:
    """Push every frame with the detector's word, and every gap; take what was completed."""

    def __init__(self, spec: SegmenterSpec | None = None) -> None:
        self._segmenter = Segmenter(replace(spec or SegmenterSpec(), hangover_frames=HANGOVER_FRAMES))
        self._lead: deque[tuple[Frame, bool]] = deque(maxlen=LEAD_FRAMES)
        self._take: list[tuple[Frame, bool]] = []

    @property
    def speaking(self) -> bool:
        """Whether a take is in progress."""
        return bool(self._take)

    def push(self, item: Frame | Gap, is_speech: bool) -> Take | Lost | None:
        """``is_speech`` is not looked at for a gap."""
        if isinstance(item, Gap):
            return self._lose(item)
        heard = self._segmenter.push(item, is_speech)
        (self._take if self.speaking else self._lead).append((item, is_speech))
        if any(isinstance(each, UtteranceStarted) for each in heard):
            self._take = list(self._lead)
            self._lead.clear()
        ended = any(isinstance(each, UtteranceEnded) for each in heard)
        if ended or len(self._take) * FRAME_SECONDS >= LONGEST_TAKE_SECONDS:
            return self.flush()
        return None

    def flush(self) -> Take | None:
        """End the take in progress, as silence or the end of the input does."""
        taken, self._take = self._take, []
        self._segmenter.discard()
        return _as_take(taken) if taken else None

    def _lose(self, gap: Gap) -> Lost | None:
        lost = Lost(gap.reason) if self.speaking else None
        self._segmenter.discard()
        self._take = []
        self._lead.clear()
        return lost


class NoiseCutter:
    """The same interface for the background of the door: a take every 20 s, whatever is in it."""

    def __init__(self) -> None:
        self._take: list[tuple[Frame, bool]] = []

    @property
    def speaking(self) -> bool:
        return bool(self._take)

    def push(self, item: Frame | Gap, is_speech: bool) -> Take | Lost | None:
        if isinstance(item, Gap):
            lost = Lost(item.reason) if self._take else None
            self._take = []
            return lost
        self._take.append((item, is_speech))
        return self.flush() if len(self._take) * FRAME_SECONDS >= NOISE_TAKE_SECONDS - 1e-9 else None

    def flush(self) -> Take | None:
        taken, self._take = self._take, []
        return _as_take(taken) if taken else None


def judge_take(take: Take, manner: Manner) -> Judged:
    """Whether a take, asked for in this ``manner``, is fit to know a voice by."""
    told = _measured(take)
    return replace(told, problem=_clipped(told) or _short(told) or _quiet(told, manner) or _noisy(told, manner))


def judge_noise(take: Take) -> Judged:
    """Whether a stretch of background is fit to be mixed into speech later."""
    told = _measured(take)
    problem = _clipped(told)
    if not problem and len(take.samples) < 16_000:
        problem = "less than a second of background"
    if not problem and len(take.speech) and float(take.speech.mean()) > MOST_SPEECH_IN_NOISE:
        problem = f"{told.speech_seconds:.1f} s of it sounds like speech: wait until nobody talks"
    return replace(told, problem=problem)


def _measured(take: Take) -> Judged:
    powers = frame_powers(take.samples)
    spoken = powers[take.speech] if take.speech.any() else powers
    level = 10.0 * float(np.log10(max(float(spoken.mean()) if len(spoken) else 0.0, 1e-12)))
    return Judged(
        speech_seconds=round(take.speech_seconds, 2), level_dbfs=round(level, 1),
        clipped_share=round(clipped_share(take.samples), 6),
        snr_db=round(estimate_snr_db(take.samples, take.speech), 1),
    )  # fmt: skip


def _clipped(told: Judged) -> str:
    if told.clipped_share < CLIPPED_SHARE:
        return ""
    return f"clipped ({told.clipped_share:.1%} at full scale): further away, softer, or turn the microphone down"


def _short(told: Judged) -> str:
    if told.speech_seconds >= SHORTEST_SPEECH_SECONDS - 1e-9:
        return ""
    return f"too little speech ({told.speech_seconds:.1f} s of at least {SHORTEST_SPEECH_SECONDS:g} s): say all of it"


def _quiet(told: Judged, manner: Manner) -> str:
    if told.level_dbfs >= manner.quietest_dbfs:
        return ""
    nearer = "nearer, louder, or turn the microphone up"
    return f"too quiet ({told.level_dbfs:.0f} dBFS, at least {manner.quietest_dbfs:.0f}): {nearer}"


def _noisy(told: Judged, manner: Manner) -> str:
    if told.snr_db >= manner.lowest_snr_db:
        return ""
    return (
        f"too noisy ({told.snr_db:.0f} dB above the noise, at least {manner.lowest_snr_db:.0f}): wait until it is "
        "quieter, or come nearer"
    )


def _as_take(taken: list[tuple[Frame, bool]]) -> Take:
    return Take(np.concatenate([frame.samples for frame, _ in taken]), np.array([voiced for _, voiced in taken]))
