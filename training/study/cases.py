"""A classifier's case: one recipe learnt in one household with one seed, and judged in int8 as the door would run it.

The pack is read and its features are computed once; every recipe and seed then meets the same :class:`Trial` of a
draw. A seed changes what chance decides while learning (first weights, order of clips, dropout, noise), never who is on
which side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError, RuntimeMissingError
from device.sound.logmel import FrontendSpec, LogMel
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.interpreter import Interpreter
from training.benchmark.pack import Pack, read_pack
from training.classifier import ClassifierRecipe, Features, int8_scores, learn_classifier
from training.corpus.index import Progress
from training.metrics import eer
from training.study.households import Trials
from training.study.trials import Figures, Scores, Trial, judge

# Enough for the range of every layer; more makes conversion slower and changes no figure.
CALIBRATION_CLIPS = 200
Array = NDArray[np.float32]
TIMED_CLIPS = 50


class LearningRanAwayError(DataError):
    """Weights that are no longer finite, or of sizes that int8 cannot hold: nothing was learnt that could be judged."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case gave, all of the int8 network.

    ``figures`` are of the judging strangers and of residents on another day: to be reported, never to choose by.
    ``validation_eer``, 0..1: held-out enrolment clips (``seen``) against the choosing strangers: to choose settings by.
    ``minutes``: learning and quantizing; ``clip_ms``: one clip in the door's interpreter, one thread of this machine.
    """

    figures: Figures
    validation_eer: float
    bytes: int
    multiply_adds: int
    minutes: float
    clip_ms: float


class Cases:
    """The trials of a study, and the features of all clips: float32 ``(clips, frames, bands)`` for each front-end."""

    def __init__(self, pack: Pack, trials: Trials) -> None:
        self.pack = pack
        self.trials: list[Trial] = trials.of_classifiers(pack)
        self._features: dict[str, Features] = {}

    def features(self, spec: FrontendSpec) -> Features:
        """Computed at the first call, then kept."""
        key = spec.fingerprint()
        if key not in self._features:
            log_mel = LogMel(spec)
            made = np.empty((len(self.pack.clips), *spec.shape), dtype=np.float32)
            for row, each in enumerate(self.pack.clips):
                made[row] = log_mel(each.clip.samples)
            self._features[key] = made
        return self._features[key]


def read_cases(trials: Trials, *, progress: Progress) -> Cases:
    """Cut the pack with the door's own detector and segmenter, and draw its households. Raises
    :class:`~device.errors.DataError` where :func:`read_pack` and :func:`draw_households` do."""
    pack = read_pack(trials.pack, vad=VadSpec(), segmenter=SegmenterSpec(), sounds_heard=(), file_hash={},
                     progress=progress)  # fmt: skip
    return Cases(pack, trials)


def learn_case(recipe: ClassifierRecipe, cases: Cases, draw: int, *, seed: int) -> Outcome:
    """``recipe`` learnt in trial number ``draw`` (from 0), quantized, and judged by the door's interpreter.

    Raises :class:`LearningRanAwayError` where what was learnt cannot be run.
    """
    import keras

    from training.networks.cost import multiply_adds
    from training.quantize import quantize

    made, features = cases.trials[draw], cases.features(recipe.frontend)
    learnt = made.learnt
    keras.backend.clear_session()
    started = time.monotonic()
    network = learn_classifier(recipe.classifier, features[learnt], made.allowed[learnt], seed=seed)
    if not all(np.isfinite(each).all() for each in network.get_weights()):
        raise LearningRanAwayError("learning ran away", received="weights that are not finite",
                                   next_step="lower the learning rate")  # fmt: skip
    some = np.random.default_rng(seed).permutation(learnt)[:CALIBRATION_CLIPS]
    model = quantize(network, features[some])
    minutes = (time.monotonic() - started) / 60.0
    try:
        scores = scored(made, len(cases.pack.clips), lambda rows: int8_scores(model, features[rows]))
    except RuntimeMissingError as error:
        # The same network with ordinary weights tells whether the weights are to blame, or this machine's runtime.
        network.set_weights(_ordinary(network.get_weights(), seed=seed))
        Interpreter(quantize(network, features[some]))
        raise LearningRanAwayError("learning ran away", received="weights that the runtime cannot hold in int8",
                                   next_step="lower the learning rate") from error  # fmt: skip
    core = next(each for each in network.layers if isinstance(each, keras.Model))
    return Outcome(
        judge(cases.pack, made, scores), validation_eer(made, scores), len(model), multiply_adds(core), minutes,
        clip_milliseconds(model, features),
    )  # fmt: skip


def _ordinary(weights: Sequence[Array], *, seed: int) -> list[Array]:
    """Small and positive, so that nothing is silent and no variance is below 0."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.01, 0.1, each.shape).astype(np.float32) for each in weights]


def clip_milliseconds(model: bytes, features: Features) -> float:
    """How long the door's interpreter takes for a clip: the median of some, since others compute here as well."""
    interpreter = Interpreter(model)
    taken = []
    for each in features[:TIMED_CLIPS]:
        started = time.perf_counter()
        interpreter.run(each)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken)) * 1000.0


def scored(made: Trial, clips: int, scores_of: Callable[[np.ndarray], Scores]) -> Scores:
    """``scores_of`` the rows that judge or choose, float64 ``(clips,)``; of all others, whose scores nobody asks for,
    not a number."""
    rows = np.concatenate([made.seen, made.choosing, made.tried, made.judging])
    scores = np.full(clips, np.nan)
    scores[rows] = scores_of(rows)
    return scores


def validation_eer(made: Trial, scores: Scores) -> float:
    """The residents' held-out enrolment clips against the strangers who choose; ``scores`` of all clips of the pack."""
    residents = made.seen[made.allowed[made.seen]]
    return eer(scores[residents], scores[made.choosing])
