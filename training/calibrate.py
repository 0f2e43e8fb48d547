"""From similarities to log-likelihood ratios, and from those to the thresholds a door needs.

The map is a logistic regression at equal priors between same-speaker and different-speaker trials among the validation
speakers (Brummer and du Preez, 2006), on clips as recorded and on clips with little speech. The open threshold is the
lowest at which no more than ``target_far`` of the validation strangers' visits to this household would open, a visit
being up to ``max_clips`` clips in a row: what counts is the highest sum that any resident reaches on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from device.verdict.bundle import Thresholds
from device.verdict.head import Calibration, Head
from training.enrol import enrol
from training.metrics import clopper_pearson_upper, threshold_at_far
from training.voices import Voices, chosen

MIN_CLIPS = 6
REFUSE_QUANTILE = 0.005
HIGHEST_REFUSE_LLR = -1.0
LOWEST_OPEN_LLR = 0.5
# However little of a clip is speech, similarity counts at least so much of what it counts in 3 s of it.
LEAST_SLOPE_SHARE = 0.2
_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Normalised similarities ``same`` ``(n,)`` and ``different`` ``(m,)``, and how much of each one's clip is speech,
    0..1: ``same_shares`` and ``different_shares``."""

    same: _Float
    different: _Float
    same_shares: _Float
    different_shares: _Float


def neutral(cohort_top: int) -> Calibration:
    """The calibration that leaves normalised similarities as they are."""
    return Calibration(slope=1.0, intercept=0.0, cohort_top=cohort_top)


def fit_calibration(trials: Trials, *, cohort_top: int) -> Calibration:
    """The affine map of :class:`~device.verdict.head.Calibration`, with its dependence on how much speech there is."""

    def design(scores: _Float, shares: _Float) -> _Float:
        missing = 1.0 - shares
        return np.stack([scores, np.ones_like(scores), missing * scores, missing], axis=1)

    def bounded(scores: _Float, shares: _Float) -> _Float:
        missing = 1.0 - shares
        return np.stack([scores * (1.0 - (1.0 - LEAST_SLOPE_SHARE) * missing), np.ones_like(scores), missing], axis=1)

    slope, intercept, short_slope, short_intercept = logistic(
        design(trials.same, trials.same_shares), design(trials.different, trials.different_shares)
    )
    if slope + short_slope < LEAST_SLOPE_SHARE * slope:
        # The line through 1 to 3 s of speech would turn evidence around where nothing was tried: held at its bound.
        slope, intercept, short_intercept = logistic(
            bounded(trials.same, trials.same_shares), bounded(trials.different, trials.different_shares)
        )
        short_slope = -(1.0 - LEAST_SLOPE_SHARE) * slope
    return Calibration(slope, intercept, cohort_top, short_slope, short_intercept)


