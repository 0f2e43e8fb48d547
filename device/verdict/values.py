"""What the verdict room passes on: a Score from the scorer, a Decision from the policy. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the policy said of one clip."""

    OPEN = "open"
    REFUSE = "refuse"
    SAY_MORE = "say_more"
    COOLING_DOWN = "cooling_down"
    LOCKED_OUT = "locked_out"
    REPLAY = "replay"
    SECOND_FACTOR_MISSING = "second_factor_missing"
    OUTSIDE_SCHEDULE = "outside_schedule"
    HELD = "held"
    RELAY_REFUSED = "relay_refused"


@dataclass(frozen=True, slots=True)
class ResidentScore:
    """The evidence of one clip for one resident.

    ``llr`` is a natural-log likelihood ratio (positive: this resident; negative: somebody else), already weighed by
    how much speech the clip holds; ``cosine`` is the raw similarity (-1..1) it came from.
    """

    resident: str
    llr: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Score:
    """One clip's evidence for every resident, in the bundle's order, and the share of it that is speech, 0..1."""

    residents: tuple[ResidentScore, ...]
    speech_share: float

    @property
    def best(self) -> ResidentScore:
        """The resident with the highest log-likelihood ratio."""
        return max(self.residents, key=lambda each: each.llr)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy decided after a clip, and why, in words.

    ``evidence`` is the best resident's accumulated log-likelihood ratio, ``clips`` how many clips it rests on.
    ``resident`` is that resident's name; only for ``Outcome.OPEN`` has the voice been accepted as theirs. ``strict``:
    the threshold was raised after failed visits.
    """

    outcome: Outcome
    resident: str
    evidence: float
    clips: int
    reason: str
    strict: bool = False

    @property
    def facts(self) -> dict[str, object]:
        """For its event, ready for JSON where the evidence is a number."""
        return {
            "outcome": self.outcome.value,
            "resident": self.resident,
            "evidence": round(self.evidence, 3),
            "clips": self.clips,
            "reason": self.reason,
            "strict": self.strict,
        }

    @property
    def opens(self) -> bool:
        return self.outcome is Outcome.OPEN
