"""Every draw of the study: networks learnt and asked, bands chosen, and what came of it on people nobody chose by.

What is heard is the same for all methods: the pack's clips, then noise, then other languages, as rows of one array.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import LogMel
from training.benchmark.pack import Pack
from training.classifier import ClassifierRecipe, float_scores, learn_classifier
from training.corpus.index import Progress
from training.study.kept import kept
from training.study.paired import Tried, far_at_frr
from training.study.trials import TARGET_FAR, Trial
from training.study.uncertainty.band import DEDUCTION, LIMIT, NO_BAND, Band, Heard, applied, choose, threshold
from training.study.uncertainty.measures import Answers, together
from training.study.uncertainty.members import dropout_passes

PASSES = (2, 20, 50)
# What is refused by: the band's kind, and which disagreement it looks at.
BANDS: Mapping[str, tuple[Band, str]] = {
    "limit on entropy": (LIMIT, "entropy"),
    "limit on mutual information": (LIMIT, "mutual"),
    "limit on variance": (LIMIT, "variance"),
    "score less spread": (DEDUCTION, "spread"),
}
NO_BAND_NAME = "no band"
# The control: the same limits as of mutual information, dealt out among the clips at random.
SHUFFLED = "limit, dealt at random"
Scores = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Features float32 ``(n, frames, bands)`` of all that is heard; ``key`` names them by content; ``outsiders``: rows
    by name, after the pack's own."""

    features: Features
    key: str
    outsiders: Mapping[str, NDArray[np.int64]]


def sounds_of(pack: Pack, outsiders: Mapping[str, NDArray[np.int16]], recipe: ClassifierRecipe) -> Sounds:
    """Everything through the recipe's front-end."""
    log_mel = LogMel(recipe.frontend)
    clips = [each.clip.samples for each in pack.clips]
    rows, said = {}, hashlib.sha256(recipe.frontend.fingerprint().encode())
    for name, sounds in outsiders.items():
        rows[name] = np.arange(len(clips), len(clips) + len(sounds))
        clips += list(sounds)
    for clip in clips:
        said.update(clip.tobytes())
    return Sounds(np.stack([log_mel(clip) for clip in clips]), said.hexdigest(), rows)


def answers_in(
    sounds: Sounds, made: Trial, recipe: ClassifierRecipe, *, members: int, seed: int, folder: Path, progress: Progress
) -> dict[str, Scores]:
    """Logits float64 ``(answers, n)`` by method; the first member is the plain network, and the one with dropout."""
    each = []
    for member in range(members):
        passes = max(PASSES) if member == 0 else 0
        depends_on = [sounds.key, made.learnt.tolist(), asdict(recipe.classifier), seed + member, passes]

        def learn_and_ask(own: int = seed + member, passes: int = passes) -> Scores:
            network = learn_classifier(
                recipe.classifier, sounds.features[made.learnt], made.allowed[made.learnt], seed=own
            )
            asked = [float_scores(network, sounds.features)[None, :]]
            if passes:
                rng = np.random.default_rng(own)
                asked.append(dropout_passes(network, sounds.features, passes=passes, rng=rng))
            return np.concatenate(asked)

        each.append(kept(folder / "study", "uncertainty", depends_on, learn_and_ask))
        progress("networks", member + 1, members)
    methods = {"plain": each[0][:1]}
    for count in PASSES:
        methods[f"dropout, {count} passes"] = each[0][1 : 1 + count]
    methods[f"ensemble of {members}"] = np.stack([one[0] for one in each])
    return methods


@dataclass(frozen=True, slots=True, eq=False)
class Banded:
    """What a band had before it: scores and uncertainty of the judged residents' and strangers' clips."""

    band: Band
    residents: Heard
    strangers: Heard

    def in_hindsight(self, frr: float, chosen: float) -> float:
        """The lowest FAR at ``frr`` that any number of the band, the ``chosen`` one or none gives these very clips: no
        door could have chosen it."""
        found = []
        for number in (NO_BAND, chosen, *self.band.numbers(self.residents.uncertainty)):
            inside, outside = (applied(self.band, side, number) for side in (self.residents, self.strangers))
            found.append(far_at_frr(inside, outside, frr))
        return min(found)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One method with one band in one draw: ``tried`` scores with the band, the ``number`` chosen (NaN: none), what
    came out at the threshold that the choosing strangers gave for a FAR of 1 %, and what the ``band`` had to work on
    (None without one)."""

    tried: Tried
    number: float
    far: float
    frr: float
    band: Banded | None


def outcomes(
    pack: Pack, made: Trial, answers: Answers, *, several: bool, rng: np.random.Generator
) -> Iterator[tuple[str, Outcome]]:
    """``(band, outcome)`` of one method: without a band first, then each band and the control. A single answer
    disagrees with nothing and has no band."""
    yield NO_BAND_NAME, _judged(pack, made, answers.score, NO_BAND, None)
    if several:
        for name, (band, measure) in BANDS.items():
            yield name, _with_band(pack, made, answers.score, getattr(answers, measure), band)
        yield SHUFFLED, _with_band(pack, made, answers.score, rng.permutation(answers.mutual), LIMIT)


def _with_band(pack: Pack, made: Trial, scores: Scores, uncertainty: Scores, band: Band) -> Outcome:
    held_back = made.seen[made.allowed[made.seen]]
    residents, strangers = (Heard(scores[rows], uncertainty[rows]) for rows in (held_back, made.choosing))
    number = choose(band, residents, strangers, target_far=TARGET_FAR)
    banded = Banded(band, *(Heard(scores[rows], uncertainty[rows]) for rows in (made.tried, made.judging)))
    return _judged(pack, made, applied(band, Heard(scores, uncertainty), number), number, banded)


def _judged(pack: Pack, made: Trial, scores: Scores, number: float, banded: Banded | None) -> Outcome:
    tried = tried_of(pack, made, scores)
    limit = threshold(scores[made.choosing], TARGET_FAR)
    return Outcome(tried, number, float(np.mean(tried.outside >= limit)), float(np.mean(tried.inside < limit)), banded)


def tried_of(pack: Pack, made: Trial, scores: Scores) -> Tried:
    """The scores that are judged, with who spoke."""
    people = [tuple(pack.clips[row].speaker for row in rows) for rows in (made.tried, made.judging)]
    return Tried(scores[made.tried], scores[made.judging], people[0], people[1])


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """All draws: ``answers`` by draw and method, ``outcomes`` by method and band, one a draw."""

    answers: Sequence[Mapping[str, Answers]]
    outcomes: Mapping[str, Mapping[str, Sequence[Outcome]]]


def all_draws(pack: Pack, trials: Sequence[Trial], logits: Sequence[Mapping[str, Scores]], *, seed: int) -> Told:
    """Answers and outcomes of every draw whose ``logits`` are known."""
    told: dict[str, dict[str, list[Outcome]]] = {}
    every = []
    for count, (made, methods) in enumerate(zip(trials, logits, strict=True)):
        every.append({name: together(each) for name, each in methods.items()})
        rng = np.random.default_rng([seed, count])
        for method, answers in every[-1].items():
            several = len(methods[method]) > 1
            for band, outcome in outcomes(pack, made, answers, several=several, rng=rng):
                told.setdefault(method, {}).setdefault(band, []).append(outcome)
    return Told(every, told)
