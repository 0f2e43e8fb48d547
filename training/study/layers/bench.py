"""One measurement: a network with some kernels changed, in the trials of :meth:`training.fit.Watch.on_epoch_end`.

Validation speakers, of whom nothing was learnt: the mean of each one's first three clips is a model, the others are
tried against all models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.verdict.interpreter import Embedding, Interpreter, unit_length
from training.fit import VALIDATION_ENROLLED, ValidationClips
from training.metrics import trials_between
from training.networks.parts import Kernel, Values, kernels_of, norms_of
from training.study.layers.paired import Rates, Redraws, rates, redraws


class Bench:
    """``network`` is a learnt Keras network, left as it was after each measurement; ``examples`` float32 ``(n, frames,
    bands)``, of what it learnt from, by which the statistics of batch norms are measured anew."""

    def __init__(
        self,
        network: Any,
        validation: ValidationClips,
        examples: NDArray[np.float32],
        *,
        far: float,
        draws: int,
        seed: int,
    ) -> None:
        self.network, self.kernels = network, {each.name: each for each in kernels_of(network)}
        self._validation, self._examples, self._far = validation, examples, far
        self.drawn: Redraws = redraws(_tried(validation.speakers), draws=draws, rng=np.random.default_rng(seed))

    @property
    def own_trials(self) -> int:
        """How many clips are tried against their own speaker."""
        return sum(self._validation.speakers.count(name) - VALIDATION_ENROLLED for name in self.drawn.people)

    def plain(self) -> Rates:
        """The network as it was learnt."""
        return self._of(self._embedded())

    def changed(self, values: Mapping[str, Values], *, norms_measured: bool = False) -> Rates:
        """With other kernels, by name; ``norms_measured``: and with the batch norms' means and variances measured anew
        on the examples, as they would be after any learning with those kernels."""
        with with_kernels(self.kernels, values):
            if not norms_measured:
                return self.plain()
            with norms_measured_on(self.network, self._examples):
                return self.plain()

    def int8(self, model: bytes) -> Rates:
        """A quantized network, run as the door runs it, on the same trials."""
        interpreter = Interpreter(model)
        return self._of(np.stack([interpreter.embed(each) for each in self._validation.features]))

    def _embedded(self) -> Embedding:
        raw = self.network.predict(self._validation.features, batch_size=64, verbose=0)
        return unit_length(np.asarray(raw, dtype=np.float32))

    def _of(self, embeddings: Embedding) -> Rates:
        targets, nontargets = trials_between(embeddings, self._validation.speakers, enrolled=VALIDATION_ENROLLED)
        return rates(targets, nontargets, self.drawn, far=self._far)


@contextmanager
def with_kernels(kernels: Mapping[str, Kernel], values: Mapping[str, Values]) -> Iterator[None]:
    """The network with these kernels exchanged, and as it was before afterwards."""
    before = {name: kernels[name].values() for name in values}
    try:
        for name, value in values.items():
            kernels[name].variable.assign(value)
        yield
    finally:
        for name, value in before.items():
            kernels[name].variable.assign(value)


@contextmanager
def norms_measured_on(network: Any, examples: NDArray[np.float32]) -> Iterator[None]:
    """The batch norms with means and variances of ``examples``, and as they were before afterwards."""
    norms = norms_of(network)
    before = [(np.array(each.moving_mean), np.array(each.moving_variance), each.momentum) for each in norms]
    try:
        # With no memory of what was before, one pass leaves the statistics of this very batch.
        for each in norms:
            each.momentum = 0.0
        network(examples, training=True)
        yield
    finally:
        for each, (mean, variance, momentum) in zip(norms, before, strict=True):
            each.moving_mean.assign(mean)
            each.moving_variance.assign(variance)
            each.momentum = momentum


def _tried(speakers: Sequence[str]) -> list[str]:
    """Those with a clip to try beside those that are enrolled."""
    return [name for name in set(speakers) if speakers.count(name) > VALIDATION_ENROLLED]
