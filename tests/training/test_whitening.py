"""Whitening makes directions equally strong, joins a network, and helps where few directions drown the rest."""

import numpy as np
import pytest

from device.errors import DataError
from device.verdict.interpreter import unit_length
from training.metrics import eer, pooled, trials_between
from training.whitening import SHRINKAGE, whitening_of


def stretched(rng: np.random.Generator, count: int, size: int = 8) -> np.ndarray:
    """Normal values about 3, whose deviations fall from 8 to 1 along directions drawn at random."""
    turned = np.linalg.qr(np.random.default_rng(4).standard_normal((size, size)))[0]
    return (rng.standard_normal((count, size)) * np.linspace(8, 1, size) @ turned + 3.0).astype(np.float32)


def deviations(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.linalg.eigvalsh(np.cov(values, rowvar=False)))


def test_a_share_of_0_only_centres_and_1_makes_all_directions_nearly_equally_strong() -> None:
    values = stretched(np.random.default_rng(1), 4000)
    centred, half, whole = (whitening_of(values, share=share)(values) for share in (0.0, 0.5, 1.0))
    assert np.allclose(centred, values - values.mean(axis=0), atol=1e-3)
    ratios = [deviations(each)[-1] / deviations(each)[0] for each in (centred, half, whole)]
    assert ratios[0] == pytest.approx(8.0, rel=0.1)
    # By the formula, from variances 1 and 64 with a mean of about 26.
    variances = deviations(values) ** 2
    added = SHRINKAGE * variances.mean()
    for ratio, share in zip(ratios[1:], (0.5, 1.0), strict=True):
        strengths = np.sqrt(variances) * (variances + added) ** (-share / 2)
        assert ratio == pytest.approx(strengths[-1] / strengths[0], rel=1e-3)
    for each in (centred, half, whole):
        assert np.abs(each.mean(axis=0)).max() < 1e-2
        assert np.mean(deviations(each) ** 2) == pytest.approx(np.mean(deviations(centred) ** 2), rel=1e-3)


def test_voices_in_quiet_directions_are_told_apart_once_whitened() -> None:
    rng = np.random.default_rng(2)
    people = rng.standard_normal((40, 16))
    clips = np.repeat(people, 10, axis=0) + 0.5 * rng.standard_normal((400, 16))
    # Two loud directions that say nothing of who it is.
    clips[:, :2] = 8 * rng.standard_normal((400, 2))
    names = np.repeat([f"p{number}" for number in range(40)], 10).tolist()

    def error(values: np.ndarray) -> float:
        wanted, others = trials_between(unit_length(values.astype(np.float32)), names, enrolled=3)
        return eer(pooled(wanted), pooled(others))

    whitening = whitening_of(clips[:200].astype(np.float32), share=1.0)
    assert error(clips) > 0.3
    assert error(whitening(clips.astype(np.float32))) < 0.1


def test_fewer_embeddings_than_directions_are_refused() -> None:
    with pytest.raises(DataError, match="too few embeddings") as told:
        whitening_of(np.zeros((8, 8), dtype=np.float32), share=1.0)
    assert told.value.received == 8


def test_a_network_gives_whitened_outputs_and_keeps_its_size() -> None:
    pytest.importorskip("tensorflow")
    from training.networks.backbone import build
    from training.whitening import whiten_network

    network = build("lean", (48, 16), embedding_size=16, width=4)
    features = np.random.default_rng(3).normal(0, 3, (64, 48, 16)).astype(np.float32)
    raw, parameters = network.predict(features, verbose=0), network.count_params()
    whitening = whitening_of(raw, share=0.5)
    whiten_network(network, whitening)
    assert network.count_params() == parameters
    assert np.allclose(network.predict(features, verbose=0), whitening(raw), atol=1e-3)
