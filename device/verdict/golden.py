"""Golden vectors: clips with the features and the network's outputs that every machine must compute from them.

An int8 network is compared in steps of its last layer. One that answers in float is compared by direction, as the head
sees it: the cosine and the largest difference of embeddings of length 1. A runtime for which the bundle states no
tolerance has to give exactly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.sound.logmel import Features, FrontendSpec
from device.sound.pcm import Samples
from device.verdict.interpreter import Interpreter

FEATURE_TOLERANCE_DB = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far an output may be from the golden one: ``steps`` of int8; or, of embeddings of length 1, at least
    ``least_cosine`` and no number further than ``largest_difference``."""

    steps: int = 0
    least_cosine: float = 1.0
    largest_difference: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """``clips`` int16 ``(g, 48000)``; ``features`` float32 ``(g, frames, bands)``; ``outputs`` ``(g, d)``, int8, or
    float32 of length 1 for a network that answers in float; ``tolerances`` by runtime."""

    clips: NDArray[np.int16]
    features: NDArray[np.float32]
    outputs: NDArray[np.int8] | NDArray[np.float32]
    tolerances: Mapping[str, Tolerance]


def golden_output(interpreter: Interpreter, features: Features) -> NDArray[np.int8] | NDArray[np.float32]:
    """What the network makes of ``features``, in the form in which golden outputs are kept."""
    return interpreter.run(features) if interpreter.output.dtype == "int8" else interpreter.embed(features)


def check_golden(
    golden: Golden, log_mel: Callable[[Samples], Features], interpreter: Interpreter, *, spec: FrontendSpec, where: str
) -> None:
    """Compute everything anew with the front-end ``log_mel`` of ``spec``. Raises :class:`BundleError` at the first clip
    that differs by more than it may."""
    tolerance = golden.tolerances.get(interpreter.runtime_name, Tolerance())
    if len(golden.clips) == 0 or not len(golden.clips) == len(golden.features) == len(golden.outputs):
        raise BundleError("there are no golden vectors to test against", where=where, received=len(golden.clips))
    vectors = zip(golden.clips, golden.features, golden.outputs, strict=True)
    for index, (clip, features, output) in enumerate(vectors):
        worst_db = decibels_apart(log_mel(clip), features, spec)
        if not worst_db <= FEATURE_TOLERANCE_DB:
            raise BundleError(
                "this machine's front-end does not reproduce the golden features",
                where=f"{where}: clip {index}",
                received=f"{worst_db:.2g} dB off",
                allowed=f"{FEATURE_TOLERANCE_DB} dB",
                next_step="install the versions of requirements-device.txt",
            )
        _check_output(interpreter, features, output, tolerance, where=f"{where}: clip {index}")


def _check_output(
    interpreter: Interpreter,
    features: Features,
    output: NDArray[np.int8] | NDArray[np.float32],
    tolerance: Tolerance,
    *,
    where: str,
) -> None:
    answered = golden_output(interpreter, features)
    apart = np.abs(answered.astype(np.float64) - output.astype(np.float64))
    if answered.dtype == np.int8:
        fits = int(apart.max()) <= tolerance.steps
        received, allowed = f"{int(apart.max())} int8 steps off", f"{tolerance.steps} steps"
    else:
        # From the difference, since 1 - cosine of nearly equal vectors would be lost in float32's rounding.
        lost = 0.5 * float(np.square(apart).sum())
        fits = float(apart.max()) <= tolerance.largest_difference and lost <= 1.0 - tolerance.least_cosine
        received = f"cosine {1.0 - lost:.7f}, largest difference {apart.max():.2g}"
        allowed = f"cosine {tolerance.least_cosine:.7f}, largest difference {tolerance.largest_difference:g}"
    if not fits:
        raise BundleError(
            "this machine's runtime does not reproduce the golden outputs",
            where=f"{where}, {interpreter.runtime_name}",
            received=received,
            allowed=allowed,
            next_step="install the runtime version of requirements-device.txt",
        )


def decibels_apart(computed: Features, expected: Features, spec: FrontendSpec) -> float:
    """The largest difference of two clips' features of ``spec``, in dB also where they are powers; infinite where they
    are not of one shape."""
    if computed.shape != expected.shape:
        return float("inf")
    if spec.decibels:
        return float(np.abs(computed - expected).max()) * spec.decibels_per_unit
    ratio = np.maximum(computed, spec.log_floor) / np.maximum(expected, spec.log_floor)
    return float(np.abs(10.0 * np.log10(ratio)).max())
