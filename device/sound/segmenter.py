"""Frames in, clips out: where an utterance begins and ends, and how it is cut into 3 s clips.

The rule, which training uses too:

* An utterance begins when ``onset_frames`` of the last ``onset_window_frames`` frames hold speech. It includes the
  ``pre_roll_frames`` before that moment, so that its first consonant is kept.
* It ends after ``hangover_frames`` frames without speech; shorter pauses belong to it.
* Every 3.0 s of it are a clip, as recorded, if they hold at least ``min_speech_seconds`` of speech.
* What is left at its end is a clip too if it holds at least ``min_speech_seconds``: from its first to its last frame
  of speech, repeated until 3.0 s are full (``filled``). Repeating beats padding with zeros by far on short speech.
* A Gap discards the clip in progress.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from device.errors import ConfigError
from device.sound.fingerprint import fingerprint
from device.sound.pcm import CLIP_FRAMES, CLIP_SAMPLES, CLIP_SECONDS, FRAME_SAMPLES, FRAME_SECONDS, Clip, Frame, Samples
from device.sound.vad import VadSpec, WebRtcDetector


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterSpec:
    """When speech starts and ends, counted in frames of 20 ms; ``min_speech_seconds`` 0.2..3.0."""

    onset_frames: int = 6
    onset_window_frames: int = 10
    pre_roll_frames: int = 15
    hangover_frames: int = 30
    min_speech_seconds: float = 1.0

    def __post_init__(self) -> None:
        def require(key: str, received: float, low: float, high: float) -> None:
            if not low <= received <= high:
                raise ConfigError(
                    "out of range", where=f"segmenter.{key}", received=received, allowed=f"{low} to {high}"
                )

        require("onset_window_frames", self.onset_window_frames, 1, 50)
        require("onset_frames", self.onset_frames, 1, self.onset_window_frames)
        # The pre-roll holds the onset's own frames: fewer would lose speech that was already counted.
        require("pre_roll_frames", self.pre_roll_frames, self.onset_window_frames, CLIP_FRAMES - 1)
        require("hangover_frames", self.hangover_frames, 1, CLIP_FRAMES)
        require("min_speech_seconds", self.min_speech_seconds, 0.2, CLIP_SECONDS)

    def fingerprint(self) -> str:
        return fingerprint("segmenter-1", asdict(self))


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """Somebody began to speak; the time is that of the first frame of speech, on the monotonic clock."""

    at_seconds: float


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """Somebody fell silent. ``clips`` is 0 where there was too little speech (``speech_seconds``) to judge."""

    at_seconds: float
    speech_seconds: float
    clips: int


Heard = UtteranceStarted | Clip | UtteranceEnded
_Marked = tuple[Frame, bool]


class Segmenter:
    """Push every frame with the detector's word; take what was heard. Holds at most 3 s of sound."""

    def __init__(self, spec: SegmenterSpec) -> None:
        self._spec = spec
        self._recent: deque[_Marked] = deque(maxlen=spec.pre_roll_frames)
        self._forget_utterance()

    def _forget_utterance(self) -> None:
        self._recent.clear()
        self._clip: list[_Marked] = []
        self._speaking = False
        self._silent_frames = 0
        self._speech_frames = 0
        self._last_speech_seconds = 0.0
        self._clips = 0

    @property
    def forming_seconds(self) -> float:
        """How much of a clip there is so far: 0 to 3 s."""
        return len(self._clip) * FRAME_SECONDS

    def push(self, frame: Frame, is_speech: bool) -> tuple[Heard, ...]:
        """Take one frame; return what it completed, in order (usually nothing)."""
        if not self._speaking:
            return self._listen(frame, is_speech)
        heard: list[Heard] = []
        self._clip.append((frame, is_speech))
        self._speech_frames += is_speech
        self._silent_frames = 0 if is_speech else self._silent_frames + 1
        if is_speech:
            self._last_speech_seconds = frame.ended_at_seconds
        if len(self._clip) == CLIP_FRAMES:
            heard += self._take_clip()
        if self._silent_frames >= self._spec.hangover_frames:
            heard += self.flush()
        return tuple(heard)

    def discard(self) -> bool:
        """Drop everything heard so far (sound is missing). True if an utterance was in progress."""
        was_speaking = self._speaking
        self._forget_utterance()
        return was_speaking

    def flush(self) -> tuple[Heard, ...]:
        """End the utterance in progress, as its hangover or the end of the input does."""
        if not self._speaking:
            return ()
        heard: list[Heard] = list(self._take_clip())
        heard.append(UtteranceEnded(self._last_speech_seconds, self._speech_frames * FRAME_SECONDS, self._clips))
        self._forget_utterance()
        return tuple(heard)

    def _listen(self, frame: Frame, is_speech: bool) -> tuple[Heard, ...]:
        self._recent.append((frame, is_speech))
        window = list(self._recent)[-self._spec.onset_window_frames :]
        if sum(voiced for _, voiced in window) < self._spec.onset_frames:
            return ()
        self._speaking = True
        self._clip = list(self._recent)
        self._recent.clear()
        self._speech_frames = sum(voiced for _, voiced in self._clip)
        self._last_speech_seconds = frame.ended_at_seconds
        first = next(frame for frame, voiced in self._clip if voiced)
        return (UtteranceStarted(first.ended_at_seconds - FRAME_SECONDS),)

    def _take_clip(self) -> Iterator[Clip]:
        taken, self._clip = self._clip, []
        speech_seconds = sum(voiced for _, voiced in taken) * FRAME_SECONDS
        # The small slack keeps a sum of binary fractions from refusing exactly min_speech_seconds.
        if speech_seconds < self._spec.min_speech_seconds - 1e-9:
            return
        filled = len(taken) < CLIP_FRAMES
        if filled:
            taken = _from_first_to_last_speech(taken)
        sound = np.concatenate([frame.samples for frame, _ in taken])
        clip = Clip(
            samples=repeat_to_clip(sound) if filled else sound,
            speech_seconds=speech_seconds,
            filled=filled,
            index=self._clips,
            started_at_seconds=taken[0][0].ended_at_seconds - FRAME_SECONDS,
            ended_at_seconds=taken[-1][0].ended_at_seconds,
        )
        self._clips += 1
        yield clip


