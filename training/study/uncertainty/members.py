"""Several answers to the same clips: one network with units left out at random, or networks learnt from other seeds.

Monte-Carlo dropout (Gal and Ghahramani, ICML 2016) goes on leaving units out after learning. The classifiers here have
one dropout, before their last layer: everything below it is computed once, and fifty passes cost fifty small products.
A deep ensemble (Lakshminarayanan et al., NeurIPS 2017) is the same network learnt several times, from other first
weights and in another order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import ConfigError

Features = NDArray[np.float32]
Scores = NDArray[np.float64]


def dropout_passes(network: Any, features: Features, *, passes: int, rng: np.random.Generator) -> Scores:
    """Logits of ``passes`` answers, float64 ``(passes, n)``, of a network by
    :func:`training.classifier.learn_classifier`. Raises :class:`ConfigError` for a network without dropout."""
    before, rate, weights, bias = _split(network)
    heard = np.asarray(before.predict(features, batch_size=64, verbose=0), dtype=np.float64)
    answers = np.empty((passes, len(heard)))
    for each in answers:
        kept = rng.random(heard.shape) >= rate
        each[:] = ((heard * kept / (1.0 - rate)) @ weights + bias).ravel()
    return answers


def _split(network: Any) -> tuple[Any, float, Scores, Scores]:
    """What comes before the dropout as a network of its own, the dropout's rate, and the last layer."""
    import keras
    from keras import layers

    core = network.layers[-1]
    last = core.layers[-2:]
    if not (isinstance(last[0], layers.Dropout) and isinstance(last[1], layers.Dense) and last[0].rate > 0):
        raise ConfigError(
            "this network leaves nothing out, so that dropout says nothing of what it does not know",
            where="classifier.dropout",
            received="0",
            allowed="more than 0",
        )
    pooled = keras.Model(core.input, last[0].input)
    before = keras.Model(network.input, pooled(network.layers[-2].output))
    weights, bias = (np.asarray(each, dtype=np.float64) for each in last[1].get_weights())
    return before, float(last[0].rate), weights, bias
