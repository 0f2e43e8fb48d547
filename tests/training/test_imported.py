"""Published weights become a backbone without learning; each conversion answers as the network does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError, DataError
from device.sound.logmel import KALDI
from device.verdict.interpreter import Interpreter, unit_length
from tests.training.test_from_folder_to_bundle import home, recipe  # noqa: F401
from training.corpus.index import index_folder
from training.corpus.split import speaker_hash, split
from training.learning_settings import CONVERSIONS, Backbone
from training.stages import Stages
from training.tracking import JsonLines

WIDTH, SIZE = 4, 32
# How far from the float network's direction each may be: 1 - cosine.
FARTHEST = {"int8": 0.05, "dynamic": 0.01, "float16": 1e-5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    import keras

    from training.networks.backbone import build

    keras.utils.set_random_seed(5)
    path = tmp_path_factory.mktemp("weights") / "lean.keras"
    build("lean", KALDI.shape, embedding_size=SIZE, width=WIDTH).save(path)
    return path


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_a_conversion_answers_as_the_network_does(weights: Path, kind: str) -> None:
    import keras

    from training.quantize import convert, min_runtime

    network = keras.saving.load_model(weights)
    features = np.random.default_rng(2).normal(0, 2, (12, *KALDI.shape)).astype(np.float32)
    model = convert(network, kind, features)
    # The older runtime is not for weights in int8 between numbers in float.
    assert kind == "dynamic" or min_runtime(model) <= (2, 14, 0)
    interpreter = Interpreter(model)
    assert interpreter.output.dtype == ("int8" if kind == "int8" else "float32")
    answers = np.stack([interpreter.embed(each) for each in features])
    assert 1.0 - np.sum(answers * unit_length(network.predict(features, verbose=0)), axis=1).min() < FARTHEST[kind]


def test_campplus_is_converted_with_int8_weights_unless_the_recipe_says_otherwise() -> None:
    assert Backbone(network="campplus").converted_to == "dynamic"
    assert Backbone(network="lean").converted_to == "int8"
    assert Backbone(network="campplus", conversion="float16").converted_to == "float16"
    with pytest.raises(ConfigError, match="dynamic"):
        Backbone(conversion="int4")


def test_nothing_is_learnt_only_where_there_are_weights_to_take() -> None:
    with pytest.raises(ConfigError, match="epochs"):
        Backbone(epochs=0)
    assert Backbone(epochs=0, start_from="weights/campplus.keras").epochs == 0


def test_published_weights_become_a_backbone_with_voices_and_are_kept(
    home: Path,  # noqa: F811
    weights: Path,
    tmp_path: Path,
) -> None:
    from training.imported import import_published

    published = Backbone(network="lean", width=WIDTH, embedding_size=SIZE, start_from=str(weights), epochs=0,
                         conversion="dynamic")  # fmt: skip
    asked = replace(recipe(home, tmp_path / "models"), backbone=published, frontend=KALDI)
    index = index_folder(home)
    parts = split(index, seed=7, validation_fraction=0.4, test_fraction=0.15, enrol_sessions="first")
    stages = Stages(tmp_path / "runs", JsonLines(tmp_path / "log.jsonl"))
    made, again = (import_published(asked, index, parts, stages, lambda *_: None) for _ in range(2))
    assert [line.endswith("(kept)") for line in stages.table()[:2]] == [False, True]
    assert made.model == again.model
    assert made.frontend == KALDI
    assert Interpreter(made.model).output.dtype == "float32"
    assert made.manifest["network"]["conversion"] == "dynamic"
    assert made.manifest["training_speakers"] == []
    people = {speaker_hash(each.speaker) for each in parts.backbone}
    assert set(made.manifest["cohort_speakers"]) == people
    assert made.cohort.shape == (len(people), SIZE)
    assert set(made.validation.names) == {speaker_hash(each.speaker) for each in parts.validation}

    missing = replace(asked, backbone=replace(published, start_from=str(tmp_path / "campplus.keras")))
    with pytest.raises(DataError, match="training weights campplus"):
        import_published(missing, index, parts, stages, lambda *_: None)
    other = replace(asked, backbone=replace(published, width=2 * WIDTH))
    with pytest.raises(DataError, match="cannot be gone on from"):
        import_published(other, index, parts, stages, lambda *_: None)
