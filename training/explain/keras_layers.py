"""A Keras network's layers, and what each makes of a clip."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from device.sound.logmel import Features
from training.explain.layers import Anatomy, Layer, Weights
from training.networks.cost import work_of

# Their outputs are what the next layer makes into its own, or the same numbers in another order.
ARRANGING = (layers.InputLayer, layers.Reshape, layers.Flatten)
# What follows a layer and is shown in its place.
FINISHING = (layers.BatchNormalization, layers.ReLU, layers.Activation, layers.Dropout)


def read_keras(network: Any, features: Features | None) -> Anatomy:
    """Every layer with its weights; with ``features`` ``(frames, bands)`` also each layer's output, but for layers that
    only arrange, and those whose output a norm or a ReLU takes at once: the last of such a chain shows it."""
    shown = [] if features is None else [each for each in network.layers if _worth_showing(each, network.layers)]
    made: dict[str, Any] = {}
    if features is not None and shown:
        outputs = keras.Model(network.input, [each.output for each in shown])(features[None], training=False)
        made = {each.name: np.asarray(out)[0] for each, out in zip(shown, outputs, strict=True)}
    found = tuple(_layer(each, network.layers, made.get(each.name)) for each in network.layers)
    return Anatomy(f"Keras network {network.name}", "float", found)


def _layer(layer: Any, others: list[Any], maps: Any) -> Layer:
    shape = tuple(int(each) for each in layer.output.shape[1:])
    kernel, folded = _kernel(layer), False
    if kernel is not None:
        norm = next((each for each in _takers(layer, others) if isinstance(each, layers.BatchNormalization)), None)
        if norm is not None:
            kernel, folded = kernel * _scale(norm), True
    kind, parameters = type(layer).__name__, int(layer.count_params())
    return Layer(layer.name, kind, shape, parameters, work_of(layer), kernel, folded, maps)


def _kernel(layer: Any) -> Weights | None:
    if isinstance(layer, layers.DepthwiseConv2D):
        height, width, inputs, copies = layer.kernel.shape
        return np.asarray(layer.kernel).reshape(height, width, 1, inputs * copies)
    if isinstance(layer, layers.Conv2D):
        return np.asarray(layer.kernel)
    if isinstance(layer, layers.Dense):
        return np.asarray(layer.kernel)[None, None]
    return None


def _scale(norm: Any) -> Weights:
    """By what a norm that has learnt multiplies each channel."""
    spread = np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    gamma = np.asarray(norm.gamma) if norm.scale else np.ones_like(spread)
    scale: Weights = gamma / spread
    return scale


def _takers(layer: Any, others: list[Any]) -> list[Any]:
    """The layers that take this one's output."""
    return [
        each
        for each in others
        if each is not layer and any(entry is layer.output for entry in keras.tree.flatten(each.input))
    ]


def _worth_showing(layer: Any, others: list[Any]) -> bool:
    if isinstance(layer, ARRANGING):
        return False
    takers = _takers(layer, others)
    return not takers or any(not isinstance(each, FINISHING) for each in takers)