def _from_first_to_last_speech(marked: list[_Marked]) -> list[_Marked]:
    voiced = [index for index, (_, is_speech) in enumerate(marked) if is_speech]
    return marked[voiced[0] : voiced[-1] + 1]


def repeat_to_clip(speech: Samples) -> Samples:
    """The filling rule: int16 ``(n,)``, n > 0, repeated and cut to ``(48000,)``."""
    return np.resize(speech, CLIP_SAMPLES)


def frames_of(samples: Samples) -> Iterator[Frame]:
    """Cut int16 ``(n,)`` into frames from time 0; an incomplete last frame is left out."""
    for index in range(len(samples) // FRAME_SAMPLES):
        start = index * FRAME_SAMPLES
        yield Frame(samples[start : start + FRAME_SAMPLES], (index + 1) * FRAME_SECONDS)


def cut_clips(samples: Samples, vad: VadSpec, segmenter: SegmenterSpec) -> list[Clip]:
    """All clips of a recording, int16 ``(n,)`` at 16 kHz, exactly as the door would cut them."""
    return cut_blocks([samples], vad, segmenter)


def cut_blocks(blocks: Iterable[Samples], vad: VadSpec, segmenter: SegmenterSpec) -> list[Clip]:
    """The same of a recording that comes in ``blocks`` of any lengths: nothing but a block and the clips is held."""
    detector, cutter = WebRtcDetector(vad), Segmenter(segmenter)
    clips: list[Clip] = []
    rest: Samples = np.zeros(0, dtype=np.int16)
    count = 0
    for block in blocks:
        sound = np.concatenate([rest, block])
        for frame in frames_of(sound):
            count += 1
            timed = Frame(frame.samples, count * FRAME_SECONDS)
            clips += [each for each in cutter.push(timed, detector.is_speech(timed)) if isinstance(each, Clip)]
        rest = sound[len(sound) - len(sound) % FRAME_SAMPLES :]
    return [*clips, *(each for each in cutter.flush() if isinstance(each, Clip))]
