"""Every setting learnt and judged on the same households: the same people, days and seconds of speech enrolled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, LogMel
from device.sound.pcm import CLIP_SECONDS
from training.benchmark.pack import Pack
from training.classifier import ClassifierRecipe, float_scores, learn_classifier
from training.corpus.index import Progress
from training.metrics import eer, frr_at_far
from training.study.households import Trials
from training.study.kept import kept
from training.study.paired import Statistic, Tried, paired
from training.study.spectrogram.cuts import Pieces, cut
from training.study.spectrogram.settings import Setting
from training.study.trials import TARGET_FAR, Figures, Trial, judge, spread

STATISTICS: Mapping[str, Statistic] = {
    "eer": eer,
    "frr_where_far_is_1pct": lambda inside, outside: frr_at_far(inside, outside, TARGET_FAR),
}


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One setting in all draws."""

    setting: Setting
    clips: int
    figures: Sequence[Figures]
    tried: Sequence[Tried]


def carry_out(
    every: Sequence[Setting],
    pack: Pack,
    recipe: ClassifierRecipe,
    households: Trials,
    *,
    runs: Path,
    progress: Progress,
    ended: Callable[[Sequence[Run]], None],
) -> Sequence[Run]:
    """All settings in order; ``ended`` gets those that are there after each. What was learnt before is kept in
    ``runs``."""
    found: list[Run] = []
    for setting in every:
        found.append(_run(setting, cut(setting, pack, households.pack), recipe, households, runs, progress))
        ended(found)
        progress("settings", len(found), len(every))
    return found


def trials_in(pieces: Pieces, seconds: float, households: Trials) -> list[Trial]:
    """The households' trials among pieces of ``seconds``. People and days do not depend on the length."""
    # A draw counts clips of 3 s: of another length, as many more or fewer are the same speech.
    return households.of_classifiers(pieces.pack, enrol_seconds=households.enrol_seconds * CLIP_SECONDS / seconds)


def _run(
    setting: Setting, pieces: Pieces, recipe: ClassifierRecipe, households: Trials, runs: Path, progress: Progress
) -> Run:
    heard = hashlib.sha256(np.ascontiguousarray(pieces.samples).tobytes()).hexdigest()
    features: list[NDArray[np.float32]] = []
    figures, tried = [], []
    trials = trials_in(pieces, setting.seconds, households)
    # As many steps over as much sound at every length: more of short clips would otherwise learn longer.
    batch_size = max(2, round(recipe.classifier.batch_size * CLIP_SECONDS / setting.seconds))
    classifier = replace(recipe.classifier, batch_size=batch_size)
    for count, made in enumerate(trials, start=1):

        def learn_and_ask(made: Trial = made, seed: int = households.seed + count) -> NDArray[np.float64]:
            if not features:
                features.append(features_of(pieces, setting.frontend))
            network = learn_classifier(classifier, features[0][made.learnt], made.allowed[made.learnt], seed=seed)
            return float_scores(network, features[0])

        depends_on = [heard, setting.frontend.fingerprint(), asdict(classifier), made.learnt.tolist(),
                      households.seed + count]  # fmt: skip
        scores = kept(runs / "study", "spectrogram", depends_on, learn_and_ask)
        figures.append(judge(pieces.pack, made, scores))
        people = [tuple(pieces.pack.clips[row].speaker for row in rows) for rows in (made.tried, made.judging)]
        tried.append(Tried(scores[made.tried], scores[made.judging], people[0], people[1]))
        progress(setting.name, count, len(trials))
    return Run(setting, len(pieces.samples), figures, tried)


def features_of(pieces: Pieces, frontend: FrontendSpec) -> NDArray[np.float32]:
    """float32 ``(n, frames, bands)``; the number of frames follows from the pieces' length."""
    log_mel = LogMel(frontend)
    return np.stack([log_mel.of_any_length(each) for each in pieces.samples])


def told_of(runs: Sequence[Run], *, seed: int) -> list[dict[str, Any]]:
    """A row a setting for JSON: its figures over the draws, and how they differ from the setting it is compared with,
    with the interval over people and draws."""
    by_name = {run.setting.name: run for run in runs}
    rows = []
    for run in runs:
        setting = run.setting
        row: dict[str, Any] = {
            "name": setting.name, "axis": setting.axis, "cut": setting.cut, "seconds": setting.seconds,
            "bands": setting.frontend.mel_bands, "scale": setting.frontend.scale, "clips": run.clips,
            "against": setting.against, "figures": spread(run.figures),
        }  # fmt: skip
        if setting.against:
            row["less"] = {
                name: asdict(paired(by_name[setting.against].tried, run.tried, [rule] * len(run.tried),
                                    rng=np.random.default_rng(seed)))
                for name, rule in STATISTICS.items()
            }  # fmt: skip
        rows.append(row)
    return rows
