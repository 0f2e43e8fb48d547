"""Similarities to likelihood ratios."""

import numpy as np
import pytest

from device.errors import BundleError
from device.verdict.head import Calibration, Head
from device.verdict.interpreter import TensorSpec, unit_length


def head(slope: float = 2.0) -> tuple[Head, np.ndarray]:
    rng = np.random.default_rng(4)
    voices = unit_length(rng.standard_normal((4, 32)).astype(np.float32))
    cohort = unit_length(rng.standard_normal((20, 32)).astype(np.float32))
    owners = np.array([0, 0, 1, 1])
    return Head(("Anna", "Bruno"), voices, owners, cohort, Calibration(slope, -1.0, 10)), voices


def test_a_prototype_is_nearest_to_its_owner() -> None:
    made, voices = head()
    ratios = made.log_likelihood_ratios(voices, np.ones(len(voices)))
    assert (ratios[:2, 0] > ratios[:2, 1]).all()
    assert (ratios[2:, 1] > ratios[2:, 0]).all()


def test_similarity_is_half_centroid_half_best_prototype() -> None:
    made, voices = head()
    centroid = unit_length(voices[:2].mean(axis=0))
    expected = 0.5 * max(voices[0] @ voices[0], voices[0] @ voices[1]) + 0.5 * (voices[0] @ centroid)
    assert made.similarity(voices[:1])[0, 0] == pytest.approx(expected, abs=1e-5)


def test_a_stranger_as_near_as_the_cohort_scores_about_zero_deviations() -> None:
    made, _ = head()
    assert abs(made.normalised(made.cohort).mean()) < 3.0


def test_inconsistent_heads_are_refused() -> None:
    made, voices = head()
    with pytest.raises(BundleError, match="inconsistent"):
        Head(("Anna",), voices, made.owners, made.cohort, made.calibration)
    with pytest.raises(BundleError, match="inconsistent"):
        Head(("Anna", "Bruno"), voices * np.nan, made.owners, made.cohort, made.calibration)
    with pytest.raises(BundleError, match="inconsistent"):
        head(slope=-1.0)


def test_quantization_rounds_half_away_from_zero_and_clips() -> None:
    spec = TensorSpec((6,), 0.5, 3)
    real = np.array([0.25, -0.25, 0.24, 1e9, -1e9, 0.0])
    assert spec.quantize(real).tolist() == [4, 2, 3, 127, -128, 3]
    assert spec.dequantize(np.array([3, 5], dtype=np.int8)).tolist() == [0.0, 1.0]
