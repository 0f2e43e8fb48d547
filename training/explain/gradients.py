"""Maps from the gradients of the Keras network that the int8 one was made from.

``grad_cam`` (Selvaraju et al., ICCV 2017) weighs each channel of the last convolutional stage by its mean gradient.
``elementwise`` (HiResCAM: Draelos and Carin, 2020) leaves the gradients at their places, which is what a network needs
whose later layers treat each band by itself, as ours do. ``integrated`` (Sundararajan et al., ICML 2017) follows the
gradient at the input from an empty clip to this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from device.errors import ConfigError
from device.sound.logmel import Features
from device.verdict.interpreter import Embedding
from training.explain.grid import Map

PATH_STEPS = 32
LEAST_LENGTH = 1e-9
# A network that does not listen has no gradient: its map is flat.
_ZERO = tf.UnconnectedGradients.ZERO


@dataclass(frozen=True, slots=True, eq=False)
class Resident:
    """Whom a clip is held against: ``prototypes`` float32 ``(p, d)``, and their ``centroid`` ``(d,)``, of length 1."""

    prototypes: Embedding
    centroid: Embedding

    def similarity(self, raw: Any) -> Any:
        """Tensors ``(n, d)`` before the norm to ``(n,)``: the head's own similarity, the mean of the cosine to the
        centroid and of that to the nearest prototype."""
        unit = raw / tf.maximum(tf.norm(raw, axis=1, keepdims=True), LEAST_LENGTH)
        nearest = tf.reduce_max(unit @ tf.constant(self.prototypes.T), axis=1)
        return 0.5 * nearest + 0.5 * tf.linalg.matvec(unit, tf.constant(self.centroid))


def last_stage(network: Any) -> Any:
    """The last layer whose output still has frames and bands, ``(frames, bands, channels)`` with more than one of both;
    in a network over time alone, frames. Raises :class:`ConfigError` where there is none."""
    spatial = [each for each in network.layers if _rank(each) == 4 and each.output.shape[1] > 1]
    in_bands = [each for each in spatial if each.output.shape[2] > 1]
    # A Reshape only arranges; what it arranges is one layer before.
    stages = [each for each in in_bands or spatial if not isinstance(each, keras.layers.Reshape)]
    if not stages:
        raise ConfigError(
            "this network has no convolutional stage to look at",
            where=str(network.name),
            allowed="a network with an output of (frames, bands, channels)",
            next_step="leave --weights out: occlusion and LIME need none",
        )
    return stages[-1]


def gradient_maps(network: Any, features: Features, resident: Resident) -> Mapping[str, Map]:
    """``grad_cam``, ``elementwise`` and ``integrated`` for one clip, each float64 ``(frames, bands)``.

    The first two are what speaks for the resident (0 and above), drawn out to the features' size; the last is signed
    and sums up to the similarity's rise over an empty clip, but for the path's steps.
    """
    activations, gradients = _at_last_stage(network, features, resident)
    weights = gradients.mean(axis=(0, 1), keepdims=True)
    size = features.shape
    return {
        "grad_cam": drawn_out(np.maximum((activations * weights).sum(axis=2), 0.0), size),
        "elementwise": drawn_out(np.maximum((activations * gradients).sum(axis=2), 0.0), size),
        "integrated": _integrated(network, features, resident),
    }


def drawn_out(stage: NDArray[np.floating], shape: tuple[int, int]) -> Map:
    """A map of a stage ``(t, b)`` in straight lines between its cells' centres to ``shape`` ``(frames, bands)``."""
    found: Map = np.asarray(stage, dtype=np.float64)
    for axis, length in enumerate(shape):
        count = found.shape[axis]
        centres = (np.arange(count) + 0.5) * length / count - 0.5
        lines = np.moveaxis(found, axis, -1)
        drawn = np.stack([np.interp(np.arange(length), centres, line) for line in lines.reshape(-1, count)])
        found = np.moveaxis(drawn.reshape(*lines.shape[:-1], length), -1, axis)
    return found


def _at_last_stage(network: Any, features: Features, resident: Resident) -> tuple[Map, Map]:
    """Activations and the similarity's gradients, both ``(t, b, channels)``."""
    stage = last_stage(network)
    both = keras.Model(network.input, [stage.output, network.output])
    with tf.GradientTape() as tape:
        activations, raw = both(tf.constant(features[None]), training=False)
        similarity = resident.similarity(raw)
    gradients = tape.gradient(similarity, activations, unconnected_gradients=_ZERO)
    return np.asarray(activations[0], dtype=np.float64), np.asarray(gradients[0], dtype=np.float64)


def _integrated(network: Any, features: Features, resident: Resident) -> Map:
    empty = np.broadcast_to(features.mean(axis=0, keepdims=True), features.shape)
    along = ((np.arange(PATH_STEPS) + 0.5) / PATH_STEPS).astype(np.float32)[:, None, None]
    path = tf.constant((empty + along * (features - empty)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(path)
        similarity = resident.similarity(network(path, training=False))
    gradients = np.asarray(tape.gradient(similarity, path, unconnected_gradients=_ZERO), dtype=np.float64).mean(axis=0)
    found: Map = gradients * (features - empty)
    return found


def _rank(layer: Any) -> int:
    shape = getattr(layer.output, "shape", ())
    return len(shape)
