"""The part of an embedding that is the microphone and the room, taken out by a linear map learnt from strangers.

The same strangers are there in several conditions, so what differs between conditions is not them. Two classical steps:

* *Nuisance attribute projection* (Solomonoff, Quillen and Campbell, ICASSP 2005): the directions along which the
  conditions' means differ are removed.
* *Within-class covariance normalisation* (Hatch, Kajarekar and Stolcke, Interspeech 2006): what is left is multiplied
  by ``W^(-1/2)``, where ``W`` is the covariance of a person's clips, in all conditions, about that person's mean. ``W``
  is shrunk towards a multiple of the identity.

It needs nothing of the household, so it serves one resident as well as five.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.household.conditions import StrangersByCondition
from device.verdict.interpreter import Embedding, unit_length

_Float = NDArray[np.float64]
# The share of the identity in the shrunk covariance.
SHRINKAGE = 0.1
# Below this share of the largest difference between conditions a direction is rounding, not a microphone.
LEAST_DIRECTION = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class ChannelMap:
    """``matrix`` float32 ``(d, d)``, applied to the right of embeddings, whose length is 1 again afterwards."""

    matrix: NDArray[np.float32]

    def __call__(self, embeddings: Embedding) -> Embedding:
        """float32 ``(..., d)`` of length 1 to the same shape. Raises :class:`BundleError` for another ``d``."""
        if embeddings.shape[-1] != len(self.matrix):
            raise BundleError(
                "embeddings of another network",
                where="strangers.npz",
                received=f"{embeddings.shape[-1]} components",
                allowed=f"{len(self.matrix)}, as the strangers have",
                next_step="use the strangers that were made with this network",
            )
        return unit_length((embeddings @ self.matrix).astype(np.float32))


def channel_map(strangers: StrangersByCondition, *, shrinkage: float = SHRINKAGE) -> ChannelMap:
    """The map that these strangers teach; ``shrinkage`` 0..1 is the share of the identity in ``W``.

    Raises :class:`BundleError` for a ``shrinkage`` that leaves ``W`` without an inverse.
    """
    if not 0.0 < shrinkage <= 1.0:
        raise BundleError("no such shrinkage", where="shrinkage", received=shrinkage, allowed="above 0, at most 1")
    clips = strangers.embeddings.astype(np.float64)
    projection = np.eye(strangers.dimensions) - _condition_directions(clips)
    projected = clips @ projection
    projected /= np.maximum(np.linalg.norm(projected, axis=2, keepdims=True), 1e-9)
    within = _within_person(projected, strangers)
    typical = float(np.trace(within)) / len(within)
    shrunk = (1.0 - shrinkage) * within + shrinkage * max(typical, 1e-12) * np.eye(len(within))
    values, vectors = np.linalg.eigh(shrunk)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    # Only the direction counts: the scale is chosen so that float32 holds it well.
    matrix = projection @ whitening * np.sqrt(max(typical, 1e-12))
    return ChannelMap(matrix.astype(np.float32))


def _condition_directions(clips: _Float) -> _Float:
    """The projection onto the directions between the conditions' means, ``(d, d)``."""
    means = clips.mean(axis=1)
    _, sizes, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    # c means differ along c - 1 directions at most, and one has to stay for the people.
    kept = directions[(sizes > LEAST_DIRECTION * max(float(sizes[0]), 1e-12)) & (sizes > 1e-9)][: clips.shape[2] - 1]
    projection: _Float = kept.T @ kept
    return projection


def _within_person(clips: _Float, strangers: StrangersByCondition) -> _Float:
    """The covariance of clips about their owner's mean over all conditions, ``(d, d)``."""
    sums = np.zeros((strangers.people, strangers.dimensions))
    np.add.at(sums, strangers.owners, clips.mean(axis=0))
    means = sums / np.bincount(strangers.owners)[:, None]
    residuals = (clips - means[strangers.owners]).reshape(-1, strangers.dimensions)
    covariance: _Float = residuals.T @ residuals / len(residuals)
    return covariance
