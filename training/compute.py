"""What a network is learnt on: one device, several GPUs, several machines; and in which precision.

Several machines follow TensorFlow's convention: each runs the same command with ``TF_CONFIG`` in its environment,
naming all workers and its own index. Every worker needs the same recordings and keeps its stages in its own ``--runs``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from device.errors import ConfigError
from training.recipe import Compute


def strategy_for(settings: Compute, environment: Mapping[str, str] = os.environ) -> Any:
    """The ``tf.distribute`` strategy. ``auto``: several workers where ``TF_CONFIG`` names them, several GPUs where
    there are any, else one device. With several workers it must come before anything else touches TensorFlow.

    Raises :class:`ConfigError` for ``multi_worker`` without ``TF_CONFIG``, and ``mirrored`` without two devices.
    """
    workers = _workers(environment)
    if settings.devices == "multi_worker" or (settings.devices == "auto" and workers > 1):
        if workers < 1:
            raise ConfigError(
                "there are no workers",
                where="compute.devices",
                received="no TF_CONFIG",
                allowed="TF_CONFIG with a cluster",
            )
        # Before any device is listed: that would start TensorFlow without the others.
        return tf.distribute.MultiWorkerMirroredStrategy()
    if settings.devices == "one":
        return tf.distribute.get_strategy()
    devices = [each.name.removeprefix("/physical_device:") for each in tf.config.list_physical_devices("GPU")]
    devices = devices or [each.name.removeprefix("/device:") for each in tf.config.list_logical_devices("CPU")]
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy(devices)
    if settings.devices == "mirrored":
        raise ConfigError(
            "there is nothing to mirror", where="compute.devices", received=devices, allowed="two devices or more"
        )
    return tf.distribute.get_strategy()


def _workers(environment: Mapping[str, str]) -> int:
    text = environment.get("TF_CONFIG", "")
    if not text:
        return 0
    try:
        return len(json.loads(text)["cluster"]["worker"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            "TF_CONFIG cannot be read",
            where="TF_CONFIG",
            received=text,
            allowed='{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}',
        ) from error


@contextmanager
def precision(settings: Compute) -> Iterator[None]:
    """Layers built inside compute in ``settings.precision``; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
