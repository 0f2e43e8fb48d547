"""How far each layer moves while a network learns: from its start, and in each epoch.

Kept in the fit's folder: ``start.weights.h5``, the weights before the first step, and ``layers.jsonl``, one line an
epoch. Both are only written: nothing that is learnt depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.atomic import write_text
from training.networks.parts import Values, kernel_values, norm_values
from training.networks.weights import load_weights, save_weights

START, LOG = "start.weights.h5", "layers.jsonl"
# By name of the layer: since_start and since_epoch_before, or None where the start is all zeros.
Moved = dict[str, dict[str, float | None]]


class LayerLog(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds a line to ``layers.jsonl`` after each epoch: ``{"epoch": n, "kernels": Moved, "norms": Moved}``.

    ``learning`` is the network that learns, ``start`` one that holds the weights it began with. What an epoch began
    with is read as it begins, so that a run that goes on after an interruption tells what it would have told.
    """

    def __init__(self, learning: Any, start: Any, folder: Path) -> None:
        super().__init__()
        self._learning, self._path = learning, folder / LOG
        self._start = kernel_values(start), norm_values(start)
        self._before = self._start

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._before = kernel_values(self._learning), norm_values(self._learning)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        now = kernel_values(self._learning), norm_values(self._learning)
        kernels, norms = (moved(*each) for each in zip(self._start, self._before, now, strict=True))
        # An epoch that is learnt a second time, since its end was not kept, replaces its line.
        lines = [each for each in read_layer_log(self._path.parent) if each["epoch"] < epoch]
        lines.append({"epoch": epoch, "kernels": kernels, "norms": norms})
        write_text(self._path, "".join(json.dumps(each) + "\n" for each in lines))


def keep_start(learning: Any, spare: Any, folder: Path) -> None:
    """Keep the weights of ``learning`` as its start, unless an earlier call did, and load the start into ``spare``."""
    path = folder / START
    if not path.exists():
        save_weights(learning, path)
    load_weights(spare, path)


def moved(start: Mapping[str, Values], before: Mapping[str, Values], now: Mapping[str, Values]) -> Moved:
    """L2 norm of each difference over the L2 norm of the layer's start."""
    told: Moved = {}
    for name, first in start.items():
        size = float(np.linalg.norm(first))
        told[name] = {
            "since_start": float(np.linalg.norm(now[name] - first)) / size if size > 0 else None,
            "since_epoch_before": float(np.linalg.norm(now[name] - before[name])) / size if size > 0 else None,
        }
    return told


def read_layer_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``layers.jsonl``, in order; none for a fit that was learnt before there was such a log."""
    path = folder / LOG
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
