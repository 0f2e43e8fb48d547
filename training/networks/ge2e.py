"""GE2E (Wan et al., ICASSP 2018) as Keras layers, with the weights that resemblyzer ships (Apache-2.0).

Three LSTM layers over 1.6 s of mel powers, a dense layer with ReLU, length 1; a clip is the mean over its first and its
last 1.6 s. LSTMs do not survive int8: this network is exported with float16 weights and runs in float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec

PARTIAL_FRAMES = 160
LEVEL_DBFS = -30.0
UNITS = 256
LAYERS = 3
FRONTEND = FrontendSpec(
    fft_samples=400, mel_bands=40, low_hz=0.0, high_hz=8000.0, remove_band_mean=False, decibels=False, centred=True,
    lift_to_dbfs=LEVEL_DBFS,
)  # fmt: skip


@keras.saving.register_keras_serializable("voicelatch")
class Halves(layers.Layer):  # type: ignore[misc]
    """``(batch, frames, bands)`` to its first and last 160 frames, ``(2 * batch, 160, bands)``."""

    def call(self, features: Any) -> Any:
        return ops.concatenate([features[:, :PARTIAL_FRAMES], features[:, -PARTIAL_FRAMES:]], axis=0)


@keras.saving.register_keras_serializable("voicelatch")
class Mean(layers.Layer):  # type: ignore[misc]
    """The mean direction of both halves: ``(2 * batch, d)`` to ``(batch, d)``."""

    def call(self, raw: Any) -> Any:
        unit = raw / ops.maximum(ops.sqrt(ops.sum(ops.square(raw), axis=1, keepdims=True)), 1e-9)
        half = ops.shape(unit)[0] // 2
        return 0.5 * (unit[:half] + unit[half:])


def ge2e(weights: Mapping[str, NDArray[np.float32]]) -> keras.Model:
    """The network for features of :data:`FRONTEND`. ``weights``: PyTorch's names (``lstm.weight_ih_l0``,
    ``linear.weight``, ...), whose gates stand in the same order as Keras's: input, forget, cell, output."""
    entry = keras.Input(FRONTEND.shape, batch_size=1, name="mel_power")
    x = Halves()(entry)
    recurrent = [
        layers.LSTM(UNITS, return_sequences=index < LAYERS - 1, name=f"lstm_{index}") for index in range(LAYERS)
    ]
    for each in recurrent:
        x = each(x)
    linear = layers.Dense(UNITS, activation="relu", name="linear")
    network = keras.Model(entry, Mean()(linear(x)), name="ge2e")
    for index, each in enumerate(recurrent):
        bias = weights[f"lstm.bias_ih_l{index}"] + weights[f"lstm.bias_hh_l{index}"]
        each.set_weights([weights[f"lstm.weight_ih_l{index}"].T, weights[f"lstm.weight_hh_l{index}"].T, bias])
    linear.set_weights([weights["linear.weight"].T, weights["linear.bias"]])
    return network
