"""Scripted parts of a door: a detector that hears loudness, a scorer that says what it is told."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from device.service.pipeline import Door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import Segment, SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.sound.pcm import SAMPLE_RATE_HZ, Clip, Frame, Gap, Samples
from device.sound.segmenter import Segmenter, SegmenterSpec
from device.verdict.policy import PolicySpec
from device.verdict.values import ResidentScore, Score


def loud(seconds: float) -> Samples:
    """What :class:`LoudnessDetector` calls speech."""
    return np.full(round(seconds * SAMPLE_RATE_HZ), 1000, dtype=np.int16)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.int16)


class LoudnessDetector:
    def is_speech(self, frame: Frame) -> bool:
        return bool(np.abs(frame.samples).max() > 100)

    def reset(self) -> None:
        """It remembers nothing."""


class ScriptedScorer:
    """Gives the scores of ``script`` in turn, then very low ones; an exception in it is raised."""

    def __init__(self, script: Iterable[float | Exception]) -> None:
        self.script = list(script)
        self.clips: list[Clip] = []

    def score(self, clip: Clip) -> Score:
        self.clips.append(clip)
        item = self.script.pop(0) if self.script else -9.0
        if isinstance(item, Exception):
            raise item
        return Score((ResidentScore("Anna", item, 0.5), ResidentScore("Bruno", -9.0, 0.0)), 1.0)


class Bench:
    """A whole door on simulated hardware; ``hear`` plays segments to the end."""

    def __init__(self, segments: Iterable[Segment], script: Iterable[float | Exception], **door: object) -> None:
        self.clock = ManualClock()
        self.relay = SimulatedRelay(self.clock)
        self.events = RecordedEvents()
        self.scorer = ScriptedScorer(script)
        self.door = Door(
            microphone=SimulatedMicrophone(segments, clock=self.clock),
            detector=LoudnessDetector(),
            segmenter=Segmenter(SegmenterSpec()),
            scorer=self.scorer,
            policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0),
            relay=self.relay,
            clock=self.clock,
            events=self.events,
            open_seconds=3.0,
        )
        for name, value in door.items():
            setattr(self.door, name, value)

    def hear(self) -> Bench:
        while self.door.step() is not None:
            pass
        return self

    @property
    def outcomes(self) -> list[object]:
        return [event.details["outcome"] for event in self.events.of("decision")]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.events]


def gap() -> Gap:
    return Gap("overflow", 0.0, 0.1)
