"""From evidence to a decision: a pure step function, no clock, no files.

A sequential test (Wald, 1945): each clip's log-likelihood ratios are added up per resident. The door opens when one
resident's sum reaches ``open_llr``; the visitor is refused when every sum has fallen to ``refuse_llr``, or when
``max_clips`` clips did not decide; in between the visitor is asked to say more. Evidence that is older than
``evidence_seconds``, or was followed by a Gap, counts for nothing.

One such test is a visit, and visits cost: :mod:`device.verdict.tries` says what, and why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from device.errors import ConfigError
from device.verdict.tries import (
    Tries,
    TryLimits,
    charged,
    eased,
    is_strict,
    strict_left_seconds,
    taken_back,
    wait_left_seconds,
)
from device.verdict.values import Decision, Outcome, Score

# How the door waits unless its configuration says otherwise.
EVIDENCE_SECONDS = 8.0
COOL_DOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Thresholds are natural-log likelihood ratios (from the bundle; the device may only raise ``open_llr``).

    After an opening nothing is judged for ``cool_down_seconds``; ``limits`` are what visits cost.
    """

    open_llr: float
    refuse_llr: float
    max_clips: int = 3
    evidence_seconds: float = EVIDENCE_SECONDS
    cool_down_seconds: float = COOL_DOWN_SECONDS
    limits: TryLimits = field(default_factory=TryLimits)

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.open_llr, self.refuse_llr)))
        whole = (
            finite
            and self.refuse_llr < self.open_llr
            and self.max_clips >= 1
            and self.evidence_seconds > 0
            and self.cool_down_seconds >= 0
        )
        if not whole:
            raise ConfigError(
                "the policy's limits contradict each other",
                where="policy",
                received=self,
                allowed="refuse_llr < open_llr, max_clips >= 1, times not negative",
            )

    def bar_llr(self, *, strict: bool) -> float:
        """The evidence that opens: the usual threshold, or the higher one after failed visits."""
        return self.open_llr + (self.limits.strict_llr_margin if strict else 0.0)


