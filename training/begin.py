"""Where learning begins that goes on from an earlier run: its weights, and the margin softmax's class centres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError
from training.examples import NO_SPEAKER
from training.networks.weights import load_weights

Values = NDArray[np.float32]
# How much of each centre's first, random value stays, so that the sub-centres of one class can part.
RANDOM_SHARE = 0.1


def load_start(network: Any, weights: Path) -> None:
    """Begin where an earlier run ended. Raises :class:`DataError` when the weights are missing or another network's."""
    try:
        load_weights(network, weights)
    except (OSError, ValueError) as error:
        raise DataError(
            "these weights cannot be gone on from",
            where="backbone.start_from",
            received=f"{weights}: {str(error).splitlines()[0]}",
            allowed="best.weights.h5 of a run with the same network, width and embedding_size, or published weights",
            next_step="for published weights: python -m training weights campplus",
        ) from error


def first_centres(random: Values, labels: NDArray[np.int64], targets: Values, *, sub_centres: int) -> Values:
    """The centres to begin with, ``(classes * sub_centres, d)`` like ``random``: each class's at the mean of the
    ``targets`` ``(n, d)`` of its clips, as long as the random one, so that the learning rate means the same to it.

    A class that ``labels`` ``(n,)`` does not name stays where it was drawn.
    """
    centres = random.reshape(-1, sub_centres, random.shape[1]).copy()
    known = labels != NO_SPEAKER
    named, place = np.unique(labels[known], return_inverse=True)
    means = np.zeros((len(named), targets.shape[1]), dtype=np.float32)
    np.add.at(means, place, targets[known])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    lengths = np.linalg.norm(centres[named], axis=2, keepdims=True)
    centres[named] = RANDOM_SHARE * centres[named] + lengths * means[:, None, :]
    return centres.reshape(random.shape)
