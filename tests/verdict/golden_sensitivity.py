"""What the golden check would see: one byte of a network's weights is turned, layer by layer, and the check is asked.

    python -m tests.verdict.golden_sensitivity MODEL.tflite --conversion dynamic [--every 5]

prints for each weight tensor (every so manieth) how far the embeddings move when the highest bit of one of its bytes,
drawn at random, is turned, and whether the golden check of a bundle would refuse it. A bundle's sums find every such
byte in the file; the golden check is for what computes.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from device.errors import VoicelatchError
from device.sound.logmel import KALDI, LogMel
from device.verdict.golden import Golden, Tolerance, check_golden
from device.verdict.interpreter import Interpreter
from training.publish import TOLERANCE, golden_clips

FEWEST_BYTES = 64
INT8 = 9


def weight_tensors(model: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Name, first byte in the file, number of bytes and bytes a number of every constant tensor, once."""
    from tensorflow.lite.python import schema_py_generated as schema

    whole = np.frombuffer(model, np.uint8)
    graph = schema.Model.GetRootAs(model, 0)
    subgraph, seen = graph.Subgraphs(0), set()
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        place = tensor.Buffer()
        buffer = graph.Buffers(place)
        if place in seen or buffer.DataLength() < FEWEST_BYTES:
            continue
        seen.add(place)
        content = buffer.DataAsNumpy()
        start = content.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        yield tensor.Name().decode()[-70:], start, len(content), 1 if tensor.Type() == INT8 else 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--conversion", choices=sorted(TOLERANCE), default="dynamic")
    parser.add_argument("--every", type=int, default=5)
    arguments = parser.parse_args()
    model, log_mel, rng = arguments.model.read_bytes(), LogMel(KALDI), np.random.default_rng(1)
    clips = golden_clips()
    features = np.stack([log_mel(clip) for clip in clips])

    def embeddings(content: bytes) -> np.ndarray:
        interpreter = Interpreter(content)
        return np.stack([interpreter.embed(each) for each in features])

    right = embeddings(model)
    limits = {name: Tolerance(**values) for name, values in TOLERANCE[arguments.conversion].items()}
    golden = Golden(clips, features, right, limits)
    moved, refused, still = [], 0, 0
    tensors = list(weight_tensors(model))
    for name, start, length, size in tensors[:: arguments.every]:
        # Of a float the highest byte, sign and exponent.
        place = start + int(rng.integers(length // size)) * size + size - 1
        changed = bytearray(model)
        changed[place] ^= 0x80
        try:
            difference = float(np.abs(embeddings(bytes(changed)) - right).max())
            check_golden(golden, log_mel, Interpreter(bytes(changed)), spec=log_mel.spec, where="golden.npz")
            answer = "passes"
        except VoicelatchError:
            answer, refused = "refused", refused + 1
        still += difference == 0.0
        moved.append(difference)
        print(f"{difference:9.2e}  {answer:8s} {'int8' if size == 1 else 'float'} {length:7d} bytes  {name}")
    print(f"{len(moved)} of {len(tensors)} tensors tried: {refused} refused, {still} changed nothing in any clip "
          f"(weights of channels that are silent there); median change {np.median(moved):.1e}")  # fmt: skip


if __name__ == "__main__":
    main()
