"""Old against new on the same test, at each one's own thresholds: is the refresh worth publishing?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from device.errors import BundleError
from device.verdict.bundle import Bundle
from training.at_the_door import hold_visits, tell_visits
from training.corpus.index import Progress
from training.evaluate import TestSet, score_clips

# One stranger's visit in a hundred that is let in weighs as much as ten residents' visits in a hundred refused.
STRANGER_WEIGHT = 10.0


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
        return 1.0 - self.opened / self.residents + STRANGER_WEIGHT * self.let_in / self.strangers

    def __str__(self) -> str:
        return (
            f"{self.name}: opened on {self.opened} of {self.residents} residents' visits and {self.let_in} of "
            f"{self.strangers} strangers' (cost {self.cost:.3f})"
        )


def standing(bundle: Bundle, door: Any) -> Standing:
    """From the ``door`` figures of an evaluation."""
    inside, outside = door["residents"], door["strangers"]
    name = f"{bundle.name} #{bundle.sequence}"
    return Standing(name, inside["visits"], inside["opened"], outside["visits"], outside["opened"])


def hold_test(bundle: Bundle, tested: TestSet, progress: Progress) -> Standing:
    """A bundle on a test: the visits alone, without conditions and intervals."""
    clips = [*tested.residents, *tested.strangers]
    scores = score_clips(bundle, clips, progress, label=f"scores of {bundle.name}")
    split = len(tested.residents)
    door = {
        "residents": tell_visits(hold_visits(bundle, tested.residents, scores[:split])),
        "strangers": tell_visits(hold_visits(bundle, tested.strangers, scores[split:])),
    }
    return standing(bundle, door)


def why_not_comparable(old: Bundle, new: Bundle, tested_recordings: Collection[str]) -> str:
    """Why the old bundle cannot be judged by the new one's test; empty where it can.

    ``tested_recordings``: SHA-256 of the test's files.
    """
    if old.vad != new.vad or old.segmenter != new.segmenter:
        return "it cuts clips in another way"
    if "enrolled_recordings" not in old.manifest:
        return "it does not say which recordings it was enrolled on"
    enrolled = set(old.manifest["enrolled_recordings"])
    if enrolled & {each[:16] for each in tested_recordings}:
        return "it was enrolled on recordings of this test"
    return ""


def refuse_a_worse_one(old: Standing, new: Standing, *, force: bool, say: Callable[[str], None]) -> None:
    """Tell both; raise :class:`BundleError` when the new one costs more, unless ``force``."""
    say(f"old  {old}")
    say(f"new  {new}")
    if new.cost <= old.cost:
        return
    if force:
        say("the new one is worse, and is published all the same")
        return
    raise BundleError(
        "the new bundle is worse than the one in service and was not published",
        received=str(new),
        allowed=f"no more than {old}",
        next_step="look at the survey for what changed in the recordings, or publish with --force",
    )
