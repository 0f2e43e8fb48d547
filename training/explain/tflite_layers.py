"""A TFLite network's layers as they stand in its file, and what each makes of a clip: without Keras weights."""

from __future__ import annotations

import importlib
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from device.sound.logmel import Features
from device.verdict.interpreter import RUNTIMES, TensorSpec, choose_runtime
from training.explain.layers import Anatomy, Layer, Weights

KINDS = {"CONV_2D": "convolution", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}
# The same numbers in another order.
ARRANGING = {"RESHAPE", "QUANTIZE", "DEQUANTIZE", "CONCATENATION", "SPLIT", "SLICE", "STRIDED_SLICE"}


def read_tflite(model: bytes, features: Features | None, entry: TensorSpec) -> Anatomy:
    """Every operation with its weights as real numbers (norms are folded in already); with ``features`` ``(frames,
    bands)``, quantized as ``entry`` says, also its output."""
    graph = schema.ModelT.InitFromPackedBuf(model, 0)
    subgraph = graph.subgraphs[0]
    interpreter = _preserving(model)
    if features is not None:
        heard = features.astype(np.float32) if entry.dtype == "float32" else entry.quantize(features)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], heard[None])
        interpreter.invoke()
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    known = {
        index: index
        for index, tensor in enumerate(subgraph.tensors)
        if tensor.buffer and graph.buffers[tensor.buffer].data is not None
    }
    found = []
    for number, operation in enumerate(subgraph.operators):
        code = graph.operatorCodes[operation.opcodeIndex]
        kind = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
        out = details[operation.outputs[0]]
        shape = tuple(int(each) for each in out["shape"][1:])
        constant = [known[int(each)] for each in operation.inputs if int(each) in known]
        if kind == "DEQUANTIZE" and constant:
            # Weights that are kept in half precision: whoever takes them takes what is in the file.
            known[int(operation.outputs[0])] = constant[0]
        kernel = _kernel(kind, constant, interpreter, details)
        maps = None
        if features is not None and kind not in ARRANGING:
            maps = _real(interpreter.get_tensor(out["index"]), out)[0]
        parameters = sum(int(np.prod(details[each]["shape"])) for each in constant) if _has_weights(kind) else 0
        work = _work(KINDS[kind], shape, kernel) if kernel is not None else 0
        found.append(Layer(f"op {number}", kind.lower(), shape, parameters, work, kernel, kernel is not None, maps))
    return Anatomy("TFLite network", "float" if entry.dtype == "float32" else "int8", tuple(found))


def _has_weights(kind: str) -> bool:
    return kind in KINDS or "LSTM" in kind


def _preserving(model: bytes) -> Any:
    """The door's own runtime, told to keep what is between the layers, which its adapter has no use for."""
    module = importlib.import_module(RUNTIMES[choose_runtime()])
    with warnings.catch_warnings():
        # It warns of the memory this takes, which a workstation has.
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        interpreter = module.Interpreter(model_content=model, experimental_preserve_all_tensors=True, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _kernel(kind: str, constant: list[int], interpreter: Any, details: dict[int, Any]) -> Weights | None:
    """As ``(height, width, inputs, filters)``: TFLite has filters first, but for depthwise ones."""
    if kind not in KINDS or not constant:
        return None
    # The weights come before the bias.
    index = constant[0]
    real = _real(interpreter.get_tensor(index), details[index])
    if kind == "CONV_2D":
        return real.transpose(1, 2, 3, 0)
    if kind == "DEPTHWISE_CONV_2D":
        return real.transpose(1, 2, 0, 3)
    transposed: Weights = real.T[None, None]
    return transposed


def _real(integers: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    """A tensor's real numbers, by its own scales: one, or one for each slice of an axis."""
    how = detail["quantization_parameters"]
    scales, zeros = np.asarray(how["scales"]), np.asarray(how["zero_points"])
    if not len(scales):
        return np.asarray(integers, dtype=np.float32)
    if len(scales) > 1:
        form = [1] * integers.ndim
        form[how["quantized_dimension"]] = -1
        scales, zeros = scales.reshape(form), zeros.reshape(form)
    real: NDArray[np.float32] = ((integers.astype(np.float32) - zeros) * scales).astype(np.float32)
    return real


def _work(kind: str, shape: tuple[int, ...], kernel: Weights) -> int:
    """Multiply-adds of one pass: each weight once at every place of the output; a dense layer has one place."""
    places = math.prod(shape[:-1]) if kind != "dense" else 1
    return places * kernel.size
