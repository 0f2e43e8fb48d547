"""Old against new on the same visits, at each one's own thresholds: is the refresh worth publishing?

One visit more or less is chance. What counts is the difference over the visits that both were given, with its interval:
a bundle is called worse when all of the interval is on the worse side, or when one resident has clearly lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.verdict.bundle import Bundle
from training.at_the_door import Visit, hold_visits
from training.clips import SpokenClip
from training.corpus.index import Progress
from training.enrol import enrol
from training.evaluate import TestSet, score_clips
from training.voices import Embedder

# One stranger's visit in a hundred that is let in weighs as much as ten residents' visits in a hundred refused.
STRANGER_WEIGHT = 10.0
# Four visits that all changed for the worse happen by chance once in sixteen times; five once in 32.
FEWEST_CHANGED = 5
CHANCE = 0.05
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Standing:
    """How one bundle did: visits of ``residents`` and ``strangers``, and how many of them ``opened`` and were
    ``let_in``."""

    name: str
    residents: int
    opened: int
    strangers: int
    let_in: int

    @property
    def cost(self) -> float:
        """Share of residents' visits refused plus :data:`STRANGER_WEIGHT` times that of strangers' let in."""
        refused = 1.0 - self.opened / self.residents if self.residents else 0.0
        return refused + (STRANGER_WEIGHT * self.let_in / self.strangers if self.strangers else 0.0)

    def __str__(self) -> str:
        return (
            f"{self.name}: opened on {self.opened} of {self.residents} residents' visits and {self.let_in} of "
            f"{self.strangers} strangers' (cost {self.cost:.3f})"
        )


@dataclass(frozen=True, slots=True)
class Held:
    """One bundle's visits, in an order that another bundle's share: by ``residents``, and by ``strangers``."""

    name: str
    residents: tuple[Visit, ...]
    strangers: tuple[Visit, ...]

    @property
    def standing(self) -> Standing:
        opened, let_in = (sum(each.opened for each in part) for part in (self.residents, self.strangers))
        return Standing(self.name, len(self.residents), opened, len(self.strangers), let_in)


@dataclass(frozen=True, slots=True)
class Difference:
    """New less old: ``cost`` with its 95 % interval ``low`` to ``high``; ``changed`` visits; the residents who have
    clearly ``lost``."""

    cost: float
    low: float
    high: float
    changed: int
    lost: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        return bool(self.lost) or (self.changed >= FEWEST_CHANGED and self.low > 0.0)

    def __str__(self) -> str:
        if not self.changed:
            return "no visit ends otherwise"
        text = f"{self.changed} visits end otherwise: cost {self.cost:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
        if self.lost:
            return f"{text}; clearly refused more often: {', '.join(self.lost)}"
        return text if self.is_worse or self.cost <= 0.0 else f"{text}, which may be chance"


def hold_test(bundle: Bundle, tested: TestSet, clips_a_visit: int, progress: Progress) -> Held:
    """A bundle on a test: the visits alone, without conditions and intervals. ``clips_a_visit`` makes the visits of two
    bundles the same ones."""
    clips = [*tested.residents, *tested.strangers]
    scores = score_clips(bundle, clips, progress, label=f"scores of {bundle.name}")
    split = len(tested.residents)
    return Held(
        f"{bundle.name} #{bundle.sequence}",
        tuple(hold_visits(bundle, tested.residents, scores[:split], clips_a_visit=clips_a_visit)),
        tuple(hold_visits(bundle, tested.strangers, scores[split:], clips_a_visit=clips_a_visit)),
    )


def difference(old: Held, new: Held, *, rng: np.random.Generator) -> Difference:
    """By how much the new bundle costs more, on the same visits in the same order; visits are drawn anew in pairs."""
    refused = _changes(old.residents, new.residents, worse=-1)
    let_in = _changes(old.strangers, new.strangers, worse=+1)
    draws = _means(refused, rng) + STRANGER_WEIGHT * _means(let_in, rng)
    low, high = np.quantile(draws, (0.025, 0.975))
    cost = sum(weight * float(part.mean()) for weight, part in ((1.0, refused), (STRANGER_WEIGHT, let_in)) if len(part))
    people: dict[str, list[int]] = {}
    for visit, change in zip(new.residents, refused, strict=True):
        people.setdefault(visit.person, []).append(int(change))
    lost = tuple(name for name, mine in sorted(people.items()) if _by_chance(Counter(mine)) <= CHANCE)
    return Difference(cost, float(low), float(high), int(np.count_nonzero(refused) + np.count_nonzero(let_in)), lost)


def _changes(old: Sequence[Visit], new: Sequence[Visit], *, worse: int) -> NDArray[np.int64]:
    """+1 for each visit that ends worse, -1 better, 0 the same."""
    return np.array([worse * (two.opened - one.opened) for one, two in zip(old, new, strict=True)], dtype=np.int64)


def _means(changes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    count = len(changes)
    if count == 0:
        return np.zeros(DRAWS)
    shares = [float(np.mean(changes == value)) for value in (1, -1, 0)]
    drawn = rng.multinomial(count, shares, size=DRAWS)
    return np.asarray((drawn[:, 0] - drawn[:, 1]) / count, dtype=np.float64)


def _by_chance(changes: Counter[int]) -> float:
    """How likely so many more visits ended worse than better if both were as likely (a sign test, one-sided)."""
    worse, both = changes[1], changes[1] + changes[-1]
    return sum(comb(both, k) for k in range(worse, both + 1)) / 2.0**both


def why_not_comparable(old: Bundle, new: Bundle, strangers: Collection[str]) -> str:
    """Why the old bundle cannot be judged by the new one's test; empty where it can. ``strangers``: SHA-256 of the
    files of strangers in the test."""
    if old.vad != new.vad or old.segmenter != new.segmenter:
        return "it cuts clips in another way"
    if "enrolled_recordings" not in old.manifest:
        return "it does not say which recordings it was enrolled on"
    if set(old.manifest["enrolled_recordings"]) & {each[:16] for each in strangers}:
        return "it was enrolled on recordings of this test"
    return ""


def enrolled_anew(
    old: Bundle, clips: Sequence[SpokenClip], copies: Sequence[Sequence[SpokenClip]], *, prototypes: int,
    progress: Progress,
) -> Bundle:  # fmt: skip
    """The old bundle's network, cohort, calibration and thresholds, enrolled on ``clips`` alone: what it would have
    been without the day that is the test now."""
    embedder = Embedder(old.model, old.frontend)
    voices = embedder.voices(clips, progress=progress, label=f"{old.name} without the test", copies=copies)
    return replace(old, head=enrol(voices, old.head.cohort, old.head.calibration, prototypes=prototypes))


def refuse_a_worse_one(
    old: Held, new: Held, *, force: bool, say: Callable[[str], None], rng: np.random.Generator
) -> None:
    """Tell both; raise :class:`BundleError` when the new one is worse beyond chance, unless ``force``."""
    found = difference(old, new, rng=rng)
    say(f"old  {old.standing}")
    say(f"new  {new.standing}")
    say(f"     {found}")
    if not found.is_worse:
        return
    if force:
        say("the new one is worse, and is published all the same")
        return
    raise BundleError(
        "the new bundle is worse than the one in service and was not published",
        received=f"{new.standing}; {found}",
        allowed=f"no more than chance above {old.standing}",
        next_step="look at the survey for what changed in the recordings, or publish with --force",
    )
