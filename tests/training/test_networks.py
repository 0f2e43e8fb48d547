"""Every network that can be chosen survives int8 on the oldest supported runtime, and its cost is counted."""

import numpy as np
import pytest

from device.errors import ConfigError
from device.verdict.interpreter import Interpreter, unit_length

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
from keras import layers

from training.networks.backbone import NETWORKS, build
from training.networks.bricks import ACTIVATIONS, Style
from training.networks.cost import multiply_adds
from training.quantize import min_runtime, quantize

SHAPE = (96, 32)
# Attention multiplies rounded numbers by rounded numbers, here twice in each of nine blocks.
WORST_IN_INT8 = {"resnet_cbam": 0.15}


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"campplus"}))
def test_a_network_says_the_same_in_int8_as_in_float_and_runs_on_the_oldest_runtime(name: str) -> None:
    keras.utils.set_random_seed(3)
    network = build(name, SHAPE, embedding_size=32, width=8)
    rng = np.random.default_rng(4)
    features = np.cumsum(rng.normal(0, 2, (16, *SHAPE)), axis=2).astype(np.float32)
    features -= features.mean(axis=1, keepdims=True)
    # Norms that have seen something, as after learning: fresh ones would leave every layer's values far too small.
    step = tf.function(lambda: network(features, training=True))
    for _ in range(60):
        step()
    model = quantize(network, features)
    assert min_runtime(model) <= (2, 14, 0)
    interpreter = Interpreter(model)
    small = np.stack([interpreter.embed(each) for each in features])
    whole = unit_length(network.predict(features, verbose=0))
    own = 1.0 - np.sum(whole * small, axis=1)
    foreign = 1.0 - np.sum(whole * np.roll(small, 1, axis=0), axis=1)
    assert own.max() < WORST_IN_INT8.get(name, 0.05)
    assert own.mean() < 0.2 * foreign.mean()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_weights_learnt_on_crops_serve_whole_clips(name: str) -> None:
    cropped = build(name, SHAPE, embedding_size=1, width=8)
    whole = build(name, (2 * SHAPE[0], SHAPE[1]), embedding_size=1, width=8)
    whole.set_weights(cropped.get_weights())
    assert whole(np.ones((1, 2 * SHAPE[0], SHAPE[1]), dtype=np.float32)).shape == (1, 1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_survives_int8(activation: str) -> None:
    network = build("simple", SHAPE, embedding_size=4, width=4, style=Style(activation=activation))
    features = np.random.default_rng(4).normal(0, 3, (8, *SHAPE)).astype(np.float32)
    interpreter = Interpreter(quantize(network, features))
    small = np.stack([interpreter.embed(each) for each in features])
    assert np.sum(unit_length(network.predict(features, verbose=0)) * small, axis=1).min() > 0.9


def test_dropout_is_for_learning_only() -> None:
    network = build("simple", SHAPE, embedding_size=4, width=4, style=Style(dropout=0.5))
    features = np.random.default_rng(4).normal(0, 3, (1, *SHAPE)).astype(np.float32)
    still = [network(features, training=False).numpy() for _ in range(2)]
    moving = [network(features, training=True).numpy() for _ in range(8)]
    assert np.array_equal(*still)
    assert np.ptp(moving, axis=0).max() > 0


def test_an_unknown_network_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(ConfigError, match="lean"):
        build("lenn", SHAPE, embedding_size=8, width=8)


def test_the_cost_of_a_network_is_counted_as_by_hand() -> None:
    entry = keras.Input((10, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(entry)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Dense(7)(layers.Flatten()(x))
    by_hand = 5 * 4 * (3 * 3 * 3 * 4) + 5 * 4 * (3 * 3 * 4) + 5 * 4 * 4 * 7
    assert multiply_adds(keras.Model(entry, x)) == by_hand


def test_the_lean_network_keeps_within_what_it_was_made_for() -> None:
    network = build("lean", (297, 64), embedding_size=256, width=12)
    assert multiply_adds(network) < 61e6
    assert network.count_params() < 0.75e6
