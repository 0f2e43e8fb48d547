"""From evidence to a decision: a pure step function, no clock, no files.

A sequential test (Wald, 1945): each clip's log-likelihood ratios are added up per resident. The door opens when one
resident's sum reaches ``open_llr``; the visitor is refused when every sum has fallen to ``refuse_llr``, or when
``max_clips`` clips did not decide; in between the visitor is asked to say more. Evidence that is older than
``evidence_seconds``, or was followed by a Gap, counts for nothing.

Refusals are counted by visit. Whoever goes on talking is refused clip after clip, but that is one refusal: it takes
several visits to lock the door. A visit ends after ``evidence_seconds`` without a clip, and after
``LONGEST_VISIT_SECONDS`` in any case, so that nobody has endless tries by never falling silent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from device.errors import ConfigError
from device.verdict.values import Decision, Outcome, Score

# How the door waits unless its configuration says otherwise.
EVIDENCE_SECONDS = 8.0
COOL_DOWN_SECONDS = 5.0
REFUSALS_BEFORE_LOCK_OUT = 5
LOCK_OUT_SECONDS = 30.0
LOCK_OUT_GROWTH = 2.0
LOCK_OUT_MAX_SECONDS = 900.0
LONGEST_VISIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Thresholds are natural-log likelihood ratios (from the bundle; the device may only raise ``open_llr``).

    After an opening nothing is judged for ``cool_down_seconds``. After ``refusals_before_lock_out`` refused visits in
    a row nothing is judged for ``lock_out_seconds``, and each further one multiplies that by ``lock_out_growth`` up to
    ``lock_out_max_seconds``; an opening, or ``lock_out_max_seconds`` without a refusal, forgives.
    """

    open_llr: float
    refuse_llr: float
    max_clips: int = 3
    evidence_seconds: float = EVIDENCE_SECONDS
    cool_down_seconds: float = COOL_DOWN_SECONDS
    refusals_before_lock_out: int = REFUSALS_BEFORE_LOCK_OUT
    lock_out_seconds: float = LOCK_OUT_SECONDS
    lock_out_growth: float = LOCK_OUT_GROWTH
    lock_out_max_seconds: float = LOCK_OUT_MAX_SECONDS

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.open_llr, self.refuse_llr)))
        whole = (
            finite
            and self.refuse_llr < self.open_llr
            and self.max_clips >= 1
            and self.evidence_seconds > 0
            and self.cool_down_seconds >= 0
            and self.refusals_before_lock_out >= 1
            and 0 <= self.lock_out_seconds <= self.lock_out_max_seconds
            and self.lock_out_growth >= 1
        )
        if not whole:
            raise ConfigError(
                "the policy's limits contradict each other",
                where="policy",
                received=self,
                allowed="refuse_llr < open_llr, max_clips >= 1, 0 <= lock_out_seconds <= lock_out_max_seconds, "
                "lock_out_growth >= 1, times not negative",
            )


@dataclass(frozen=True, slots=True)
class PolicyState:
    """What the policy remembers. ``evidence`` pairs residents with their sums; ``refusals`` counts refused visits in a
    row, ``visit_refused`` says that the present one is among them."""

    evidence: tuple[tuple[str, float], ...] = ()
    clips: int = 0
    last_clip_seconds: float = -math.inf
    cool_down_until_seconds: float = -math.inf
    locked_until_seconds: float = -math.inf
    refusals: int = 0
    last_refusal_seconds: float = -math.inf
    visit_started_seconds: float = -math.inf
    visit_heard_seconds: float = -math.inf
    visit_refused: bool = False


def forget(state: PolicyState) -> PolicyState:
    """Drop the evidence (a Gap, a new bundle); cool-down, refusals, the visit and lock-out stay."""
    return replace(state, evidence=(), clips=0, last_clip_seconds=-math.inf)


