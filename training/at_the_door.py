"""What people at the door would live through: visits and long recordings, through the real policy and pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.service.pipeline import Door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import Segmenter
from device.sound.vad import WebRtcDetector
from device.verdict.bundle import Bundle
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.scorer import Scorer
from device.verdict.tries import UNLIMITED
from device.verdict.values import Outcome, Score
from training.calibrate import visits
from training.clips import SpokenClip
from training.metrics import clopper_pearson_upper, events_per_hour_upper

PAUSE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit's end: whether the door opened, and after how much speech it was decided."""

    person: str
    opened: bool
    speech_seconds: float


def policy_of(bundle: Bundle, *, margin_llr: float = 0.0) -> PolicySpec:
    """The bundle's own thresholds, the bar raised by ``margin_llr``, the device's own waiting times. Visits cost
    nothing: on a long recording that would hide the openings that come after a few failures."""
    limits = bundle.thresholds
    return PolicySpec(
        open_llr=limits.open_llr + margin_llr,
        refuse_llr=limits.refuse_llr,
        max_clips=limits.max_clips,
        limits=UNLIMITED,
    )


def hold_visits(
    bundle: Bundle, clips: Sequence[SpokenClip], scores: Sequence[Score], *, clips_a_visit: int = 0,
    margin_llr: float = 0.0,
) -> list[Visit]:  # fmt: skip
    """The policy on every visit: up to ``clips_a_visit`` (0: the bundle's ``max_clips``) clips in a row of one person
    in one session. ``margin_llr``: the bar is so much higher, as after failed visits."""
    spec = policy_of(bundle, margin_llr=margin_llr)
    found = []
    people, sessions = [each.speaker for each in clips], [each.session for each in clips]
    for rows in visits(people, sessions, max_clips=clips_a_visit or spec.max_clips):
        state, spoken_seconds, opened = PolicyState(), 0.0, False
        for count, row in enumerate(rows):
            spoken_seconds += clips[row].clip.speech_seconds
            state, decision = judge(spec, state, scores[row], now_seconds=3.0 * count)
            if decision.outcome in (Outcome.OPEN, Outcome.REFUSE):
                opened = decision.opens
                break
        found.append(Visit(people[rows[0]], opened, spoken_seconds))
    return found


def tell_visits(held: Sequence[Visit]) -> dict[str, Any]:
    """Visits as figures. ``upper_bound`` is of the share opened, ``people_upper_bound`` of the share of people for whom
    it ever opened, both with 95 % confidence; the second counts people, who are independent where visits are not."""
    opened = [each for each in held if each.opened]
    people, let_in = {each.person for each in held}, {each.person for each in opened}
    return {
        "visits": len(held),
        "opened": len(opened),
        "share": len(opened) / len(held),
        "upper_bound": clopper_pearson_upper(len(opened), len(held)),
        "people": len(people),
        "people_let_in": len(let_in),
        "people_upper_bound": clopper_pearson_upper(len(let_in), len(people)),
        "speech_seconds_until_open": float(np.median([each.speech_seconds for each in opened])) if opened else None,
    }


def listen_long(bundle: Bundle, recordings: Iterable[Samples]) -> dict[str, Any]:
    """One long recording after another through the whole door on a simulated clock: openings that nobody asked for.

    Pass speech of strangers, or noise. Visits cost nothing, so that no opening hides behind a wait. Without any
    recording ``hours`` is 0 and there is no bound.
    """
    clock, events, seconds = ManualClock(), RecordedEvents(), 0.0
    relay, scorer = SimulatedRelay(clock), Scorer(bundle)
    for samples in recordings:
        seconds += len(samples) / SAMPLE_RATE_HZ
        door = Door(
            microphone=SimulatedMicrophone([samples, silence(PAUSE_SECONDS)], clock=clock),
            detector=WebRtcDetector(bundle.vad),
            segmenter=Segmenter(bundle.segmenter),
            scorer=scorer,
            policy=policy_of(bundle),
            relay=relay,
            clock=clock,
            events=events,
            open_seconds=3.0,
        )
        while door.step() is not None:
            pass
    hours, openings = seconds / 3600, len(events.of("relay_on"))
    return {
        "hours": hours,
        "decisions": len(events.of("decision")),
        "openings": openings,
        "per_hour": openings / hours if hours else 0.0,
        "upper_bound_per_hour": events_per_hour_upper(openings, hours) if hours else None,
    }