def validation_trials(
    validation: Voices, short: Voices, cohort: NDArray[np.float32], *, cohort_top: int, prototypes: int
) -> Trials:
    """Trials among validation speakers with enough clips: the first half of each one's clips is enrolled, the second
    half tried, as recorded and as in ``short`` (the same clips in the same order, with little speech)."""
    able = [name for name in validation.names if len(validation.of(name)) >= MIN_CLIPS]
    if len(able) < 10:
        raise DataError(
            "too few validation speakers to calibrate",
            received=len(able),
            allowed=f"10 with at least {MIN_CLIPS} clips",
            next_step="add people to others/",
        )
    rows = {name: np.array_split(validation.of(name), 2) for name in able}
    first = chosen(validation, np.concatenate([rows[name][0] for name in able]))
    second = np.concatenate([rows[name][1] for name in able])
    head = enrol(first, cohort, neutral(cohort_top), prototypes=prototypes)
    parts = []
    for tried in (chosen(validation, second), chosen(short, second)):
        scores = head.normalised(tried.embeddings)
        same = np.asarray(tried.speakers)[:, None] == np.asarray(head.residents)[None, :]
        shares = np.broadcast_to(tried.shares[:, None], scores.shape)
        parts.append((scores[same], scores[~same], shares[same], shares[~same]))
    return Trials(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def logistic(targets: _Float, nontargets: _Float) -> tuple[float, ...]:
    """Newton's method for ``P(target) = 1 / (1 + exp(-(design @ solution)))`` at equal priors, lightly ridged.

    ``targets`` ``(n, k)`` and ``nontargets`` ``(m, k)`` are rows of the design; returns the ``k`` coefficients.
    """
    design = np.concatenate([targets, nontargets])
    y = np.concatenate([np.ones(len(targets)), np.zeros(len(nontargets))])
    weight = np.concatenate(
        [np.full(len(targets), 0.5 / len(targets)), np.full(len(nontargets), 0.5 / len(nontargets))]
    )
    size = design.shape[1]
    solution = np.zeros(size)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (weight * (p - y)) + 1e-4 * solution
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-4 * np.eye(size)
        step = np.linalg.solve(curvature, gradient)
        solution -= step
        if np.abs(step).max() < 1e-9:
            break
    return tuple(float(each) for each in solution)


def visits(
    speakers: Sequence[str], sessions: Sequence[str], *, max_clips: int, overlapping: bool = False
) -> list[NDArray[np.int64]]:
    """The rows of each visit: up to ``max_clips`` clips in a row of one speaker in one session.

    ``overlapping`` starts a visit at every clip, for a smoother threshold from few people.
    """
    found = []
    keys = [f"{speaker}\0{session}" for speaker, session in zip(speakers, sessions, strict=True)]
    for key in sorted(set(keys)):
        rows = np.flatnonzero(np.asarray(keys) == key)
        step = 1 if overlapping else max_clips
        found += [rows[start : start + max_clips] for start in range(0, len(rows), step)]
    return found


def peaks(evidence: _Float, each_visit: Sequence[NDArray[np.int64]]) -> _Float:
    """The highest running sum any resident reaches in each visit; ``evidence`` ``(clips, residents)``."""
    return np.array([float(np.cumsum(evidence[rows], axis=0).max()) for rows in each_visit])


def visits_needed(target_far: float) -> int:
    """How many strangers' visits without one opening it takes to state ``target_far`` with 95 % confidence."""
    return int(np.ceil(3.0 / target_far))


def evidence_of(head: Head, voices: Voices) -> _Float:
    """Log-likelihood ratios ``(clips, residents)``."""
    return head.log_likelihood_ratios(voices.embeddings, voices.shares)


def choose_thresholds(
    head: Head, populations: Sequence[Voices], trials: Trials, *, target_far: float, max_clips: int
) -> Thresholds:
    """Thresholds for this household, at which **each** population of validation strangers keeps the target.

    ``trials`` of the validation speakers give ``refuse_llr``. Raises
    :class:`DataError` when the strangers are too few for the target: by the rule of three, ``3 / target_far`` visits
    without one opening are what it takes to state that share with 95 % confidence (Hanley and Lippman-Hand, 1983).
    """
    open_llr, separate_peaks = LOWEST_OPEN_LLR, []
    for strangers in populations:
        evidence = evidence_of(head, strangers)
        who = strangers.speakers, strangers.sessions
        every = peaks(evidence, visits(*who, max_clips=max_clips, overlapping=True))
        separate = peaks(evidence, visits(*who, max_clips=max_clips))
        # Both counts must keep the target: the overlapping one for smoothness, the separate one for the bound.
        open_llr = max(open_llr, threshold_at_far(every, target_far), threshold_at_far(separate, target_far))
        separate_peaks.append(separate)
    most, needed = max(len(each) for each in separate_peaks), visits_needed(target_far)
    if most < needed:
        raise DataError(
            "too few strangers to choose thresholds for this target",
            where="decision.target_far",
            received=f"{target_far:g}, {most} visits",
            allowed=f"{needed} visits for it, or a target of at least {3.0 / most:.2g}",
            next_step="add people to others/, or aim at a higher false accept rate",
        )
    accepted = [int(np.sum(each >= open_llr)) for each in separate_peaks]
    bounds = [clopper_pearson_upper(errors, len(each)) for errors, each in zip(accepted, separate_peaks, strict=True)]
    own = head.calibration.ratios(trials.same, trials.same_shares)
    return Thresholds(
        open_llr=open_llr,
        refuse_llr=float(min(np.quantile(own, REFUSE_QUANTILE), HIGHEST_REFUSE_LLR)),
        max_clips=max_clips,
        target_far=target_far,
        far_upper_bound=max(bounds),
        validation_speakers=sum(len(strangers.names) for strangers in populations),
        validation_visits=sum(len(each) for each in separate_peaks),
    )
