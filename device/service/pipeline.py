"""The door on one screen: microphone -> frames -> speech -> clips -> score -> decision -> guards -> relay -> events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from device.ports import Clock, Event, EventSink, Microphone, Relay, SpeechDetector
from device.sound.pcm import Clip, Frame, Gap, level_dbfs
from device.sound.segmenter import Segmenter, UtteranceEnded, UtteranceStarted
from device.verdict.guards import Finding, Guard, Keeper, KeepsNothing, RemembersNothing, VisitMemory
from device.verdict.policy import PolicySpec, PolicyState, forget, judge, standing, void, withhold
from device.verdict.values import Decision, Score

# Frames follow each other by 20 ms. Further apart than this in either direction, they are not one stretch of sound.
LONGEST_JUMP_SECONDS = 2.0


class Judge(Protocol):
    """Anything that scores a clip: :class:`device.verdict.scorer.Scorer`, or a scripted one in tests."""

    def score(self, clip: Clip) -> Score: ...


@dataclass(slots=True, kw_only=True)
class Door:
    """One door. Call :meth:`step` for ever.

    ``open_seconds`` is how long an accepted voice holds the latch; a clip that is ``max_age_seconds`` old when it has
    been judged never opens (nobody may still be there). ``guards`` may withhold an opening, ``keeper`` keeps clips if
    asked, ``visits`` keeps what visits cost, ``serves`` names bundle and configuration in each decision. Any exception
    leaves the relay off, passed on.
    """

    microphone: Microphone
    detector: SpeechDetector
    segmenter: Segmenter
    scorer: Judge
    policy: PolicySpec
    relay: Relay
    clock: Clock
    events: EventSink
    open_seconds: float
    max_age_seconds: float = 2.0
    guards: Sequence[Guard] = ()
    keeper: Keeper = field(default_factory=KeepsNothing)
    visits: VisitMemory = field(default_factory=RemembersNothing)
    serves: Mapping[str, object] = field(default_factory=dict)
    state: PolicyState = field(default_factory=PolicyState)
    relay_off_due_seconds: float = math.inf
    heard_until_seconds: float = math.nan

    def step(self) -> Frame | Gap | None:
        """Take one item from the microphone through the whole door; None at the end of the input."""
        try:
            item = self.microphone.read()
            self.end_pulse()
            match item:
                case None:
                    self.hear_all(self.segmenter.flush())
                case Gap():
                    self.lose(item)
                case Frame() if abs(item.ended_at_seconds - self.heard_until_seconds) > LONGEST_JUMP_SECONDS:
                    self.lose(Gap("the clock jumped, or the machine slept", item.ended_at_seconds))
                case Frame():
                    self.heard_until_seconds = item.ended_at_seconds
                    self.hear_all(self.segmenter.push(item, self.detector.is_speech(item)))
            return item
        except BaseException:
            self.relay.off()
            raise

    def hear_all(self, heard: tuple[UtteranceStarted | Clip | UtteranceEnded, ...]) -> None:
        for each in heard:
            match each:
                case UtteranceStarted():
                    self.tell("speech", heard_at_seconds=each.at_seconds)
                case Clip():
                    self.decide(each)
                case UtteranceEnded(clips=0):
                    self.tell("too_short", speech_seconds=round(each.speech_seconds, 2))
                case UtteranceEnded():
                    self.tell("silence", speech_seconds=round(each.speech_seconds, 2), clips=each.clips)

    def decide(self, clip: Clip) -> None:
        """Clip -> score -> decision -> guards -> relay. The only way in for a voice."""
        score, before = self.scorer.score(clip), self.state
        now_seconds = clip.ended_at_seconds
        self.state, decision = judge(self.policy, before, score, now_seconds=now_seconds)
        found = [guard.look(clip, decision) for guard in self.guards]
        against = next((each for each in found if each.objection is not None), Finding())
        if against.objection is not None:
            self.state, decision = withhold(self.policy, before, decision, outcome=against.objection,
                                            reason=against.reason, now_seconds=now_seconds)  # fmt: skip
        age_seconds = self.clock.monotonic_seconds() - now_seconds
        if stale := not age_seconds <= self.max_age_seconds:
            self.state = void(self.policy, before, now_seconds=now_seconds)
        # Before anything else is done about it: whatever happens next, the visit is paid for.
        stands = standing(self.policy, self.state, now_seconds=now_seconds)
        self.visits.remember(self.state.tries, stands)
        if stale:
            return self.tell("stale", age_seconds=round(age_seconds, 2))
        if decision.opens:
            self.open_latch()
        told = {key: value for each in found for key, value in each.told.items()}
        told |= {"latency_seconds": round(age_seconds, 3), "kept_clip": self.keeper.keep(clip, decision), **self.serves}
        self.tell("decision", **self.describe(clip, score, decision), **stands.facts, **told)
        if decision.opens:
            self.tell("relay_on", resident=decision.resident, open_seconds=self.open_seconds)
        if against.objection is not None:
            self.tell(against.objection.value, resident=decision.resident, reason=against.reason, **against.told)

    def open_latch(self) -> None:
        """The only place that opens: for a voice, or a remote opening. A second one does not lengthen the first."""
        self.relay.pulse(open_seconds=self.open_seconds)
        self.relay_off_due_seconds = min(self.relay_off_due_seconds, self.clock.monotonic_seconds() + self.open_seconds)

    def end_pulse(self) -> None:
        """The relay ends its own pulse; this is the second pair of eyes. A clock that ran back ends it too."""
        left_seconds = self.relay_off_due_seconds - self.clock.monotonic_seconds()
        if not 0.0 < left_seconds <= self.open_seconds + 0.1 and left_seconds < math.inf:
            self.relay.off()
            self.relay_off_due_seconds = math.inf
            self.tell("relay_off")

    def lose(self, gap: Gap) -> None:
        """Sound is missing: whatever was being heard, and whatever it had proved, is void."""
        interrupted, self.heard_until_seconds = self.segmenter.discard(), math.nan
        self.detector.reset()
        self.state = forget(self.state)
        self.tell("gap", reason=gap.reason, lost_seconds=round(gap.lost_seconds, 3), interrupted=interrupted)

    def describe(self, clip: Clip, score: Score, decision: Decision) -> dict[str, object]:
        """A decision as data: enough to see later why the door opened or did not."""
        return {
            **decision.facts,
            "scores": {each.resident: round(each.llr, 3) for each in score.residents},
            "cosines": {each.resident: round(each.cosine, 3) for each in score.residents},
            "open_llr": round(self.policy.bar_llr(strict=decision.strict), 3),
            "refuse_llr": round(self.policy.refuse_llr, 3),
            "speech_seconds": round(clip.speech_seconds, 2),
            "filled": clip.filled,
            "level_dbfs": round(level_dbfs(clip.samples), 1),
        }

    def tell(self, kind: str, **details: object) -> None:
        now, wall = self.clock.monotonic_seconds(), self.clock.wall_time()
        self.events.record(Event(kind=kind, at_seconds=now, wall_time=wall, details=details))
