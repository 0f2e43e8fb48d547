"""Keras to TFLite, in one place: the three kinds that a recipe can choose.

``int8``: int8 in, int8 out, every operation between; the smallest and fastest, for networks made to survive it.
``dynamic``: int8 weights, activations quantised as they come, float in and out; needs ``ai-edge-litert`` to be fast.
``float16``: float16 weights, float arithmetic; twice the size and time, exact, and at home in both runtimes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from device.errors import BundleError, ConfigError
from training.learning_settings import CONVERSIONS

NEWEST_MIN_RUNTIME = (2, 14, 0)


def convert(network: Any, kind: str, calibration: NDArray[np.float32]) -> bytes:
    """The model's bytes, of ``kind`` (one of :data:`CONVERSIONS`). ``calibration`` as for :func:`quantize`, of which
    the others take the shape alone. Raises as the functions below do, and :class:`ConfigError` for another kind."""
    shape = calibration.shape[1:]
    if kind == "int8":
        return quantize(network, calibration)
    if kind == "dynamic":
        return to_dynamic(network, shape)
    if kind == "float16":
        return to_float16(network, shape)
    raise ConfigError("no such conversion", where="backbone.conversion", received=kind, allowed=", ".join(CONVERSIONS))


def quantize(network: Any, calibration: NDArray[np.float32]) -> bytes:
    """The model's bytes in full int8. ``calibration`` float32 ``(n, frames, bands)``: real features, a few hundred, of
    the conditions to be met. Raises :class:`BundleError` when the result would not run on the oldest supported runtime.
    """
    converter = _converter(network, calibration.shape[1:])

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for features in calibration:
            yield [features[None]]

    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return _checked(converter.convert())


def to_dynamic(network: Any, shape: tuple[int, ...]) -> bytes:
    """The model's bytes with int8 weights, float32 in and out, for features of ``shape`` ``(frames, bands)``.

    For ``ai-edge-litert`` alone: the older runtime does not know all of it, and is slow and inexact in the rest.
    """
    model: bytes = _converter(network, shape).convert()
    return model


def to_float16(network: Any, shape: tuple[int, ...]) -> bytes:
    """The same with float16 weights, for both runtimes. Raises :class:`BundleError` as :func:`quantize` does."""
    converter = _converter(network, shape)
    converter.target_spec.supported_types = [tf.float16]
    return _checked(converter.convert())


def _converter(network: Any, shape: tuple[int, ...]) -> Any:
    signature = tf.TensorSpec((1, *shape), tf.float32)
    concrete = tf.function(lambda features: network(features, training=False)).get_concrete_function(signature)
    # Frozen first: calibration fails on READ_VARIABLE otherwise.
    frozen = convert_variables_to_constants_v2(concrete)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def _checked(model: bytes) -> bytes:
    needed = min_runtime(model)
    if needed > NEWEST_MIN_RUNTIME:
        raise BundleError(
            "the model needs a newer runtime than the oldest supported",
            where="min_runtime_version",
            received=".".join(map(str, needed)),
            allowed="2.14.0 or older",
            next_step="use only convolutions, dense layers, averages and ReLU in the network",
        )
    return model


def min_runtime(model: bytes) -> tuple[int, ...]:
    """The oldest TensorFlow version that runs ``model``, from its own metadata."""
    from tensorflow.lite.python import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(model, 0)
    for entry in graph.metadata or []:
        if entry.name == b"min_runtime_version":
            text = bytes(graph.buffers[entry.buffer].data).rstrip(b"\0").decode()
            return tuple(int(part) for part in text.split("."))
    raise BundleError("the model does not say which runtime it needs", where="min_runtime_version")