def judge(spec: PolicySpec, state: PolicyState, score: Score, *, now_seconds: float) -> tuple[PolicyState, Decision]:
    """Add one clip's score and decide. ``now_seconds`` is the monotonic time at which the clip ended."""
    state = _attend(spec, state, now_seconds)
    if now_seconds < state.locked_until_seconds:
        left = state.locked_until_seconds - now_seconds
        return forget(state), _waiting(Outcome.LOCKED_OUT, score, f"locked out for another {left:.0f} s")
    if now_seconds < state.cool_down_until_seconds:
        left = state.cool_down_until_seconds - now_seconds
        return forget(state), _waiting(Outcome.COOLING_DOWN, score, f"just opened; listening again in {left:.1f} s")

    if not 0 <= now_seconds - state.last_clip_seconds <= spec.evidence_seconds:
        state = forget(state)
    before = dict(state.evidence)
    sums = {each.resident: before.get(each.resident, 0.0) + each.llr for each in score.residents}
    resident, evidence = max(sums.items(), key=lambda item: item[1])
    clips = state.clips + 1

    # Written so that a value which is not a number can only refuse.
    if evidence >= spec.open_llr and all(map(math.isfinite, sums.values())):
        reason = f"sounds like {resident}: {evidence:+.1f} >= {spec.open_llr:+.1f}"
        opened = PolicyState(
            cool_down_until_seconds=now_seconds + spec.cool_down_seconds,
            visit_started_seconds=now_seconds,
            visit_heard_seconds=now_seconds,
        )
        return opened, Decision(Outcome.OPEN, resident, evidence, clips, reason)
    if spec.refuse_llr < evidence and clips < spec.max_clips:
        reason = f"undecided: {spec.refuse_llr:+.1f} < {evidence:+.1f} < {spec.open_llr:+.1f}"
        waiting = replace(state, evidence=tuple(sums.items()), clips=clips, last_clip_seconds=now_seconds)
        return waiting, Decision(Outcome.SAY_MORE, resident, evidence, clips, reason)
    if evidence <= spec.refuse_llr:
        reason = f"like no resident: best is {resident}, {evidence:+.1f} <= {spec.refuse_llr:+.1f}"
    else:
        reason = f"still undecided after {clips} clips: best is {resident}, {evidence:+.1f} < {spec.open_llr:+.1f}"
    return _refused(spec, state, now_seconds), Decision(Outcome.REFUSE, resident, evidence, clips, reason)


def withhold(
    spec: PolicySpec, before: PolicyState, decision: Decision, *, outcome: Outcome, reason: str, now_seconds: float
) -> tuple[PolicyState, Decision]:
    """A guard objects to a clip that was judged: the door stays shut and the evidence is void.

    ``before`` is the state before that clip, so that nothing which came of an opening (cool-down, forgiveness) is kept.
    A replay is a refused visit. For want of a second factor, or of the hour, nobody is punished: the voice was right.
    """
    state = _attend(spec, before, now_seconds)
    state = _refused(spec, state, now_seconds) if outcome is Outcome.REPLAY else forget(state)
    return state, replace(decision, outcome=outcome, reason=f"{reason} (the voice alone: {decision.reason})")


def _attend(spec: PolicySpec, state: PolicyState, now_seconds: float) -> PolicyState:
    """The visit goes on, or a new one begins."""
    goes_on = (
        0 <= now_seconds - state.visit_heard_seconds <= spec.evidence_seconds
        and now_seconds - state.visit_started_seconds <= LONGEST_VISIT_SECONDS
    )
    if goes_on:
        return replace(state, visit_heard_seconds=now_seconds)
    return replace(state, visit_started_seconds=now_seconds, visit_heard_seconds=now_seconds, visit_refused=False)


def _refused(spec: PolicySpec, state: PolicyState, now_seconds: float) -> PolicyState:
    if state.visit_refused:
        return replace(forget(state), last_refusal_seconds=now_seconds)
    forgiven = now_seconds - state.last_refusal_seconds > spec.lock_out_max_seconds
    refusals = 1 if forgiven else state.refusals + 1
    beyond = refusals - spec.refusals_before_lock_out
    locked_until = state.locked_until_seconds
    if beyond >= 0:
        # The exponent is capped so that a very long siege cannot overflow a float.
        seconds = min(spec.lock_out_seconds * spec.lock_out_growth ** min(beyond, 64), spec.lock_out_max_seconds)
        locked_until = now_seconds + seconds
    return replace(
        forget(state),
        refusals=refusals,
        last_refusal_seconds=now_seconds,
        locked_until_seconds=locked_until,
        visit_refused=True,
    )


def _waiting(outcome: Outcome, score: Score, reason: str) -> Decision:
    return Decision(outcome, score.best.resident, 0.0, 0, reason)
