"""CAM++ in Keras: the same numbers as PyTorch gives, weights of another network refused, a file that opens again."""

from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError
from tests.training.campplus_in_torch import STORED, features, in_torch, made_up_weights

pytest.importorskip("tensorflow")

import keras

from training.networks.backbone import build
from training.networks.campplus_weights import published_names, with_published_weights
from training.networks.parts import kernels_of

# Largest difference seen: 2e-6, of numbers about 1.
CLOSE = 2e-5


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return with_published_weights(made_up_weights())


@pytest.fixture(scope="module")
def outputs(network: keras.Model) -> np.ndarray:
    return np.asarray(network.predict(features(), verbose=0))


def test_the_layers_give_what_pytorch_gave(outputs: np.ndarray) -> None:
    stored = np.load(STORED)
    assert outputs.shape == (2, 192)
    assert np.abs(outputs - stored).max() < CLOSE
    # Two clips are told apart by more than that, and no ReLU has cut the numbers below zero off.
    assert np.abs(stored[0] - stored[1]).max() > 100 * CLOSE
    assert (outputs < 0).mean() > 0.2


def test_the_layers_give_what_pytorch_gives_where_it_is_installed(outputs: np.ndarray) -> None:
    pytest.importorskip("torch")
    assert np.abs(outputs - in_torch(made_up_weights(), features())).max() < CLOSE


def test_a_saved_network_opens_again_as_it_was(network: keras.Model, outputs: np.ndarray, tmp_path: Path) -> None:
    network.save(tmp_path / "network.keras")
    opened = keras.saving.load_model(tmp_path / "network.keras")
    assert np.array_equal(opened.predict(features(), verbose=0), outputs)
    assert opened.name == "campplus"


def test_every_layer_with_weights_has_a_name_of_the_paper_and_a_place_in_the_published_file(
    network: keras.Model,
) -> None:
    named = {layer.name for layer in network.layers if layer.weights}
    assert named == set(published_names())
    assert {"head", "fcm1_1_conv1", "tdnn", "block2_layer24_cam_gate", "transition3", "embedding"} <= named
    assert network.get_layer("statistics").output.shape == (None, 1, 1024)
    assert network.count_params() == 6_930_720
    assert len(kernels_of(network)) == 12 + 1 + 52 * 4 + 3 + 1


@pytest.mark.parametrize("change", ["missing", "another shape", "more", "not a number"])
def test_weights_of_another_network_are_refused_by_name(change: str) -> None:
    weights, name = made_up_weights(), "xvector.block3.tdnnd16.linear1.weight"
    if change == "missing":
        del weights[name]
    elif change == "another shape":
        weights[name] = weights[name][:, :-1]
    elif change == "more":
        weights["xvector.block3.tdnnd17.linear1.weight"] = weights[name]
    else:
        weights[name] = np.where(weights[name] == weights[name].max(), np.nan, weights[name])
    with pytest.raises(DataError, match=r"xvector\.block3\.tdnnd1[67]\.linear1"):
        with_published_weights(weights)


def test_weights_learnt_on_crops_of_another_number_of_segments_serve_whole_clips() -> None:
    cropped = build("campplus", (160, 16), embedding_size=4, width=4)
    whole = build("campplus", (298, 16), embedding_size=4, width=4)
    whole.set_weights(cropped.get_weights())
    for layer in cropped.layers:
        if layer.weights:
            mine = whole.get_layer(layer.name)
            assert all(np.array_equal(*pair) for pair in zip(mine.get_weights(), layer.get_weights(), strict=True))
