"""Embeddings spread evenly over all directions, so that no few of them decide every cosine.

A network learnt from few people puts most of what it hears into a few directions that all people share. Centring, and
dividing each principal direction by a power of its deviation, gives the others their say (whitening before the length
is taken away: Garcia-Romero and Espy-Wilson, Interspeech 2011, in a backend; here it becomes part of the network's
last layer, so that the door's scorer, the cohort and int8 see nothing new).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import DataError

# Added to every variance, as a share of their mean: directions that hardly occur are noise, not voices.
SHRINKAGE = 0.2
LAST_LAYER = "embedding"
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """``x`` becomes ``(x - mean) @ matrix``: float64 ``(d,)`` and ``(d, d)``."""

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def __call__(self, values: Values) -> Values:
        """The values ``(n, d)``, whitened, float32."""
        return ((values.astype(np.float64) - self.mean) @ self.matrix).astype(np.float32)


def whitening_of(values: Values, *, share: float) -> Whitening:
    """What whitens ``values`` ``(n, d)``: with C = V diag(l) V' their covariance, the matrix
    ``V diag((l + SHRINKAGE mean(l)) ** (-share / 2)) V'``, scaled so that the mean variance stays.

    ``share`` 0 only centres, 1 makes all directions equally strong. Raises :class:`DataError` for fewer values than
    directions.
    """
    count, size = values.shape
    if count <= size:
        raise DataError(
            "too few embeddings to whiten by", where="whitening", received=count, allowed=f"more than {size}"
        )
    mean = values.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(values.astype(np.float64) - mean, rowvar=False))
    variances = np.maximum(variances, 0.0)
    strengths = (variances + SHRINKAGE * variances.mean()) ** (-share / 2.0)
    strengths *= np.sqrt(variances.mean() / np.mean(variances * strengths**2))
    return Whitening(mean, (directions * strengths) @ directions.T)


def whiten_network(network: Any, whitening: Whitening) -> None:
    """Fold ``whitening`` into the last layer of a Keras ``network``, so that its outputs come out whitened."""
    layer = network.get_layer(LAST_LAYER)
    kernel, bias = (np.asarray(each, dtype=np.float64) for each in layer.get_weights())
    layer.set_weights([kernel @ whitening.matrix, (bias - whitening.mean) @ whitening.matrix])
