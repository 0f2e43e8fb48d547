"""Error rates of a verifier, pure numpy. Higher scores mean *allowed*; a score equal to the threshold is accepted.

FAR: share of strangers accepted. FRR: share of residents refused. EER: where both are equal. Every function raises
:class:`~device.errors.DataError` for empty or not finite scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb, exp, lgamma, log, log1p

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device.errors import DataError

Scores = NDArray[np.float64]
BySpeaker = Mapping[str, Scores]


def _checked(scores: ArrayLike, what: str) -> Scores:
    array = np.asarray(scores, dtype=np.float64).ravel()
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if array.size == 0 or bad:
        received = f"{array.size} values, {bad} of them not finite"
        raise DataError(f"{what} scores cannot be measured", received=received, allowed="some finite numbers")
    return array


def _check_share(value: float, what: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise DataError(f"{what} out of range", received=value, allowed="0 to 1")


def far_at(nontargets: ArrayLike, threshold: float) -> float:
    """Share of stranger scores at or above ``threshold``."""
    return float(np.mean(_checked(nontargets, "stranger") >= threshold))


def frr_at(targets: ArrayLike, threshold: float) -> float:
    """Share of resident scores below ``threshold``."""
    return float(np.mean(_checked(targets, "resident") < threshold))


def threshold_at_far(nontargets: ArrayLike, far: float) -> float:
    """The lowest threshold whose realised FAR on ``nontargets`` does not exceed ``far`` (just above a score)."""
    _check_share(far, "a false accept rate")
    ranked = np.sort(_checked(nontargets, "stranger"))[::-1]
    allowed = int(np.floor(far * ranked.size + 1e-9))
    if allowed >= ranked.size:
        return float(ranked[-1])
    return float(np.nextafter(ranked[allowed], np.inf))


def frr_at_far(targets: ArrayLike, nontargets: ArrayLike, far: float) -> float:
    """FRR at the threshold of :func:`threshold_at_far` on the same strangers."""
    return frr_at(targets, threshold_at_far(nontargets, far))


def eer(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """Equal error rate: the mean of FAR and FRR where they are nearest. 0.5 for a constant predictor."""
    far, frr = roc(targets, nontargets)
    # Between two thresholds both rates move along a straight line; the crossing lies on it.
    difference = frr - far
    after = int(np.argmax(difference >= 0))
    if after == 0 or difference[after] == 0:
        return float((far[after] + frr[after]) / 2)
    share = -difference[after - 1] / (difference[after] - difference[after - 1])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def roc(targets: ArrayLike, nontargets: ArrayLike) -> tuple[Scores, Scores]:
    """(FAR, FRR) at every distinct threshold, from accepting everybody to refusing everybody."""
    wanted, others = np.sort(_checked(targets, "resident")), np.sort(_checked(nontargets, "stranger"))
    thresholds = np.append(np.unique(np.concatenate([wanted, others])), np.inf)
    far = 1.0 - np.searchsorted(others, thresholds, side="left") / others.size
    frr = np.searchsorted(wanted, thresholds, side="left") / wanted.size
    return far, frr


def min_dcf(targets: ArrayLike, nontargets: ArrayLike, *, p_target: float = 0.01) -> float:
    """Least detection cost over thresholds, unit costs, divided by the better of the two constant answers (NIST)."""
    _check_share(p_target, "p_target")
    far, frr = roc(targets, nontargets)
    cost = p_target * frr + (1 - p_target) * far
    return float(cost.min() / min(p_target, 1 - p_target))


def confusion(targets: ArrayLike, nontargets: ArrayLike, threshold: float) -> dict[str, int]:
    """Counts of the four outcomes at ``threshold``: residents accepted and refused, strangers accepted and refused."""
    wanted, others = _checked(targets, "resident"), _checked(nontargets, "stranger")
    inside, outside = int(np.sum(wanted >= threshold)), int(np.sum(others >= threshold))
    return {
        "residents_accepted": inside,
        "residents_refused": wanted.size - inside,
        "strangers_accepted": outside,
        "strangers_refused": others.size - outside,
    }


def f1_allowed(targets: ArrayLike, nontargets: ArrayLike, threshold: float) -> float:
    """F1 of the class *allowed* at ``threshold``; 0 for a door that never opens.

    It depends on how many strangers came for each resident: compare it only on the same test.
    """
    counts = confusion(targets, nontargets, threshold)
    wrong = counts["residents_refused"] + counts["strangers_accepted"]
    return 2 * counts["residents_accepted"] / (2 * counts["residents_accepted"] + wrong)


def events_per_hour_upper(events: int, hours: float, *, confidence: float = 0.95) -> float:
    """One-sided exact upper bound of a rate of rare events (Garwood, Biometrika 1936); for none, about 3 / hours."""
    _check_share(confidence, "a confidence")
    if events < 0 or not hours > 0:
        raise DataError(
            "no bound for these counts", received=f"{events} in {hours} hours", allowed="some time, 0 or more"
        )
    low, high = 0.0, 10.0 * (events + 3)
    for _ in range(60):
        middle = (low + high) / 2
        at_most = sum(exp(-middle + k * log(middle) - lgamma(k + 1)) for k in range(events + 1))
        low, high = (middle, high) if at_most > 1 - confidence else (low, middle)
    return high / hours


def log_likelihood_ratio_cost(targets: ArrayLike, nontargets: ArrayLike) -> float:
    """Cllr in bits: how well scores serve as natural-log likelihood ratios (Brummer and du Preez, 2006).

    0 is perfect, 1 is what answering "no idea" (0) to everything costs; above 1 the scores mislead.
    """
    missed = np.logaddexp(0.0, -_checked(targets, "resident")).mean()
    alarmed = np.logaddexp(0.0, _checked(nontargets, "stranger")).mean()
    return float((missed + alarmed) / (2.0 * log(2.0)))


def clopper_pearson_upper(errors: int, trials: int, *, confidence: float = 0.95) -> float:
    """One-sided exact upper bound of an error rate (Clopper and Pearson, Biometrika 1934), by bisection.

    Trials are taken as independent, which clips of one person are not: count people where it matters.
    """
    _check_share(confidence, "a confidence")
    if not 0 <= errors <= trials or trials == 0:
        raise DataError("no bound for these counts", received=f"{errors} of {trials}", allowed="0 <= errors <= trials")
    if errors == trials:
        return 1.0
    low, high = errors / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _binomial_at_most(errors, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _binomial_at_most(most: int, trials: int, p: float) -> float:
    def log_choose(k: int) -> float:
        return log(comb(trials, k)) if trials < 500 else lgamma(trials + 1) - lgamma(k + 1) - lgamma(trials - k + 1)

    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 0.0
    return sum(exp(log_choose(k) + k * log(p) + (trials - k) * log1p(-p)) for k in range(most + 1))


def bootstrap_by_speaker(
    targets: BySpeaker,
    nontargets: BySpeaker,
    statistic: Callable[[Scores, Scores], float],
    *,
    rng: np.random.Generator,
    draws: int = 500,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of ``statistic(targets, nontargets)``, resampling people, not clips, on both sides."""
    if draws < 2 or not 0.0 < confidence < 1.0:
        raise DataError("no interval from this", received=f"{draws} draws, confidence {confidence}", allowed="2 draws")
    results = [statistic(_redrawn(targets, rng), _redrawn(nontargets, rng)) for _ in range(draws)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(results, [tail, 1 - tail])
    return float(low), float(high)


def _redrawn(scores: BySpeaker, rng: np.random.Generator) -> Scores:
    people = sorted(scores)
    if not people:
        raise DataError("no speakers to draw from", allowed="at least one")
    return np.concatenate([scores[people[draw]] for draw in rng.integers(len(people), size=len(people))])


def pooled(scores: BySpeaker) -> Scores:
    """All speakers' scores in one array."""
    return np.concatenate([scores[name] for name in sorted(scores)])


def trials_between(
    embeddings: NDArray[np.float32], speakers: Sequence[str], *, enrolled: int
) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Cosine trials within a set of speakers: the first ``enrolled`` clips of each are averaged to a model, the rest
    are tried against every model. Returns (targets, nontargets) by the speaker who spoke."""
    names = sorted(set(speakers))
    of = {name: np.flatnonzero(np.asarray(speakers) == name) for name in names}
    able = [name for name in names if len(of[name]) > enrolled]
    if len(able) < 2:
        raise DataError("too few speakers to compare", received=len(able), allowed="two with enough clips")
    models = np.stack([embeddings[of[name][:enrolled]].mean(axis=0) for name in able])
    models /= np.linalg.norm(models, axis=1, keepdims=True)
    targets: dict[str, Scores] = {}
    nontargets: dict[str, Scores] = {}
    for column, name in enumerate(able):
        scores = (embeddings[of[name][enrolled:]] @ models.T).astype(np.float64)
        targets[name] = scores[:, column]
        nontargets[name] = np.delete(scores, column, axis=1).ravel()
    return targets, nontargets
