"""Scores that mean the same at every door: cosines less what the nearest of the shipped strangers reach.

A variant of adaptive symmetric score normalisation (Matejka et al., Interspeech 2017): from the cosine between a clip
and a resident, half the mean of the clip's highest cosines to the cohort is taken away, and half that of the
resident's. The cohort is every shipped stranger in every condition, so the highest ones are those who sound as if they
stood at this door, found anew for each clip. The deviation is not divided by: estimated from one resident it is so
uncertain that it cost more than it corrected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.household.channel import ChannelMap
from device.household.conditions import StrangersByCondition
from device.verdict.interpreter import Embedding, unit_length

_Float = NDArray[np.float64]
# How much of the cohort counts as near: one in twenty, fewer than the people of one condition.
NEAR_SHARE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class DoorScorer:
    """``prototypes`` float32 ``(r, d)``: one for each resident; ``strangers``: the cohort. Both as the network gives
    them; ``channel`` is applied here. Raises :class:`BundleError` where they do not fit each other."""

    prototypes: Embedding
    strangers: StrangersByCondition
    channel: ChannelMap
    _prototypes: Embedding = field(init=False, repr=False)
    _cohort: Embedding = field(init=False, repr=False)
    _of_prototypes: _Float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.prototypes.ndim != 2 or not len(self.prototypes) or not np.isfinite(self.prototypes).all():
            raise BundleError("no residents to score against", where="prototypes", received=self.prototypes.shape,
                              allowed="one finite vector for each resident")  # fmt: skip
        object.__setattr__(self, "_prototypes", self.channel(self.prototypes))
        object.__setattr__(self, "_cohort", self.channel(self.strangers.cohorts).reshape(-1, self.strangers.dimensions))
        object.__setattr__(self, "_of_prototypes", self._near_mean(self._prototypes, None))

    def scores(self, embeddings: Embedding) -> _Float:
        """float32 ``(n, d)`` of length 1 to scores ``(n, r)``: about 0 for strangers, up to 1 for a resident."""
        return self._scores(self.channel(embeddings), None)

    def of_strangers(self, condition: int) -> _Float:
        """The shipped strangers' clips in one condition, ``(n, r)``; nobody is in the cohort that judges them."""
        clips = self.channel(self.strangers.embeddings[condition])
        return self._scores(clips, self.strangers.owners)

    def of_own(self, clips: Embedding) -> _Float:
        """A resident's enrolled clips ``(n, d)``, each against the mean of the others: ``(n,)``, empty for fewer than
        two."""
        if len(clips) < 2:
            return np.zeros(0)
        mapped = self.channel(clips)
        others = unit_length(mapped.sum(axis=0, keepdims=True) - mapped)
        raw = np.sum(mapped * others, axis=1).astype(np.float64)
        scores: _Float = raw - 0.5 * (self._near_mean(mapped, None) + self._near_mean(others, None))
        return scores

    def same_and_different(self, condition: int) -> tuple[_Float, _Float]:
        """Clip against clip among the shipped strangers: of one person and of two. Empty where nobody has two clips."""
        owners = self.strangers.owners
        first = np.unique(owners, return_index=True)[1]
        rows = np.setdiff1d(np.arange(len(owners)), first)
        if not len(rows):
            return np.zeros(0), np.zeros(0)
        clips = self.channel(self.strangers.embeddings[condition])
        means = self._near_mean(clips, owners)
        raw = (clips[rows] @ clips[first].T).astype(np.float64)
        scores = raw - 0.5 * (means[rows][:, None] + means[first][None, :])
        same = owners[rows][:, None] == owners[first][None, :]
        return scores[same], scores[~same]

    def _scores(self, mapped: Embedding, owners: NDArray[np.int64] | None) -> _Float:
        raw = (mapped @ self._prototypes.T).astype(np.float64)
        scores: _Float = raw - 0.5 * (self._near_mean(mapped, owners)[:, None] + self._of_prototypes[None, :])
        return scores

    def _near_mean(self, mapped: Embedding, owners: NDArray[np.int64] | None) -> _Float:
        """The mean of each vector's highest cosines to the cohort, without those to its own ``owners``."""
        cosines = mapped @ self._cohort.T
        if owners is not None:
            whose = np.tile(np.arange(self.strangers.people), len(self.strangers.conditions))
            cosines[owners[:, None] == whose[None, :]] = -2.0
        top = max(1, round(NEAR_SHARE * len(self._cohort)))
        near = np.partition(cosines, cosines.shape[1] - top, axis=1)[:, -top:]
        mean: _Float = near.mean(axis=1).astype(np.float64)
        return mean


def resident_prototypes(enrolled: list[Embedding]) -> Embedding:
    """One vector for each resident, float32 ``(r, d)``: the mean direction of the clips ``(n, d)``."""
    return unit_length(np.stack([clips.mean(axis=0) for clips in enrolled]))
