"""Maps from gradients on networks whose truth is known."""

import numpy as np
import pytest

from device.errors import ConfigError

pytest.importorskip("tensorflow")

import keras
from keras import layers

from tests.training.explain.toys import BANDS, CELLS, FRAMES, GRID, PATCH, features
from training.explain.gradients import Resident, drawn_out, gradient_maps, last_stage
from training.explain.grid import is_flat
from training.networks.backbone import build

TOWARDS = np.array([[1.0, 0.0]], dtype=np.float32)
RESIDENT = Resident(TOWARDS, TOWARDS[0])


def hears(cells: tuple[slice, slice] | None) -> keras.Model:
    """A convolution over one part of the features alone, pooled; nearer to the resident the louder that part is."""
    part = np.zeros((1, FRAMES, BANDS, 1), dtype=np.float32)
    if cells is not None:
        part[(0, *cells)] = 1.0
    entry = keras.Input((FRAMES, BANDS), name="log_mel")
    x = layers.Reshape((FRAMES, BANDS, 1))(entry) * part
    x = layers.Conv2D(1, 2, strides=2, use_bias=False, activation="relu", name="stage")(x)
    x = layers.Dense(2, name="embedding")(layers.Flatten()(x))
    network = keras.Model(entry, x)
    network.get_layer("stage").set_weights([np.ones((2, 2, 1, 1), dtype=np.float32)])
    size = (FRAMES // 2) * (BANDS // 2)
    kernel = np.stack([np.full(size, 0.01), np.zeros(size)], axis=1).astype(np.float32)
    network.get_layer("embedding").set_weights([kernel, np.array([0.0, 1.0], dtype=np.float32)])
    return network


def test_every_gradient_map_points_at_the_only_part_that_the_network_hears() -> None:
    for name, cells in gradient_maps(hears(CELLS), features(), RESIDENT).items():
        importance = GRID.gathered(cells)
        assert np.unravel_index(np.argmax(importance), GRID.shape) == PATCH, name
        assert importance[PATCH] > 0.0, name
        # Drawing a coarse stage out to the features blurs it, by no more than its neighbours.
        assert importance[PATCH] > 0.5 * importance.clip(0.0).sum(), name


def test_a_network_that_hears_nothing_has_flat_maps() -> None:
    for name, cells in gradient_maps(hears(None), features(), RESIDENT).items():
        assert is_flat(GRID.gathered(cells)), name


def test_integrated_gradients_add_up_to_the_rise_over_an_empty_clip() -> None:
    network, heard = hears(CELLS), features()
    found = gradient_maps(network, heard, RESIDENT)["integrated"]

    def similarity(what: np.ndarray) -> float:
        raw = np.asarray(network(what[None], training=False))[0]
        return float(raw[0] / np.linalg.norm(raw))

    empty = np.tile(heard.mean(axis=0), (FRAMES, 1)).astype(np.float32)
    assert found.sum() == pytest.approx(similarity(heard) - similarity(empty), rel=0.01)


@pytest.mark.parametrize(("name", "bands"), [("lean", 2), ("resnet", 2), ("tdnn", 1)])
def test_the_last_stage_is_the_last_that_still_has_frames_and_where_it_can_bands(name: str, bands: int) -> None:
    stage = last_stage(build(name, (64, 32), embedding_size=8, width=4))
    assert stage.output.shape[1] > 1
    assert stage.output.shape[2] == bands
    assert isinstance(stage, layers.ReLU)


def test_a_network_without_convolutions_is_refused_with_what_to_do_instead() -> None:
    entry = keras.Input((FRAMES, BANDS))
    with pytest.raises(ConfigError, match="leave --weights out"):
        last_stage(keras.Model(entry, layers.Dense(2)(layers.Flatten()(entry))))


def test_a_coarse_map_is_drawn_out_in_straight_lines_and_keeps_its_mean() -> None:
    drawn = drawn_out(np.array([[0.0, 0.0], [4.0, 8.0]]), (8, 4))
    assert drawn.shape == (8, 4)
    assert drawn[0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0])
    assert drawn[-1, 0] == pytest.approx(4.0)
    assert drawn[-1, -1] == pytest.approx(8.0)
    assert drawn.mean() == pytest.approx(3.0)
    assert (np.diff(drawn, axis=0) >= 0).all()


def test_the_similarity_is_the_heads_own() -> None:
    from device.verdict.head import Calibration, Head
    from device.verdict.interpreter import unit_length

    rng = np.random.default_rng(4)
    prototypes, cohort, clips = (unit_length(rng.normal(size=(n, 6)).astype(np.float32)) for n in (3, 9, 5))
    head = Head(("Anna",), prototypes, np.zeros(3, dtype=np.int64), cohort, Calibration(1.0, 0.0, 4))
    resident = Resident(prototypes, unit_length(prototypes.mean(axis=0)))
    assert np.asarray(resident.similarity(7.0 * clips)) == pytest.approx(head.similarity(clips)[:, 0], abs=1e-5)
