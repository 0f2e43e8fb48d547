"""What stands beside the classifiers: the classical one before networks, and the project's own embedding and head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ
from device.verdict.interpreter import Embedding
from device.verdict.scorer import speech_share
from training.benchmark.household import COHORT_TOP, PROTOTYPES
from training.benchmark.pack import Pack
from training.calibrate import evidence_of, fit_calibration, validation_trials
from training.clips import SpokenClip
from training.enrol import enrol
from training.study.trials import Rows, Scores, Trial
from training.voices import Voices

COEFFICIENTS = 20


def mfcc_statistics(clips: Sequence[SpokenClip]) -> NDArray[np.float64]:
    """Mean and deviation over time of each clip's MFCCs and of their slopes, float64 ``(n, 4 * COEFFICIENTS)``
    (Davis and Mermelstein, IEEE ASSP 1980)."""
    import librosa

    found = []
    for each in clips:
        sound = each.clip.samples.astype(np.float32) / FULL_SCALE
        mfcc = librosa.feature.mfcc(y=sound, sr=SAMPLE_RATE_HZ, n_mfcc=COEFFICIENTS)
        slopes = librosa.feature.delta(mfcc)
        found.append(np.concatenate([part for row in (mfcc, slopes) for part in (row.mean(axis=1), row.std(axis=1))]))
    return np.array(found, dtype=np.float64)


def svm_scores(statistics: NDArray[np.float64], made: Trial) -> Scores:
    """A support vector machine with a Gaussian kernel on :func:`mfcc_statistics` of all clips of the pack, learnt from
    the same clips as the networks: its decision value for each clip, 0 in the middle."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    machine = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    machine.fit(statistics[made.learnt], made.allowed[made.learnt])
    return np.asarray(machine.decision_function(statistics), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingSystem:
    """The int8 embedding network's answer to every clip of the pack, and the cohort it brings."""

    embeddings: Embedding
    cohort: Embedding

    def scores(self, pack: Pack, made: Trial) -> Scores:
        """The best resident's log-likelihood ratio of each clip, by the product's own head: enrolled on the residents'
        learnt clips as recorded, calibrated on the strangers who choose; 0 in the middle."""
        top = min(COHORT_TOP, len(self.cohort))
        choosing = self._voices(pack, made.choosing)
        trials = validation_trials(choosing, choosing, self.cohort, cohort_top=top, prototypes=PROTOTYPES)
        calibration = fit_calibration(trials, cohort_top=top)
        enrolled = self._voices(pack, made.learnt[made.allowed[made.learnt]])
        head = enrol(enrolled, self.cohort, calibration, prototypes=PROTOTYPES)
        best: Scores = evidence_of(head, self._voices(pack, np.arange(len(pack.clips)))).max(axis=1)
        return best

    def _voices(self, pack: Pack, rows: Rows) -> Voices:
        clips = [pack.clips[row] for row in rows]
        return Voices(
            self.embeddings[rows],
            np.array([speech_share(each.clip) for each in clips]),
            tuple(each.speaker for each in clips),
            tuple(each.session for each in clips),
        )
