"""CAM++'s published weights into its Keras layers: what each layer is called there, and how its numbers lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from device.errors import DataError
from device.sound.logmel import KALDI
from training.networks.bricks import Style
from training.networks.campplus import BLOCKS, PUBLISHED_EMBEDDING, PUBLISHED_WIDTH, campplus

Arrays = Mapping[str, NDArray[Any]]


def published_names() -> dict[str, str]:
    """The name that each layer with weights has in the published file, by its name here."""
    return dict(_pairs())


def _pairs() -> Iterator[tuple[str, str]]:
    yield from (("head", "head.conv1"), ("head_norm", "head.bn1"))
    for group in (1, 2):
        for index in (1, 2):
            mine, theirs = f"fcm{group}_{index}", f"head.layer{group}.{index - 1}"
            for number in (1, 2):
                yield f"{mine}_conv{number}", f"{theirs}.conv{number}"
                yield f"{mine}_norm{number}", f"{theirs}.bn{number}"
            if index == 1:
                yield f"{mine}_shortcut", f"{theirs}.shortcut.0"
                yield f"{mine}_shortcut_norm", f"{theirs}.shortcut.1"
    yield from (("fcm_end", "head.conv2"), ("fcm_end_norm", "head.bn2"))
    yield from (("tdnn", "xvector.tdnn.linear"), ("tdnn_norm", "xvector.tdnn.nonlinear.batchnorm"))
    for block, (count, _) in enumerate(BLOCKS, start=1):
        for layer in range(1, count + 1):
            mine, theirs = f"block{block}_layer{layer:02d}", f"xvector.block{block}.tdnnd{layer}"
            yield f"{mine}_norm1", f"{theirs}.nonlinear1.batchnorm"
            yield f"{mine}_squeeze", f"{theirs}.linear1"
            yield f"{mine}_norm2", f"{theirs}.nonlinear2.batchnorm"
            yield f"{mine}_cam_local", f"{theirs}.cam_layer.linear_local"
            yield f"{mine}_cam_context", f"{theirs}.cam_layer.linear1"
            yield f"{mine}_cam_gate", f"{theirs}.cam_layer.linear2"
        yield f"transition{block}_norm", f"xvector.transit{block}.nonlinear.batchnorm"
        yield f"transition{block}", f"xvector.transit{block}.linear"
    yield "frames_norm", "xvector.out_nonlinear.batchnorm"
    yield from (("embedding", "xvector.dense.linear"), ("embedding_norm", "xvector.dense.nonlinear.batchnorm"))


def with_published_weights(arrays: Arrays) -> keras.Model:
    """The network for the door's clips, 298 x 80 log-mel to 192 numbers, filled with ``arrays`` (a state dict).

    Raises :class:`DataError` when an array is missing, too many, of another shape or not finite: then they are of
    another network.
    """
    network = campplus(KALDI.shape, PUBLISHED_EMBEDDING, PUBLISHED_WIDTH, Style())
    left = {name for name in arrays if not name.endswith(".num_batches_tracked")}
    for mine, theirs in _pairs():
        layer = network.get_layer(mine)
        kind = _norm if isinstance(layer, layers.BatchNormalization) else _convolution
        values = kind(layer, theirs, arrays, left)
        fits = [tuple(value.shape) for value in values] == [tuple(weight.shape) for weight in layer.weights]
        if not fits or not all(np.isfinite(value).all() for value in values):
            raise _unfit(theirs, f"shapes {[list(value.shape) for value in values]}, or numbers that are not finite")
        layer.set_weights(values)
    if left:
        raise _unfit(sorted(left)[0], f"{len(left)} arrays that this network has no place for")
    return network


def _convolution(layer: Any, name: str, arrays: Arrays, left: set[str]) -> list[NDArray[Any]]:
    kernel = _taken(f"{name}.weight", arrays, left)
    # PyTorch: filters, inputs, (bands, frames) or (frames); Keras: (frames, bands) or (frames), inputs, filters.
    values = [np.ascontiguousarray(kernel.transpose(*reversed(range(kernel.ndim))))]
    return [*values, _taken(f"{name}.bias", arrays, left)] if layer.use_bias else values


def _norm(layer: Any, name: str, arrays: Arrays, left: set[str]) -> list[NDArray[Any]]:
    learnt = ("weight", "bias") if layer.scale else ()
    return [_taken(f"{name}.{part}", arrays, left) for part in (*learnt, "running_mean", "running_var")]


def _taken(name: str, arrays: Arrays, left: set[str]) -> NDArray[Any]:
    if name not in arrays:
        raise _unfit(name, "no such array")
    left.discard(name)
    return arrays[name]


def _unfit(name: str, received: str) -> DataError:
    return DataError(
        "these are not the weights of CAM++ with 6.9 million numbers",
        where=name,
        received=received,
        next_step="python -m training weights campplus (without --file) fetches the right ones",
    )
