"""The same question to the network that ships: does it know when it does not know?

It is one int8 network that nobody wants to run five times at a door with five times the memory, so its several answers
are of another kind: each clip is heard as recorded and again in noise, in a room and through a door phone, as residents
are enrolled (:mod:`training.door_copies`). The answers are the log-likelihood ratios of the nearest resident, which are
logits at equal odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.benchmark.command import enrolment_copies
from training.benchmark.household import COHORT_TOP, PROTOTYPES, voices_of
from training.benchmark.pack import Pack
from training.benchmark.systems import Judged, int8_system, kept_embeddings, refuse_familiar
from training.calibrate import evidence_of, fit_calibration, validation_trials
from training.clips import stack
from training.corpus.split import speaker_hash
from training.enrol import enrol
from training.study.trials import Trial

PLAIN = "door's network"
SEVERAL = "door's network, four hearings"
Scores = NDArray[np.float64]


def product_answers(
    pack: Pack, trials: Sequence[Trial], judged: Judged, *, folder: Path, seed: int
) -> list[dict[str, Scores]]:
    """For each trial float64 ``(answers, clips of the pack)``: heard as recorded, and in all four ways.

    Raises :class:`DataError` where the network has met somebody of the pack.
    """
    system = int8_system(judged)
    refuse_familiar(system, pack.speakers, speaker_hash)
    clean = kept_embeddings(system, stack(pack.clips), folder / "benchmark")
    copies = enrolment_copies(system, pack, folder / "benchmark", seed=seed)
    hearings = [clean, *copies]
    everything = np.arange(len(pack.clips))
    found = []
    for made in trials:
        people = np.concatenate([made.learnt, made.seen])
        known = voices_of(pack.clips, clean, np.sort(people[~made.allowed[people]]), copies)
        tried = validation_trials(known, known, judged.cohort, cohort_top=COHORT_TOP, prototypes=PROTOTYPES)
        residents = voices_of(pack.clips, clean, made.learnt[made.allowed[made.learnt]], copies)
        calibration = fit_calibration(tried, cohort_top=COHORT_TOP)
        head = enrol(residents, judged.cohort, calibration, prototypes=PROTOTYPES)
        answers = np.stack([
            evidence_of(head, voices_of(pack.clips, heard, everything)).max(axis=1) for heard in hearings
        ])  # fmt: skip
        found.append({PLAIN: answers[:1], SEVERAL: answers})
    return found
