"""What visits cost: a wait between them, and a higher bar after failures. Pure: time is passed in, there are no files.

A **visit** is one sequential test: it begins with its first judged clip and ends with an opening, a refusal, or for
want of a further clip. It is paid for when it begins, so that silence, a lost sound or a restart give nothing back.
Whoever talks on after a refusal begins the next visit. Two counts are kept; both grow by one a visit:

* **The wait.** ``visits_at_once`` visits are judged as they come; each ``wait_seconds`` allow one more. Openings count
  too. So in any hour, whatever the pattern, at most ``visits_at_once + 3600 / wait_seconds`` visits are judged, and
  whoever comes, after whomever, waits at most ``wait_seconds``. A clip that finds the door waiting costs nothing.
* **The bar.** From ``failures_before_strict`` failed visits on, an opening takes ``strict_llr_margin`` more evidence.
  One failure is forgiven each ``minutes_a_failure``; an opening takes back its own visit and one more, no matter how
  many there were: who waits for residents to come home gains one try with each. The count ends at
  ``failures_before_strict + MOST_BEYOND``: some hours after the last failure (four, as shipped) the bar is the usual
  one.

Why no long lock-out: the door cannot tell a resident from a stranger before it judges. A wait that stops a patient
stranger for hours locks the household out for hours, and whoever likes can have it so by talking at the door. A short
wait bounds the number of tries; the bar bounds what a try is worth. Residents' clips add up and pass the higher bar
with a sentence more, a stranger who came close once does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from device.errors import ConfigError

# How many failures beyond the first strict one are remembered.
MOST_BEYOND = 11
# Times are sums of binary fractions: exactly wait_seconds later is late enough.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLimits:
    """What visits cost; the module says how. ``strict_llr_margin`` is a natural-log likelihood ratio (3: twenty times
    the evidence). Raises :class:`ConfigError` for limits that limit nothing."""

    visits_at_once: int = 6
    wait_seconds: float = 45.0
    failures_before_strict: int = 5
    strict_llr_margin: float = 3.0
    minutes_a_failure: float = 20.0

    def __post_init__(self) -> None:
        whole = (
            self.visits_at_once >= 1
            and self.failures_before_strict >= 1
            and all(
                0.0 < each < math.inf for each in (self.wait_seconds, self.strict_llr_margin, self.minutes_a_failure)
            )
        )
        if not whole:
            raise ConfigError(
                "the limits of visits limit nothing",
                where="policy",
                received=self,
                allowed="counts of at least 1, times and margin above 0",
            )

    @property
    def most_failures(self) -> int:
        """Where the count of failed visits ends."""
        return self.failures_before_strict + MOST_BEYOND

    def most_judged(self, seconds: float) -> int:
        """How many visits are judged at most in any stretch of so many seconds."""
        return self.visits_at_once + math.floor(seconds / self.wait_seconds + _SLACK)

    def most_usual(self, seconds: float, *, openings: int = 0) -> int:
        """How many of them at most at the usual bar, where ``openings`` residents were let in meanwhile."""
        return self.failures_before_strict + math.floor(seconds / (60.0 * self.minutes_a_failure)) + 2 * openings


# For whoever judges recordings, where nobody tries anything.
UNLIMITED = TryLimits(visits_at_once=10**9, failures_before_strict=10**9)


@dataclass(frozen=True, slots=True)
class Tries:
    """Both counts as they stood at ``at_seconds`` (monotonic): ``used`` visits that time has not given back yet, and
    ``failures``. They shrink steadily, so they are no whole numbers."""

    used: float = 0.0
    failures: float = 0.0
    at_seconds: float = -math.inf


def spent(limits: TryLimits, *, now_seconds: float) -> Tries:
    """Nothing left: for a door that does not know what happened before. It waits, and its bar is high for hours."""
    return Tries(float(limits.visits_at_once), float(limits.most_failures), now_seconds)


def eased(limits: TryLimits, tries: Tries, *, now_seconds: float) -> Tries:
    """What time has forgiven by ``now_seconds``. A clock that runs back, or is not a number, forgives nothing."""
    seconds = now_seconds - tries.at_seconds
    if not 0.0 < seconds < math.inf:
        seconds = 0.0
    at_seconds = now_seconds if math.isfinite(now_seconds) else tries.at_seconds
    # Limits may have become lower at a reload: nobody waits longer than they say.
    used = min(tries.used, float(limits.visits_at_once)) - seconds / limits.wait_seconds
    failures = min(tries.failures, float(limits.most_failures)) - seconds / (60.0 * limits.minutes_a_failure)
    return Tries(max(0.0, used), max(0.0, failures), at_seconds)


def wait_left_seconds(limits: TryLimits, tries: Tries) -> float:
    """How long after ``tries.at_seconds`` the next visit is judged; 0 for at once."""
    missing = tries.used - (limits.visits_at_once - 1)
    return missing * limits.wait_seconds if missing > _SLACK else 0.0


def is_strict(limits: TryLimits, tries: Tries) -> bool:
    """Whether the next visit meets the higher bar."""
    return tries.failures > limits.failures_before_strict - 1 + _SLACK


def strict_left_seconds(limits: TryLimits, tries: Tries) -> float:
    """How long after ``tries.at_seconds`` the usual bar is back if nobody fails meanwhile; 0 for now."""
    beyond = tries.failures - (limits.failures_before_strict - 1)
    return beyond * 60.0 * limits.minutes_a_failure if is_strict(limits, tries) else 0.0


def charged(limits: TryLimits, tries: Tries) -> Tries:
    """One more visit has begun: a failed one unless something is taken back."""
    return replace(tries, used=min(tries.used + 1.0, float(limits.visits_at_once)),
                   failures=min(tries.failures + 1.0, float(limits.most_failures)))  # fmt: skip


def taken_back(tries: Tries, failures: int) -> Tries:
    """So many failures are forgiven; the wait stays."""
    return replace(tries, failures=max(0.0, tries.failures - failures))
