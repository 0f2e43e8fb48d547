"""A network's layers read from Keras and from its int8 file tell the same network."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from device.verdict.interpreter import Interpreter
from tests.conftest import ROOT
from training.cli import main
from training.explain.keras_layers import read_keras
from training.explain.layers import Anatomy, Layer, filters_of, pictures_of
from training.explain.network_page import mosaic, network_html
from training.explain.tflite_layers import read_tflite
from training.networks.backbone import build
from training.networks.cost import multiply_adds
from training.quantize import quantize, to_float16

SHAPE = (64, 32)
ANNA = ROOT / "device" / "simulated" / "evening" / "anna.wav"


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    found = np.cumsum(np.random.default_rng(4).normal(0, 2, (12, *SHAPE)), axis=2).astype(np.float32)
    return found - found.mean(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def network(features: np.ndarray) -> keras.Model:
    """A small network whose norms have seen something, with one filter that is dead."""
    keras.utils.set_random_seed(3)
    made = build("lean", SHAPE, embedding_size=16, width=4)
    step = tf.function(lambda: made(features, training=True))
    for _ in range(60):
        step()
    first = made.layers[2]
    kernel = np.asarray(first.kernel)
    kernel[..., 1] = 0.0
    first.set_weights([kernel])
    return made


@pytest.fixture(scope="module")
def both(network: keras.Model, features: np.ndarray) -> tuple[Anatomy, Anatomy]:
    model = quantize(network, features)
    return read_keras(network, features[0]), read_tflite(model, features[0], Interpreter(model).input)


def filtered(anatomy: Anatomy) -> list[Layer]:
    """Layers with filters, in an order that both forms share."""
    return sorted((each for each in anatomy.layers if each.kernel is not None), key=lambda each: each.kernel.shape)


def test_parameters_and_work_are_those_of_the_network(both: tuple[Anatomy, Anatomy], network: keras.Model) -> None:
    in_keras, in_file = both
    assert in_keras.parameters == network.count_params()
    assert in_keras.multiply_adds == in_file.multiply_adds == multiply_adds(network)
    assert in_file.form == "int8"


def test_the_file_holds_the_filters_of_keras_with_the_norms_folded_in(both: tuple[Anatomy, Anatomy]) -> None:
    in_keras, in_file = (filtered(each) for each in both)
    assert [each.kernel.shape for each in in_keras] == [each.kernel.shape for each in in_file]
    for shape in {each.kernel.shape for each in in_keras}:
        mine = [each.kernel for each in in_keras if each.kernel.shape == shape]
        theirs = [each.kernel for each in in_file if each.kernel.shape == shape]
        for kernel in mine:
            # int8 steps are a 127th of a filter's largest weight.
            step = np.abs(kernel).max(axis=(0, 1, 2)) / 127.0
            assert any((np.abs(kernel - other) <= 0.51 * step + 1e-6).all() for other in theirs), shape


def test_a_dead_filter_is_found_in_both_forms(both: tuple[Anatomy, Anatomy]) -> None:
    for anatomy in both:
        dead = [int(filters.dead.sum()) for each in anatomy.layers if (filters := filters_of(each)) is not None]
        assert (dead[0], sum(dead)) == (1, 1), anatomy.source


def test_each_layers_answer_to_a_clip_is_the_networks(
    both: tuple[Anatomy, Anatomy], network: keras.Model, features: np.ndarray
) -> None:
    in_keras, in_file = both
    embedding = np.asarray(network(features[:1], training=False))[0]
    assert in_keras.layers[-1].maps == pytest.approx(embedding, rel=1e-4)
    own = in_file.layers[-1].maps
    assert own is not None
    cosine = own @ embedding / (np.linalg.norm(own) * np.linalg.norm(embedding))
    assert cosine > 0.95
    shown = [each for each in in_keras.layers if each.maps is not None]
    assert all(each.maps.shape == each.shape for each in shown)
    assert {each.kind for each in shown} >= {"ReLU", "Dense"}
    assert "Conv2D" not in {each.kind for each in shown}


def test_a_channel_that_says_nothing_throughout_the_clip_is_counted_only_behind_a_relu() -> None:
    kernel = np.ones((1, 1, 1, 3), dtype=np.float32)
    maps = np.zeros((4, 2, 3), dtype=np.float32)
    maps[1, 1, 0] = 2.0

    def silent(heard: np.ndarray) -> int | None:
        found = filters_of(Layer("a", "conv", (4, 2, 3), 3, 24, kernel, maps=heard))
        assert found is not None
        return found.silent

    assert silent(maps) == 2
    maps[0, 0, 0] = -1.0
    assert silent(maps) is None


def test_filters_over_time_alone_are_pictured_with_their_bands() -> None:
    kernel = np.arange(5 * 1 * 7 * 3, dtype=np.float32).reshape(5, 1, 7, 3)
    assert pictures_of(kernel).shape == (3, 5, 7)
    assert pictures_of(kernel)[2, 4, 6] == kernel[4, 0, 6, 2]
    assert pictures_of(np.ones((3, 3, 4, 6), dtype=np.float32)).shape == (6, 3, 3)


def test_the_page_has_every_layer_and_a_picture_of_each_answer(both: tuple[Anatomy, Anatomy]) -> None:
    for anatomy in both:
        html = network_html(anatomy, title="<b>x", clip="anna.wav", command="command")
        assert not re.search(r"https?:|@import|<script|<link|src=\"(?!data:)|<b>x", html)
        for layer in anatomy.layers:
            assert f"<td>{layer.name}</td>" in html
        pictures = sum(each.maps is not None for each in anatomy.layers)
        assert html.count('aria-label="Feature maps of') == pictures >= 8
        assert "1 of " in html


def test_every_network_can_be_read_in_both_forms(features: np.ndarray) -> None:
    made = build("tdnn", SHAPE, embedding_size=16, width=2)
    model = quantize(made, features)
    in_keras, in_file = read_keras(made, None), read_tflite(model, None, Interpreter(model).input)
    assert in_keras.multiply_adds == in_file.multiply_adds == multiply_adds(made)
    assert all(each.maps is None for each in (*in_keras.layers, *in_file.layers))


def test_weights_in_half_precision_are_found_behind_what_makes_them_whole(
    network: keras.Model, both: tuple[Anatomy, Anatomy]
) -> None:
    model = to_float16(network, SHAPE)
    in_half = read_tflite(model, None, Interpreter(model).input)
    assert in_half.form == "float"
    assert in_half.parameters == both[1].parameters
    for mine, theirs in zip(filtered(in_half), filtered(both[1]), strict=True):
        assert np.abs(mine.kernel - theirs.kernel).max() < 0.02 * np.abs(theirs.kernel).max()


def test_pictures_stand_in_rows_from_the_top_each_at_its_own_scale() -> None:
    made = mosaic([np.full((10, 4), float(number + 1), dtype=np.float32) for number in range(9)])
    assert made.shape == (9, 8 * 11 - 1)
    assert np.nanmax(made) == 1.0
    # The ninth begins the second row, below the first.
    assert (made[:4, :10] == 1.0).all()
    assert np.isnan(made[:4, 10:]).all()
    assert np.isnan(made[4]).all()


def test_the_command_shows_the_shipped_network_without_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", "network", "--bundle", str(ROOT / "models" / "backbone"), "--clip", str(ANNA)]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "conv_2d" in capsys.readouterr().out
    told = json.loads((tmp_path / "network.json").read_text())
    manifest = json.loads((ROOT / "models" / "backbone" / "manifest.json").read_text())
    first = next(each for each in told["layers"] if "norms" in each)
    assert len(first["norms"]) == first["filters"] == manifest["network"]["width"]
    assert "anna.wav" in (tmp_path / "network.html").read_text()
