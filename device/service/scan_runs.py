"""From the door's decisions about clips to stretches of a recording: a resident's event, or a stranger's speech. Pure.

* A clip is **positive** if the door opened at it. Clips that were undecided and added up to that opening are positive
  too. While the door judges nothing (it has just opened, or is locked out) a clip is positive if it reaches the
  threshold by itself or, after an opening, if it speaks for whoever was let in (a log-likelihood ratio above 0).
* An **event** is a run of one resident's positive clips. Other clips in between belong to it; it is closed by more than
  ``gap_seconds`` without a positive one, or by another resident's.
* Clips that belong to no event are a stranger's; they form stretches by the same gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from device.sound.pcm import Clip
from device.verdict.guards import JUDGED
from device.verdict.values import Decision, Outcome, Score

# Times are sums of binary fractions: exactly gap_seconds does not close an event.
_SLACK_SECONDS = 1e-6
_STRONGEST_FIRST = (Outcome.OPEN, Outcome.REFUSE, Outcome.SAY_MORE, Outcome.LOCKED_OUT, Outcome.COOLING_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One or more clips of a recording, times in seconds from its beginning.

    ``resident`` is None for a stranger. ``peak_llr`` is the highest score: what the clips of a visit added up to or,
    while the door judged nothing, a clip's own. ``decision`` is the strongest: open, refuse, say more, locked out,
    cooling down.
    """

    resident: str | None
    started_at_seconds: float
    ended_at_seconds: float
    peak_llr: float
    decision: Outcome
    clips: int = 1


class Settling:
    """Clips in the order in which they were judged -> one-clip stretches. An undecided clip waits for those it may add
    up with; at most ``max_clips`` of the policy are held."""

    def __init__(self, *, open_llr: float) -> None:
        self._open_llr = open_llr
        self._undecided: list[Stretch] = []
        self._let_in = ""

    def push(self, clip: Clip, score: Score, decision: Decision) -> list[Stretch]:
        """Take one clip; return what is settled by it, in order."""
        settled, waiting = self._split(max(0, decision.clips - 1))
        stretch = self._stretch(clip, score, decision)
        if decision.outcome is Outcome.SAY_MORE:
            self._undecided = [*waiting, stretch]
            return settled
        self._undecided = []
        if decision.opens:
            self._let_in = decision.resident
            waiting = [replace(each, resident=decision.resident) for each in waiting]
        return [*settled, *waiting, stretch]

    def flush(self) -> list[Stretch]:
        """What never was decided."""
        left, self._undecided = self._undecided, []
        return left

    def _split(self, counted: int) -> tuple[list[Stretch], list[Stretch]]:
        """Those whose evidence has lapsed, and the ``counted`` last that count."""
        cut = len(self._undecided) - counted
        return self._undecided[:cut], self._undecided[cut:]

    def _stretch(self, clip: Clip, score: Score, decision: Decision) -> Stretch:
        if decision.outcome in JUDGED:
            resident, llr, positive = decision.resident, decision.evidence, decision.opens
        else:
            resident, llr, positive = self._by_itself(score, decision)
        return Stretch(resident=resident if positive else None, started_at_seconds=clip.started_at_seconds,
                       ended_at_seconds=clip.ended_at_seconds, peak_llr=llr, decision=decision.outcome)  # fmt: skip

    def _by_itself(self, score: Score, decision: Decision) -> tuple[str, float, bool]:
        """Whom a clip speaks for that the door did not judge, by how much, and whether that makes it positive."""
        best, ratios = score.best, {each.resident: each.llr for each in score.residents}
        # As the policy does, so that a value which is not a number can only be a stranger's.
        finite = all(map(math.isfinite, ratios.values()))
        if finite and best.llr >= self._open_llr:
            return best.resident, best.llr, True
        let_in_llr = ratios.get(self._let_in, -math.inf)
        if finite and decision.outcome is Outcome.COOLING_DOWN and let_in_llr > 0.0:
            return self._let_in, let_in_llr, True
        return best.resident, best.llr, False


class Runs:
    """One-clip stretches in order of time -> events and strangers' stretches, in order of their beginnings."""

    def __init__(self, *, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds + _SLACK_SECONDS
        self._event: Stretch | None = None
        # What a stranger said since; the event's if its resident speaks again within the gap.
        self._since: Stretch | None = None

    def push(self, clip: Stretch) -> list[Stretch]:
        """Take one clip's stretch; return what is closed by it."""
        closed: list[Stretch] = []
        if self._event is not None and clip.started_at_seconds - self._event.ended_at_seconds > self._gap_seconds:
            closed.append(self._event)
            self._event = None
        if self._since is not None and clip.started_at_seconds - self._since.ended_at_seconds > self._gap_seconds:
            closed.append(self._since)
            self._since = None
        if clip.resident is None:
            self._since = _joined(self._since, clip)
        elif self._event is not None and self._event.resident == clip.resident:
            event = self._event if self._since is None else _joined(self._event, self._since)
            self._event, self._since = _joined(event, clip), None
        else:
            closed += self.flush()
            self._event = clip
        return closed

    def flush(self) -> list[Stretch]:
        """Close everything: the recording has ended."""
        closed = [each for each in (self._event, self._since) if each is not None]
        self._event = self._since = None
        return closed


def _joined(first: Stretch | None, second: Stretch) -> Stretch:
    """Both as one, of the first's resident."""
    if first is None:
        return second
    return replace(first, ended_at_seconds=second.ended_at_seconds, clips=first.clips + second.clips,
                   peak_llr=max(first.peak_llr, second.peak_llr),
                   decision=min(first.decision, second.decision, key=_STRONGEST_FIRST.index))  # fmt: skip
