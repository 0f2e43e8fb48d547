"""How often a stranger is judged at one door, what false openings follow from it, and how soon a resident gets in.

The door's own policy is asked, second by second, what it would do with somebody who tries all day: talking on, pausing,
returning every hour. That gives visits; the shares of strangers' visits that open, at the usual bar and at the one
after failed visits, make openings of them. Pure, and the same for the report and the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from device.sound.pcm import CLIP_SECONDS
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.values import Decision, Outcome, ResidentScore, Score

HOUR_SECONDS, DAY_SECONDS = 3600.0, 86_400.0
PAUSE_SECONDS, TALK_SECONDS = 15.0, 300.0
JUDGED = frozenset({Outcome.OPEN, Outcome.SAY_MORE, Outcome.REFUSE})


def talking_on() -> Iterator[float]:
    """A clip every three seconds, without end: when each one ends."""
    return (CLIP_SECONDS * number for number in count(1))


def pausing() -> Iterator[float]:
    """One clip, then a quarter of a minute of silence, again and again."""
    return (PAUSE_SECONDS * number for number in count(1))


def returning_hourly() -> Iterator[float]:
    """Five minutes of talking at the beginning of every hour."""
    return (at for at in talking_on() if at % HOUR_SECONDS <= TALK_SECONDS)


PATTERNS: Mapping[str, Callable[[], Iterator[float]]] = {
    "talking on": talking_on,
    "pausing": pausing,
    "returning hourly": returning_hourly,
}


@dataclass(frozen=True, slots=True)
class JudgedVisit:
    """One visit that was judged: when its first clip ended, and whether the bar was raised."""

    at_seconds: float
    strict: bool


def says(llr: float) -> Score:
    """A clip with that evidence for the one resident who matters."""
    return Score((ResidentScore("anybody", llr, 0.0),), 1.0)


def judged_visits(spec: PolicySpec, clips: Iterator[float], *, until_seconds: float, llr: float) -> list[JudgedVisit]:
    """The visits that the policy judges of somebody whose clips end at ``clips`` and always score ``llr``."""
    found: list[JudgedVisit] = []
    state = PolicyState()
    for at_seconds in clips:
        if at_seconds > until_seconds:
            return found
        state, decision = judge(spec, state, says(llr), now_seconds=at_seconds)
        if is_new_visit(decision):
            found.append(JudgedVisit(at_seconds, decision.strict))
    return found


def is_new_visit(decision: Decision) -> bool:
    """Whether the clip was judged, and the first of its visit."""
    return decision.outcome in JUDGED and decision.clips == 1


def most_within(times: Sequence[float], seconds: float) -> int:
    """How many of the rising ``times`` lie in any one stretch of so many seconds, at most."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def seconds_until_open(spec: PolicySpec, state: PolicyState, *, llr: float, from_seconds: float) -> float | None:
    """How long a resident who talks on, clip after clip of ``llr``, stands before the door; None beyond an hour."""
    for number in range(1, int(HOUR_SECONDS / CLIP_SECONDS)):
        state, decision = judge(spec, state, says(llr), now_seconds=from_seconds + CLIP_SECONDS * number)
        if decision.opens:
            return CLIP_SECONDS * number
    return None


def waits_of_a_resident(spec: PolicySpec, *, llr: float) -> dict[str, float | None]:
    """Seconds until a resident whose clips score ``llr`` gets in: at once, after one refusal, after five, and right
    after a stranger who talked on for an hour, begun at the worst moment of those."""
    stranger = says(spec.refuse_llr - 1.0)
    waits: dict[str, float | None] = {}
    for name, refusals in (("who comes first", 0), ("who was refused once", 1), ("who was refused five times", 5)):
        state = PolicyState()
        for number in range(refusals):
            state, _ = judge(spec, state, stranger, now_seconds=CLIP_SECONDS * number)
        waits[name] = seconds_until_open(spec, state, llr=llr, from_seconds=CLIP_SECONDS * max(0, refusals - 1))
    state, longest = PolicyState(), 0.0
    for at_seconds in talking_on():
        if at_seconds > HOUR_SECONDS:
            break
        state, _ = judge(spec, state, stranger, now_seconds=at_seconds)
        if at_seconds > HOUR_SECONDS - 2.0 * spec.limits.wait_seconds:
            wait = seconds_until_open(spec, state, llr=llr, from_seconds=at_seconds)
            longest = max(longest, HOUR_SECONDS if wait is None else wait)
    waits["after a stranger's hour"] = longest if longest < HOUR_SECONDS else None
    return waits


def tries_figures(
    spec: PolicySpec, usual: Mapping[str, Any], strict: Mapping[str, Any], *, resident_llr: float
) -> dict[str, Any]:
    """Ready for JSON. ``usual`` and ``strict``: strangers' visits at either bar, as
    :func:`training.at_the_door.tell_visits` gives them (``share`` opened, and its ``upper_bound``);
    ``resident_llr`` is a resident's usual clip."""
    limits, rows = spec.limits, []
    for name, pattern in PATTERNS.items():
        held = judged_visits(spec, pattern(), until_seconds=DAY_SECONDS, llr=spec.refuse_llr - 1.0)
        raised = sum(each.strict for each in held)
        busiest = most_within([each.at_seconds for each in held], HOUR_SECONDS)
        rows.append(_row(name, busiest, len(held) - raised, raised, usual, strict))
    all_day, at_usual = limits.most_judged(DAY_SECONDS), limits.most_usual(DAY_SECONDS)
    rows.append(_row("whatever the pattern, at most", limits.most_judged(HOUR_SECONDS), at_usual, all_day - at_usual,
                     usual, strict))  # fmt: skip
    return {
        "patterns": rows,
        "usual": {key: usual[key] for key in ("visits", "opened", "share", "upper_bound")},
        "strict": {key: strict[key] for key in ("visits", "opened", "share", "upper_bound")},
        "strict_llr_margin": limits.strict_llr_margin,
        "resident_llr": resident_llr,
        "resident_waits_seconds": waits_of_a_resident(spec, llr=resident_llr),
    }


def _row(name: str, most_an_hour: int, at_usual: int, at_strict: int, usual: Mapping[str, Any],
         strict: Mapping[str, Any]) -> dict[str, Any]:  # fmt: skip
    return {
        "pattern": name,
        "most_an_hour": most_an_hour,
        "usual_a_day": at_usual,
        "strict_a_day": at_strict,
        "false_openings_a_day": at_usual * usual["share"] + at_strict * strict["share"],
        "at_most_a_day": at_usual * usual["upper_bound"] + at_strict * strict["upper_bound"],
    }
