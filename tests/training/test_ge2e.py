"""The imported network: PyTorch's weights in Keras's layers, in float16, through the door's own interpreter."""

import numpy as np
import pytest

from device.sound.logmel import LogMel
from device.verdict.interpreter import Interpreter, unit_length
from training.publish import golden_clips

UNITS, BANDS = 256, 40


def weights() -> dict[str, np.ndarray]:
    """Made up, by the names that PyTorch gives an LSTM of three layers and a linear layer."""
    rng = np.random.default_rng(5)
    made = {"linear.weight": rng.normal(0, 0.1, (UNITS, UNITS)), "linear.bias": rng.normal(0.1, 0.1, UNITS)}
    for index in range(3):
        made[f"lstm.weight_ih_l{index}"] = rng.normal(0, 0.2, (4 * UNITS, BANDS if index == 0 else UNITS))
        made[f"lstm.weight_hh_l{index}"] = rng.normal(0, 0.06, (4 * UNITS, UNITS))
        for kind in ("ih", "hh"):
            made[f"lstm.bias_{kind}_l{index}"] = rng.normal(0, 0.1, 4 * UNITS)
    return {name: value.astype(np.float32) for name, value in made.items()}


def by_hand(features: np.ndarray, made: dict[str, np.ndarray]) -> np.ndarray:
    """PyTorch's definition of the LSTM, step by step, in float64: gates i, f, g, o."""

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    total = np.zeros(UNITS)
    for part in (features[:160], features[-160:]):
        sequence = part.astype(np.float64)
        for index in range(3):
            inward, across = made[f"lstm.weight_ih_l{index}"], made[f"lstm.weight_hh_l{index}"]
            bias = made[f"lstm.bias_ih_l{index}"] + made[f"lstm.bias_hh_l{index}"]
            hidden, cell, outputs = np.zeros(UNITS), np.zeros(UNITS), []
            for step in sequence:
                i, f, g, o = np.split(inward @ step + across @ hidden + bias, 4)
                cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
                hidden = sigmoid(o) * np.tanh(cell)
                outputs.append(hidden)
            sequence = np.stack(outputs)
        raw = np.maximum(made["linear.weight"] @ sequence[-1] + made["linear.bias"], 0.0)
        total += raw / np.linalg.norm(raw)
    return total / np.linalg.norm(total)


def test_imported_weights_give_what_their_own_library_would_and_float16_keeps_it() -> None:
    pytest.importorskip("tensorflow")
    from training.networks.ge2e import FRONTEND, ge2e
    from training.quantize import min_runtime, to_float16

    made = weights()
    network = ge2e(made)
    log_mel = LogMel(FRONTEND)
    features = [log_mel(clip) for clip in golden_clips()[:2]]
    expected = np.stack([by_hand(each, made) for each in features])
    whole = np.concatenate([unit_length(np.asarray(network(each[None]))) for each in features])
    assert np.abs(whole - expected).max() < 1e-5

    model = to_float16(network, FRONTEND.shape)
    assert len(model) < 3_200_000
    assert min_runtime(model) <= (2, 14, 0)
    interpreter = Interpreter(model)
    assert interpreter.input.dtype == interpreter.output.dtype == "float32"
    for row in (0, 1, 0):
        # The first clip again: a network that remembered the last call would answer otherwise.
        assert np.sum(interpreter.embed(features[row]) * expected[row]) > 0.9999
    steps = interpreter.run(features[0])
    assert steps.dtype == np.int8
    assert np.abs(steps / 127.0 - expected[0]).max() < 0.01
