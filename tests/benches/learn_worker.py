"""One process that learns a tiny network: ``python -m tests.benches.learn_worker FOLDER DEVICES PRECISION``.

With ``TF_CONFIG`` in the environment it is one worker of several; ``mirrored`` gets two made-up devices.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

from training.recipe import Compute


def main(folder: str, devices: str, precision: str) -> None:
    if devices == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from tests.training.test_fit import SETTINGS, learn

    place = Path(folder)
    place.mkdir(parents=True)
    learn(place, SETTINGS, compute=Compute(devices=devices, precision=precision))


if __name__ == "__main__":
    main(*sys.argv[1:4])
