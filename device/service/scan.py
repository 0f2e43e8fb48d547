"""A recording of any length through the door's own pipeline, faster than real time, in the memory of a few seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from device.ports import Event, SpeechDetector
from device.service.pipeline import Door, Judge
from device.service.scan_runs import Runs, Settling, Stretch
from device.simulated.clock import ManualClock
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.sound.pcm import FRAME_SAMPLES, SAMPLE_RATE_HZ, Clip, Samples
from device.sound.segmenter import Segmenter
from device.verdict.policy import PolicySpec
from device.verdict.values import Decision, Score

OPEN_SECONDS = 3.0


@dataclass(slots=True)
class Totals:
    """What was heard so far. ``openings``: how often the door opened; ``events``: by resident; ``too_short``: how often
    somebody spoke too little to be judged; ``seconds``: of the recording."""

    seconds: float = 0.0
    clips: int = 0
    too_short: int = 0
    openings: int = 0
    events: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Witness:
    """Stands in a door where it asks its scorer, where it would keep clips and where it tells its events: everything
    passes, and what was decided of each clip is written down."""

    scorer: Judge
    settling: Settling
    totals: Totals
    settled: list[Stretch] = field(default_factory=list)
    _score: Score = field(default_factory=lambda: Score((), 0.0), init=False)

    def score(self, clip: Clip) -> Score:
        self._score = self.scorer.score(clip)
        return self._score

    def keep(self, clip: Clip, decision: Decision) -> str:
        self.totals.clips += 1
        self.settled += self.settling.push(clip, self._score, decision)
        return ""

    def record(self, event: Event) -> None:
        self.totals.too_short += event.kind == "too_short"
        self.totals.openings += event.kind == "relay_on"

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSpec:
    """The door to scan with: ``scorer`` and ``policy`` as the door has them, and the gap that closes an event."""

    scorer: Judge
    policy: PolicySpec
    gap_seconds: float


def scan(blocks: Iterable[Samples], spec: ScanSpec, detector: SpeechDetector, segmenter: Segmenter,
         totals: Totals) -> Iterator[Stretch]:  # fmt: skip
    """The stretches of one recording, each as soon as it is closed; ``totals`` is kept up with them.

    ``blocks`` are int16 ``(n,)`` at 16 kHz of any lengths, which the result does not depend on. ``detector`` and
    ``segmenter`` are fresh ones, and so are the door's memory of refusals and the clock. What ``blocks`` raises passes.
    """
    clock = ManualClock()
    witness = Witness(spec.scorer, Settling(open_llr=spec.policy.open_llr), totals)
    door = Door(
        microphone=SimulatedMicrophone(whole_frames(_counted(blocks, totals)), clock=clock), detector=detector,
        segmenter=segmenter, scorer=witness, policy=spec.policy, relay=SimulatedRelay(clock), clock=clock,
        events=witness, keeper=witness, open_seconds=OPEN_SECONDS,
    )  # fmt: skip
    runs = Runs(gap_seconds=spec.gap_seconds)
    while door.step() is not None:
        yield from _closed(witness, runs, totals)
    witness.settled += witness.settling.flush()
    yield from _closed(witness, runs, totals)
    yield from _noted(runs.flush(), totals)


def per_hour(events: int, seconds: float) -> float:
    """Density of events in a recording of that length, rounded to hundredths; 0 for none at all."""
    return round(3600.0 * events / seconds, 2) if seconds > 0 else 0.0


def whole_frames(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The same sound in blocks of whole 20 ms frames; only the last may end within one."""
    rest: Samples = np.zeros(0, dtype=np.int16)
    for block in blocks:
        sound = np.concatenate([rest, block])
        whole = len(sound) - len(sound) % FRAME_SAMPLES
        if whole:
            yield sound[:whole]
        rest = sound[whole:].copy()
    if len(rest):
        yield rest


def _counted(blocks: Iterable[Samples], totals: Totals) -> Iterator[Samples]:
    samples = 0
    for block in blocks:
        samples += len(block)
        totals.seconds = samples / SAMPLE_RATE_HZ
        yield block


def _closed(witness: Witness, runs: Runs, totals: Totals) -> Iterator[Stretch]:
    if witness.settled:
        settled, witness.settled = witness.settled, []
        for each in settled:
            yield from _noted(runs.push(each), totals)


def _noted(stretches: list[Stretch], totals: Totals) -> Iterator[Stretch]:
    for each in stretches:
        if each.resident is not None:
            totals.events[each.resident] += 1
        yield each
