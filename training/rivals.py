"""The bundle in service against a candidate: which visits both are given, and who the old one would be without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import BundleError
from device.names import normalise
from device.verdict.bundle import Bundle, load_bundle
from training.clips import Cutter, SpokenClip
from training.compare import enrolled_anew, hold_test, refuse_a_worse_one, why_not_comparable
from training.corpus.index import Index, Progress
from training.corpus.split import Split
from training.evaluate import TestSet
from training.recipe import Recipe
from training.versions import current_folder

Copier = Callable[[Sequence[SpokenClip]], list[list[SpokenClip]]]


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """Where the old bundle is, and what the new one was enrolled on and is tested with."""

    models: Path
    index: Index
    parts: Split
    enrolled: Sequence[SpokenClip]
    later: Sequence[SpokenClip]
    strangers: Sequence[SpokenClip]
    recipe: Recipe


def compare(
    candidate: Bundle, rivals: Rivals, as_met: Copier, *, force: bool, progress: Progress, say: Callable[[str], None]
) -> None:
    """Both on the same visits. Raises :class:`BundleError` for a candidate that is worse beyond chance."""
    if not rivals.later and not rivals.strangers:
        say("not compared: that needs strangers, or a second session of the residents")
        return
    folder = current_folder(rivals.models)
    if folder is None:
        say("nothing to compare with: no bundle was published here before")
        return
    try:
        old = load_bundle(folder)
    except BundleError as error:
        # A bundle that this version cannot read is no reason not to publish one that it can.
        say(f"not compared with {folder.name}: {error.what} ({error.where})")
        return
    reason = why_not_comparable(old, candidate, [each.sha256 for each in rivals.parts.test])
    if reason:
        say(f"not compared with {old.name} #{old.sequence}: {reason}")
        return
    judged = _without_the_test(old, rivals, as_met, progress, say)
    # An old bundle that knows nothing but the days of the test cannot be judged on them; strangers judge it still.
    both = {normalise(each) for each in judged.residents} & set(candidate.residents) if judged is not None else set()
    old = judged or old
    tested = TestSet([each for each in rivals.later if each.speaker in both], rivals.strangers)
    if not tested.residents and not tested.strangers:
        say(f"not compared with {old.name} #{old.sequence}: it knows nobody of this test")
        return
    clips_a_visit = max(old.thresholds.max_clips, candidate.thresholds.max_clips)
    before, now = (hold_test(each, tested, clips_a_visit, progress) for each in (old, candidate))
    refuse_a_worse_one(before, now, force=force, say=say, rng=np.random.default_rng(rivals.recipe.data.seed))


def _without_the_test(
    old: Bundle, rivals: Rivals, as_met: Copier, progress: Progress, say: Callable[[str], None]
) -> Bundle | None:
    """``old`` as it is, or, where it was enrolled on days that are the test now, enrolled anew on the others; None
    where there are no others."""
    known = set(old.manifest["enrolled_recordings"])
    if not known & {each.sha256[:16] for each in rivals.parts.resident_test}:
        return old
    shared = [each for each in rivals.parts.enrol if each.sha256[:16] in known]
    clips = Cutter(rivals.index.root, old.vad, old.segmenter).cut(shared, progress=progress, label="clips of before")
    if not clips:
        return None
    say(f"{old.name} #{old.sequence} was enrolled on days of this test: both are judged without them")
    prototypes = rivals.recipe.enrol.prototypes
    return enrolled_anew(old, clips, as_met(clips), prototypes=prototypes, progress=progress)
