"""The shipped bundle on whichever runtime is installed; needs nothing but the device's own libraries."""

from pathlib import Path

import numpy as np
import pytest

from device.errors import RuntimeMissingError
from device.sound.segmenter import cut_clips
from device.sound.wavfile import read_wav
from device.verdict.bundle import load_bundle
from device.verdict.interpreter import Interpreter, choose_runtime
from device.verdict.scorer import Scorer

ROOT = Path(__file__).resolve().parents[2]


def test_the_golden_vectors_come_out() -> None:
    scorer = Scorer(load_bundle(ROOT / "models"))
    assert scorer.runtime_name == choose_runtime()


def test_a_resident_scores_higher_than_a_stranger() -> None:
    bundle = load_bundle(ROOT / "models")
    scorer, best = Scorer(bundle), {}
    for name in ("anna", "collector"):
        clips = cut_clips(read_wav(ROOT / f"device/simulated/evening/{name}.wav"), bundle.vad, bundle.segmenter)
        best[name] = sum(next(r.llr for r in scorer.score(clip).residents if r.resident == "Anna") for clip in clips)
    assert best["anna"] > bundle.thresholds.open_llr
    assert best["collector"] < 0


def test_the_same_clip_gives_the_same_answer_twice() -> None:
    bundle = load_bundle(ROOT / "models")
    interpreter = Interpreter(bundle.model)
    first = interpreter.run(bundle.golden.features[0])
    interpreter.run(bundle.golden.features[1])
    assert np.array_equal(first, interpreter.run(bundle.golden.features[0]))


def test_an_unknown_runtime_and_a_broken_model_are_clear_errors() -> None:
    with pytest.raises(RuntimeMissingError, match="no TensorFlow Lite runtime"):
        choose_runtime("onnx")
    with pytest.raises(RuntimeMissingError, match="cannot run this model"):
        Interpreter(b"not a model")