@dataclass(frozen=True, slots=True)
class PolicyState:
    """What the policy remembers. ``evidence`` pairs residents with their sums over the ``clips`` of the visit in
    progress (0: none is), ``strict`` is the bar that visit met when it began, ``tries`` what was spent."""

    evidence: tuple[tuple[str, float], ...] = ()
    clips: int = 0
    last_clip_seconds: float = -math.inf
    strict: bool = False
    cool_down_until_seconds: float = -math.inf
    tries: Tries = field(default_factory=Tries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the door stands to whoever comes next: the wait until a visit is judged, how many failed visits count,
    whether the bar is raised, and for how long if nobody fails meanwhile."""

    wait_seconds: float
    failures: float
    strict: bool
    strict_seconds: float

    @property
    def facts(self) -> dict[str, object]:
        """For a decision's event, ready for JSON; seconds from the decision on."""
        return {
            "failed_visits": round(self.failures, 1),
            "locked_seconds": round(self.wait_seconds, 1),
            "strict_seconds": round(self.strict_seconds),
        }


def standing(spec: PolicySpec, state: PolicyState, *, now_seconds: float) -> Standing:
    """What is told in events and in the status."""
    tries = eased(spec.limits, state.tries, now_seconds=now_seconds)
    return Standing(
        wait_seconds=wait_left_seconds(spec.limits, tries),
        failures=tries.failures,
        strict=is_strict(spec.limits, tries),
        strict_seconds=strict_left_seconds(spec.limits, tries),
    )


def forget(state: PolicyState) -> PolicyState:
    """Drop the evidence, and with it the visit (a Gap, a new bundle); the cool-down and what was spent stay."""
    return replace(state, evidence=(), clips=0, last_clip_seconds=-math.inf, strict=False)


def judge(spec: PolicySpec, state: PolicyState, score: Score, *, now_seconds: float) -> tuple[PolicyState, Decision]:
    """Add one clip's score and decide. ``now_seconds`` is the monotonic time at which the clip ended."""
    state, unheard = _attend(spec, state, now_seconds)
    if unheard is not None:
        outcome, reason = unheard
        strict = is_strict(spec.limits, state.tries)
        return state, Decision(outcome, score.best.resident, 0.0, 0, reason, strict)

    before, bar_llr = dict(state.evidence), spec.bar_llr(strict=state.strict)
    sums = {each.resident: before.get(each.resident, 0.0) + each.llr for each in score.residents}
    resident, evidence = max(sums.items(), key=lambda item: item[1])
    clips = state.clips + 1
    bar = f"{bar_llr:+.1f}" + (", raised after failed visits" if state.strict else "")

    # Written so that a value which is not a number can only refuse.
    if evidence >= bar_llr and all(map(math.isfinite, sums.values())):
        reason = f"sounds like {resident}: {evidence:+.1f} >= {bar}"
        opened = PolicyState(
            cool_down_until_seconds=now_seconds + spec.cool_down_seconds,
            # Its own visit and one more, however many failed: who waits for residents to open gains little by it.
            tries=taken_back(state.tries, 2),
        )
        return opened, Decision(Outcome.OPEN, resident, evidence, clips, reason, state.strict)
    if spec.refuse_llr < evidence and clips < spec.max_clips:
        reason = f"undecided: {spec.refuse_llr:+.1f} < {evidence:+.1f} < {bar}"
        waiting = replace(state, evidence=tuple(sums.items()), clips=clips, last_clip_seconds=now_seconds)
        return waiting, Decision(Outcome.SAY_MORE, resident, evidence, clips, reason, state.strict)
    if evidence <= spec.refuse_llr:
        reason = f"like no resident: best is {resident}, {evidence:+.1f} <= {spec.refuse_llr:+.1f}"
    else:
        reason = f"still undecided after {clips} clips: best is {resident}, {evidence:+.1f} < {bar}"
    return forget(state), Decision(Outcome.REFUSE, resident, evidence, clips, reason, state.strict)


def withhold(
    spec: PolicySpec, before: PolicyState, decision: Decision, *, outcome: Outcome, reason: str, now_seconds: float
) -> tuple[PolicyState, Decision]:
    """A guard objects to a clip that was judged: the door stays shut and the evidence is void.

    ``before`` is the state before that clip, so that nothing which came of an opening (cool-down, forgiveness) is kept.
    The visit stays paid for, and a replay is a failed one. For want of a second factor, or of the hour, it is none: the
    voice was right. While somebody records sentences nobody can be let in, and nothing is paid.
    """
    if outcome is Outcome.HELD:
        state = forget(before)
    else:
        state = void(spec, before, now_seconds=now_seconds)
        if outcome is not Outcome.REPLAY and decision.opens:
            state = replace(state, tries=taken_back(state.tries, 1))
    return state, replace(decision, outcome=outcome, reason=f"{reason} (the voice alone: {decision.reason})")


def void(spec: PolicySpec, before: PolicyState, *, now_seconds: float) -> PolicyState:
    """A clip was judged and its answer does not count (it came too late): nothing is proved, and the visit is paid."""
    return forget(_attend(spec, before, now_seconds)[0])


def _attend(spec: PolicySpec, state: PolicyState, now_seconds: float) -> tuple[PolicyState, tuple[Outcome, str] | None]:
    """The visit goes on, or a new one begins and is paid for; else with which outcome, and why, nothing is judged."""
    limits = spec.limits
    state = replace(state, tries=eased(limits, state.tries, now_seconds=now_seconds))
    if now_seconds < state.cool_down_until_seconds:
        left = state.cool_down_until_seconds - now_seconds
        return forget(state), (Outcome.COOLING_DOWN, f"just opened; listening again in {left:.1f} s")
    if state.clips and 0 <= now_seconds - state.last_clip_seconds <= spec.evidence_seconds:
        return state, None
    left = wait_left_seconds(limits, state.tries)
    if left > 0.0:
        reason = f"too many visits in a short time; the next is judged in {math.ceil(left)} s"
        return forget(state), (Outcome.LOCKED_OUT, reason)
    state = replace(forget(state), strict=is_strict(limits, state.tries), tries=charged(limits, state.tries))
    return state, None
