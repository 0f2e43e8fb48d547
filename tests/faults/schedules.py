"""Random schedules of faults at one door, and what must hold in every one of them.

    python -m tests.faults.schedules --count 1000

The shipped daemon, pipeline, policy, canary, event log and guardian's rules run on a manual clock; hardware, visitors
and systemd, which starts the daemon anew, are simulated. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device.service.event_reader import EventReader
from tests.faults.life import OPEN_SECONDS, Fault, Porch, live

EVENING_SECONDS, CALM_SECONDS = 50.0, 14.0
# Each with its longest duration in seconds; 0 for what happens in an instant.
KINDS = {
    "unplugged": 12.0, "frozen server": 12.0, "overflow": 0.0, "calendar": 0.0, "clock jump": 0.0, "disk full": 10.0,
    "disk read-only": 10.0, "guardian killed": 8.0, "guardian slow": 4.0, "slow model": 0.0, "exception": 0.0,
    "out of memory": 0.0, "SIGKILL": 0.0, "SIGTERM": 0.0, "frozen daemon": 4.0, "bad reload": 0.0,
    "remote asked": 0.0,
}  # fmt: skip
STAGES = ("microphone", "detector", "segmenter", "scorer", "guard", "relay", "events", "supervisor", "status")


@dataclass(slots=True)
class Result:
    """What was counted; ``problems`` says in words what must not be."""

    schedules: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    openings: int = 0
    starts: int = 0
    acknowledged: int = 0
    wrong_openings: int = 0
    stuck_on: int = 0
    deaf: int = 0
    events_lost: int = 0
    problems: list[str] = field(default_factory=list)

    def told(self) -> str:
        return (
            f"{self.schedules} schedules, {self.faults.total()} faults injected, {self.starts} starts of the daemon, "
            f"{self.openings} openings, {self.acknowledged} events acknowledged; wrong openings {self.wrong_openings}, "
            f"stuck on {self.stuck_on}, deaf too long {self.deaf}, events lost {self.events_lost}\n"
            + ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        )


def make(seed: int) -> tuple[Porch, list[Fault]]:
    """The visitors and the faults of one evening."""
    rng = np.random.default_rng(seed)
    faults = []
    for _ in range(int(rng.integers(2, 9))):
        kind = str(rng.choice(list(KINDS)))
        longest = KINDS[kind]
        seconds = float(rng.uniform(0.1, longest)) if longest else 0.0
        stage = str(rng.choice(STAGES)) if kind in ("exception", "out of memory", "SIGKILL") else ""
        faults.append(Fault(kind, float(rng.uniform(-1.0, EVENING_SECONDS)), seconds, stage))
    faults.sort(key=lambda each: each.at_seconds)
    return Porch.random(rng, EVENING_SECONDS + CALM_SECONDS), faults


def run(seed: int, folder: Path, result: Result) -> None:
    """Live one schedule and judge it; ``folder`` takes its event log."""
    porch, faults = make(seed)
    life = live(porch, faults, folder / "events.db", until_seconds=EVENING_SECONDS + CALM_SECONDS,
                remote=bool(seed % 2))  # fmt: skip
    result.schedules += 1
    result.faults.update(life.struck)
    result.starts += life.starts
    before = (result.wrong_openings, result.stuck_on, result.deaf, result.events_lost)
    on = [at for at, is_on in life.pin.history if is_on]
    off = [at for at, is_on in life.pin.history if not is_on]
    result.openings += len(on)
    result.wrong_openings += sum(not life.allowed(at) for at in on)
    if len(on) != len(off) or any(not 0 <= b - a <= OPEN_SECONDS + 0.5 for a, b in zip(on, off, strict=False)):
        result.stuck_on += 1
    result.deaf += len(life.deaf())
    result.acknowledged += len(life.acknowledged)
    result.events_lost += _lost(folder / "events.db", life.acknowledged)
    if before != (result.wrong_openings, result.stuck_on, result.deaf, result.events_lost):
        result.problems.append(f"seed {seed}: {life.pin.history} deaf {life.deaf()}\n  {faults}\n  {life.deaths}")


def _lost(path: Path, acknowledged: list[dict[str, object]]) -> int:
    """How many acknowledged events are not in the log; a chain that does not hold counts as one more."""
    with EventReader(path) as reader:
        found = Counter(_key(dict(event.told)) for event in reader.all())
        whole = not reader.verdict().problems
    return (Counter(map(_key, acknowledged)) - found).total() + (not whole)


def _key(told: dict[str, object]) -> str:
    return json.dumps({key: told[key] for key in told if key not in ("n", "previous", "hash")}, default=str)


def run_many(count: int, *, first: int = 0) -> Result:
    """``count`` schedules, the seeds from ``first`` on."""
    result = Result()
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            run(seed, Path(folder), result)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Random schedules of faults on the manual clock.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    # What the daemon would log of a thousand evenings helps nobody.
    logging.disable(logging.CRITICAL)
    result = run_many(arguments.count, first=arguments.first)
    print(result.told())
    print("\n".join(result.problems))
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
