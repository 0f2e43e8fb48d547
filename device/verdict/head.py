"""The household head: an embedding's log-likelihood ratio for every resident.

Each resident is a handful of prototypes (embeddings of length 1). A clip's similarity to a resident is the mean of the
cosine to the centroid and the cosine to the best prototype. It is then normalised against a cohort of speakers who do
not live here (adaptive symmetric score normalisation: Matejka et al., Interspeech 2017): how far does this similarity
stand out from the cohort's nearest, seen from the clip and seen from the resident? An affine map, fitted on validation
speakers, turns that into a natural-log likelihood ratio. How much speech the clip holds enters that map as a quality
measure (Mandasari et al., IEEE TASLP 2013): one second says less than three, for either answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.verdict.interpreter import Embedding, unit_length

_Float = NDArray[np.float64]
LENGTH_TOLERANCE = 0.01
# The share of a vector's length that is its components' mean: 1 where they are all equal. Of 256 components that differ
# by chance it is about 0.06.
MOST_EQUAL = 0.98
# The length of the mean of many vectors: 1 where they are all the same; the shipped cohort's is 0.24, a
# network that has learnt almost nothing gives 0.999.
MOST_ALIKE = 0.99999


@dataclass(frozen=True, slots=True)
class Calibration:
    """``llr = (slope + short_slope * m) * normalised + intercept + short_intercept * m``, where ``m`` is the share of
    the clip that is not speech (0 for 3 s of it); ``cohort_top`` is how many of the cohort's nearest are looked at."""

    slope: float
    intercept: float
    cohort_top: int
    short_slope: float = 0.0
    short_intercept: float = 0.0

    def ratios(self, normalised: _Float, speech_shares: _Float) -> _Float:
        """Normalised similarities ``(n, ...)`` of clips with ``speech_shares`` ``(n,)``, 0..1, to natural-log
        likelihood ratios of the same shape."""
        missing = (1.0 - speech_shares).reshape(-1, *[1] * (normalised.ndim - 1))
        slopes = self.slope + self.short_slope * missing
        return slopes * normalised + self.intercept + self.short_intercept * missing

    @property
    def usable(self) -> bool:
        """Finite, and rising with similarity however little speech there is."""
        numbers = self.slope, self.intercept, self.short_slope, self.short_intercept
        return bool(np.isfinite(numbers).all()) and self.slope > 0 and self.slope + self.short_slope > 0


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """``residents``: names; ``prototypes`` float32 ``(p, d)``; ``owners`` int ``(p,)``: whose each prototype is;
    ``cohort`` float32 ``(c, d)``. All vectors of length 1. Raises :class:`BundleError` when they do not fit."""

    residents: tuple[str, ...]
    prototypes: Embedding
    owners: NDArray[np.int64]
    cohort: Embedding
    calibration: Calibration
    # How the cohort sounds to each resident: the same for every clip, so computed once. Mean and deviation.
    _cohort_heard: tuple[_Float, _Float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.residents)
        whole = (
            count > 0
            and len(set(self.residents)) == count
            and self.prototypes.ndim == self.cohort.ndim == 2
            and self.prototypes.shape[1] == self.cohort.shape[1]
            and self.owners.shape == (len(self.prototypes),)
            and set(self.owners.tolist()) == set(range(count))
            and len(self.cohort) >= self.calibration.cohort_top >= 2
            and bool(np.isfinite(self.prototypes).all() and np.isfinite(self.cohort).all())
            and self.calibration.usable
        )
        if not whole:
            raise BundleError(
                "the household head is inconsistent",
                where="head.npz",
                received=f"{count} residents, prototypes {self.prototypes.shape}, owners {self.owners.shape}, "
                f"cohort {self.cohort.shape}, {self.calibration}",
                allowed="every resident has a prototype, one dimension for all, finite numbers, a positive slope",
                next_step="publish the bundle again",
            )
        heard = _nearest(self.similarity(self.cohort).T, self.calibration.cohort_top)
        object.__setattr__(self, "_cohort_heard", heard)

    def similarity(self, embeddings: Embedding) -> _Float:
        """float32 ``(n, d)`` to raw similarity ``(n, residents)``, -1..1."""
        cosines = (embeddings @ self.prototypes.T).astype(np.float64)
        columns = []
        for owner in range(len(self.residents)):
            mine = self.owners == owner
            centroid = unit_length(self.prototypes[mine].mean(axis=0))
            columns.append(0.5 * cosines[:, mine].max(axis=1) + 0.5 * (embeddings @ centroid))
        return np.stack(columns, axis=1)

    def normalised(self, embeddings: Embedding) -> _Float:
        """float32 ``(n, d)`` to cohort-normalised similarity ``(n, residents)``, in standard deviations."""
        raw = self.similarity(embeddings)
        clip_mean, clip_deviation = _nearest(embeddings @ self.cohort.T, self.calibration.cohort_top)
        own_mean, own_deviation = self._cohort_heard
        from_clip = (raw - clip_mean[:, None]) / clip_deviation[:, None]
        from_resident = (raw - own_mean[None, :]) / own_deviation[None, :]
        return 0.5 * (from_clip + from_resident)

    def log_likelihood_ratios(self, embeddings: Embedding, speech_shares: _Float) -> _Float:
        """float32 ``(n, d)`` of clips with ``speech_shares`` ``(n,)``, 0..1, to natural-log likelihood ratios
        ``(n, residents)``."""
        return self.calibration.ratios(self.normalised(embeddings), speech_shares)


def why_no_voices(vectors: Embedding, *, of_many: bool) -> str:
    """Why float32 ``(n, d)`` cannot be embeddings of speech, in words; empty where they can. ``of_many``: of many
    people, as a cohort.

    A network's answer to a voice is a vector of length 1 whose components differ. One with equal components is the
    direction of the network's bias, near to every sound; vectors that all are the same make a cohort against which
    everybody stands out.
    """
    exact = vectors.astype(np.float64)
    if not np.isfinite(exact).all():
        return "a component that is no finite number"
    lengths = np.linalg.norm(exact, axis=1)
    if not np.all(np.abs(lengths - 1.0) <= LENGTH_TOLERANCE):
        return f"a vector of length {lengths[np.abs(lengths - 1.0).argmax()]:.3g}"
    if vectors.shape[1] > 1 and np.any(np.abs(exact.mean(axis=1)) * np.sqrt(vectors.shape[1]) > MOST_EQUAL):
        return "a vector whose components are nearly equal"
    if of_many and len(vectors) > 1 and np.linalg.norm(exact.mean(axis=0)) > MOST_ALIKE:
        return f"{len(vectors)} people whose vectors are nearly the same"
    return ""


def _nearest(similarities: NDArray[np.floating], top: int) -> tuple[_Float, _Float]:
    """Mean and deviation of the ``top`` highest similarities of each row."""
    highest = np.sort(similarities.astype(np.float64), axis=1)[:, -top:]
    # The floor keeps a cohort of near-identical voices from blowing a difference of nothing up into certainty.
    return highest.mean(axis=1), np.maximum(highest.std(axis=1), 0.02)
