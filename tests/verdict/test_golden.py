"""Golden vectors of a network that answers in float: near enough passes, anything else stops the door."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from device.errors import BundleError
from device.sound.logmel import KALDI, Features, FrontendSpec, LogMel
from device.verdict.golden import Golden, Tolerance, check_golden
from device.verdict.interpreter import Embedding, TensorSpec, unit_length
from training.publish import golden_clips

LOG_MEL = LogMel(KALDI)
NEAR = Tolerance(least_cosine=0.9999, largest_difference=0.005)


@dataclass
class Network:
    """Answers what it is told to, as an interpreter does, whatever it is given."""

    answer: Embedding
    runtime_name: str = "ai-edge-litert"
    output: TensorSpec = field(default_factory=lambda: TensorSpec((8,), 1 / 127, 0, "float32"))

    def embed(self, _features: Features) -> Embedding:
        return self.answer


def direction(seed: int = 1) -> Embedding:
    return unit_length(np.random.default_rng(seed).normal(size=8).astype(np.float32))


def golden(tolerances: Mapping[str, Tolerance], **changed: np.ndarray) -> Golden:
    clips = golden_clips()[:1]
    made = Golden(clips, np.stack([LOG_MEL(clips[0])]), direction()[None], tolerances)
    return replace(made, **changed)


def check(network: Network, vectors: Golden, log_mel: LogMel = LOG_MEL) -> None:
    check_golden(vectors, log_mel, network, spec=log_mel.spec, where="golden.npz")  # type: ignore[arg-type]


def test_an_embedding_within_the_tolerance_of_its_runtime_passes() -> None:
    nearby = unit_length(direction() + np.array([0.004, *[0.0] * 7], dtype=np.float32))
    check(Network(nearby), golden({"ai-edge-litert": NEAR}))


def test_one_number_too_far_off_is_refused_though_the_cosine_would_do() -> None:
    strict = replace(NEAR, largest_difference=0.001)
    nearby = unit_length(direction() + np.array([0.004, *[0.0] * 7], dtype=np.float32))
    with pytest.raises(BundleError, match="golden outputs"):
        check(Network(nearby), golden({"ai-edge-litert": strict}))


def test_many_numbers_a_little_off_are_refused_though_none_is_too_far() -> None:
    # Each by 0.0049, across the direction: a cosine of 0.99990.
    across = np.where(np.arange(8) % 2 == 0, 0.0049, -0.0049).astype(np.float32)
    across -= (across @ direction()) * direction()
    strict = replace(NEAR, least_cosine=0.99999, largest_difference=0.02)
    with pytest.raises(BundleError, match="cosine"):
        check(Network(unit_length(direction() + across)), golden({"ai-edge-litert": strict}))


def test_a_runtime_for_which_the_bundle_states_nothing_must_give_exactly_the_same() -> None:
    vectors = golden({"ai-edge-litert": NEAR})
    check(Network(direction(), runtime_name="tflite-runtime"), vectors)
    nearby = unit_length(direction() + np.float32(1e-4))
    with pytest.raises(BundleError, match="tflite-runtime"):
        check(Network(nearby, runtime_name="tflite-runtime"), vectors)


def test_what_is_no_number_is_refused() -> None:
    nothing = np.full(8, np.nan, dtype=np.float32)
    with pytest.raises(BundleError, match="golden outputs"):
        check(Network(nothing), golden({"ai-edge-litert": NEAR}))
    with pytest.raises(BundleError, match="golden outputs"):
        check(Network(direction()), golden({"ai-edge-litert": NEAR}, outputs=nothing[None]))


@pytest.mark.parametrize(
    "other",
    [
        FrontendSpec(mel_bands=80, low_hz=20.0, high_hz=8000.0, window_samples=384, fft_samples=384),
        replace(KALDI, high_hz=7600.0),
        replace(KALDI, log_floor=1e-10),
    ],
    ids=["slaney", "another edge", "another floor"],
)
def test_another_front_end_is_refused_in_decibels(other: FrontendSpec) -> None:
    quiet = (golden_clips()[:1] // 2000).astype(np.int16)
    vectors = golden({"ai-edge-litert": NEAR}, clips=quiet, features=np.stack([LOG_MEL(quiet[0])]))
    with pytest.raises(BundleError, match="golden features"):
        check(Network(direction()), vectors, LogMel(other))


def test_features_a_thousandth_of_a_neper_off_are_refused() -> None:
    """The tolerance is in dB, and a neper is 4.3 of them."""
    vectors = golden({"ai-edge-litert": NEAR})
    moved = vectors.features.copy()
    moved[0, 7, 7] += 5e-4
    with pytest.raises(BundleError, match="golden features"):
        check(Network(direction()), replace(vectors, features=moved))
