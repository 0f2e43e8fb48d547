"""The canary: once an hour the door proves that it could still decide and open, without opening.

The bundle's golden clips go through features and model against their expected outputs, and on through the head to the
scores that they had when the bundle was loaded; the relay is asked what its pin reads. Until all of that passes the
watchdog is not fed, so that systemd starts the daemon anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from device.errors import BundleError, RelayError
from device.ports import Clock, Relay
from device.service.pipeline import Judge
from device.sound.pcm import CLIP_SECONDS, Clip
from device.verdict.scorer import Scorer

EVERY_SECONDS = 3600.0
# While it fails: a guardian that is being started again at that moment is no reason to restart the daemon.
AGAIN_SECONDS = 1.0
# The same arithmetic on the same machine; anything else is a change of what was loaded.
SCORE_TOLERANCE = 1e-6


@runtime_checkable
class DryRun(Protocol):
    """A relay that can be asked what the pin reads, all the way, without moving it (the guardian's)."""

    def probe(self) -> bool: ...


@dataclass(slots=True)
class Canary:
    """``problem`` says why the last one failed, in words; empty after one that passed."""

    clock: Clock
    every_seconds: float = EVERY_SECONDS
    problem: str = ""
    _due_seconds: float = math.inf
    _scorer: Judge | None = None
    _expected: tuple[float, ...] = ()

    def learn(self, scorer: Judge) -> None:
        """Take up a scorer that has just passed its self-test: what it says of the golden clips is right."""
        self._scorer, self._expected, self.problem = scorer, _scores(scorer), ""
        self._due_seconds = self.clock.monotonic_seconds() + self.every_seconds

    def sings(self, relay: Relay, *, in_pulse: bool, tell: Callable[..., None]) -> bool:
        """Whether the door is fit, as far as is known: looks anew when an hour has passed, or a second after a
        failure. A failure and the end of one are told as events."""
        now = self.clock.monotonic_seconds()
        if now < self._due_seconds:
            return not self.problem
        problem = self._look(relay, in_pulse=in_pulse)
        if problem and not self.problem:
            tell("canary_failed", reason=problem)
        elif self.problem and not problem:
            tell("canary_passed", reason=f"after: {self.problem}")
        self.problem = problem
        self._due_seconds = now + (AGAIN_SECONDS if problem else self.every_seconds)
        return not problem

    def _look(self, relay: Relay, *, in_pulse: bool) -> str:
        try:
            if isinstance(self._scorer, Scorer):
                self._scorer.self_test()
                _compare(_scores(self._scorer), self._expected)
            _dry_run(relay, in_pulse=in_pulse)
        except Exception as error:
            # Whatever it is, the door is not fit; it is told, and the watchdog draws the consequence.
            return f"{type(error).__name__}: {error}"
        return ""


def _scores(scorer: Judge | None) -> tuple[float, ...]:
    """Every resident's score of every golden clip; nothing for a scorer without a bundle."""
    if not isinstance(scorer, Scorer):
        return ()
    clips = scorer.bundle.golden.clips
    heard = (Clip(each, CLIP_SECONDS, False, 0, 0.0, CLIP_SECONDS) for each in clips)
    return tuple(each.llr for clip in heard for each in scorer.score(clip).residents)


def _compare(received: tuple[float, ...], expected: tuple[float, ...]) -> None:
    # Written so that a value which is not a number fails.
    same = all(abs(now - then) <= SCORE_TOLERANCE for now, then in zip(received, expected, strict=True))
    if not same:
        raise BundleError(
            "the golden clips no longer have the scores they had when the bundle was loaded",
            received=", ".join(f"{each:+.3f}" for each in received),
            allowed=", ".join(f"{each:+.3f}" for each in expected),
            next_step="restart; if it comes back, suspect the memory or the power supply",
        )


def _dry_run(relay: Relay, *, in_pulse: bool) -> None:
    is_on = relay.probe() if isinstance(relay, DryRun) else relay.is_on
    if is_on and not in_pulse:
        relay.off()
        raise RelayError("the relay was on, and nothing had opened it", next_step="check what else drives the pin")
