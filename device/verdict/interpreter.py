"""The only import of a TFLite runtime: one adapter for ``ai-edge-litert`` and ``tflite-runtime``.

Quantization follows the TFLite specification: ``real = scale * (integer - zero_point)``, rounding half away from zero
and clipping to int8, with the scale and zero point of the tensor itself. A network that does not survive int8 may run
in float; its outputs are compared and kept in steps of a 127th of their length.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError, RuntimeMissingError
from device.sound.logmel import Features

Embedding = NDArray[np.float32]
Int8 = NDArray[np.int8]

RUNTIMES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor's shape (without the batch of one), and how it stands in int8; ``dtype`` is ``int8``, or ``float32`` for
    a network that runs in float."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int
    dtype: str = "int8"

    def quantize(self, real: NDArray[np.floating[Any]]) -> Int8:
        """Real numbers to int8, same shape; values beyond the range are clipped."""
        steps = real / self.scale
        rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps) + self.zero_point
        clipped: Int8 = np.clip(rounded, -128, 127).astype(np.int8)
        return clipped

    def dequantize(self, integers: Int8) -> Embedding:
        """int8 to float32, same shape."""
        return ((integers.astype(np.float32) - self.zero_point) * self.scale).astype(np.float32)


def choose_runtime(wanted: str = "auto") -> str:
    """The name of the runtime to use: ``wanted``, or for ``auto`` the first of :data:`RUNTIMES` that is installed.

    Raises :class:`RuntimeMissingError` where it is absent.
    """
    names = tuple(RUNTIMES) if wanted == "auto" else (wanted,)
    for name in names:
        if name in RUNTIMES and importlib.util.find_spec(RUNTIMES[name].split(".")[0]) is not None:
            return name
    raise RuntimeMissingError(
        "no TensorFlow Lite runtime is installed",
        where="model.runtime",
        received=wanted,
        allowed=f"auto, {', '.join(RUNTIMES)}",
        next_step="pip install ai-edge-litert (or tflite-runtime with 'numpy<2' on Python 3.11)",
    )


class Interpreter:
    """A model ready to run, one clip at a time, on one thread.

    Raises :class:`RuntimeMissingError` when the runtime cannot run the model here (tflite-runtime under NumPy 2
    imports, and fails only now) and :class:`BundleError` when the graph is neither int8 nor float at both ends.
    """

    def __init__(self, model: bytes, *, runtime: str = "auto") -> None:
        self.runtime_name = choose_runtime(runtime)
        try:
            module = importlib.import_module(RUNTIMES[self.runtime_name])
            self._interpreter: Any = module.Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ImportError, SystemError, AttributeError, RuntimeError, ValueError) as error:
            raise RuntimeMissingError(
                "the runtime cannot run this model here",
                where=self.runtime_name,
                received=f"{type(error).__name__}: {error} (NumPy {np.__version__})",
                next_step="use ai-edge-litert, or for tflite-runtime Python 3.11 with 'numpy<2'",
            ) from error
        entry = _only(self._interpreter.get_input_details(), "input")
        leave = _only(self._interpreter.get_output_details(), "output")
        self._in, self._out = entry["index"], leave["index"]
        self.input, self.output = _spec_of(entry, "input"), _spec_of(leave, "output")
        if self.input.dtype != self.output.dtype:
            raise BundleError(
                "the model's ends are of two kinds",
                where="model.tflite",
                received=f"{self.input.dtype} in, {self.output.dtype} out",
                allowed="int8 or float32 at both",
            )

    def run(self, features: Features) -> Int8:
        """float32 features of ``input.shape`` to the embedding of ``output.shape`` in int8 (of a network in float: its
        direction in steps of 1 / 127)."""
        answer = self._answer(features)
        return answer if answer.dtype == np.int8 else self.output.quantize(unit_length(answer))

    def embed(self, features: Features) -> Embedding:
        """float32 features to an embedding of length 1, float32 ``(dimensions,)``."""
        answer = self._answer(features)
        return unit_length(self.output.dequantize(answer) if answer.dtype == np.int8 else answer)

    def _answer(self, features: Features) -> NDArray[Any]:
        if features.shape != self.input.shape:
            raise BundleError(
                "the features do not fit the model", received=list(features.shape), allowed=str(list(self.input.shape))
            )
        real = self.input.dtype == "float32"
        entry = features.astype(np.float32) if real else self.input.quantize(features)
        self._interpreter.set_tensor(self._in, entry[None])
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise BundleError("the model cannot be run", where="model.tflite", received=error,
                              next_step="publish the bundle again with the training pipeline") from error  # fmt: skip
        return np.array(self._interpreter.get_tensor(self._out)[0])


def _only(ends: Any, name: str) -> Any:
    if len(ends) != 1:
        raise BundleError(f"the model does not have one {name}", where="model.tflite", received=len(ends))
    return ends[0]


def unit_length(vectors: Embedding) -> Embedding:
    """Scale float32 ``(..., d)`` to Euclidean length 1. The norm stays out of the graph: int8 cannot hold it."""
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Embedding = (vectors / np.maximum(norm, 1e-9)).astype(np.float32)
    return scaled


def _spec_of(details: Any, name: str) -> TensorSpec:
    shape = tuple(int(n) for n in details["shape"][1:])
    if details["dtype"] is np.float32:
        return TensorSpec(shape, 1.0 / 127.0, 0, "float32")
    if details["dtype"] is not np.int8:
        raise BundleError(
            f"the model's {name} is neither int8 nor float",
            where="model.tflite",
            received=np.dtype(details["dtype"]).name,
            allowed="int8 or float32",
            next_step="publish the bundle again with the training pipeline",
        )
    scale, zero_point = details["quantization"]
    return TensorSpec(shape, float(scale), int(zero_point))
