"""A study of layers from a learnt network to int8, the page and the command."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device.errors import ConfigError
from tests.training.test_fit import SETTINGS, SHAPE, learn, voices
from tests.training.tiny_network import tiny
from training.cli import main
from training.study.layers.command import recipe_with

pytest.importorskip("tensorflow")

from training.fit import ValidationClips
from training.study.layers import study as whole
from training.study.layers.bench import Bench
from training.study.layers.measured import ALL, RESET_MEASURED
from training.study.layers.start import start_of
from training.study.layers.suggestion import SHIPPED, suggested

TINY = replace(SETTINGS, network="tiny", keep_epoch="last", epochs=2)


def nothing(*_: object) -> None:
    """No progress, nothing said."""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A tiny network learnt for two epochs, and where."""
    from training.networks.backbone import NETWORKS

    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", tiny)
        yield learn(folder, TINY), folder


@pytest.fixture
def learnt_tiny(fitted: tuple[Any, Path], tmp_path: Path) -> Any:
    """That network, with a copy of its folder and the recipe it could be of."""
    network, folder = fitted
    shutil.copytree(folder / "fit", tmp_path / "fit")
    recipe = SimpleNamespace(backbone=TINY, data=SimpleNamespace(seed=1), frontend=SimpleNamespace(shape=SHAPE),
                             vad=None, segmenter=None)  # fmt: skip
    return SimpleNamespace(network=network, recipe=recipe, folder=tmp_path / "fit", shard=folder / "shard.npy")


def test_the_start_of_an_older_fit_is_drawn_again_and_that_of_another_seed_is_not_taken(learnt_tiny: Any) -> None:
    kept = start_of(learnt_tiny.recipe, learnt_tiny.folder, learnt_tiny.network)
    assert kept.told == "kept when learning began"
    (learnt_tiny.folder / "start.weights.h5").unlink()
    again = start_of(learnt_tiny.recipe, learnt_tiny.folder, learnt_tiny.network)
    assert again.told.startswith("drawn again")
    assert kept.kernels is not None
    assert again.kernels is not None
    for name, values in kept.kernels.items():
        assert np.array_equal(values, again.kernels[name])
    learnt_tiny.recipe.data.seed = 2
    other = start_of(learnt_tiny.recipe, learnt_tiny.folder, learnt_tiny.network)
    assert other.kernels is None
    assert "could not be drawn again" in other.told


def test_the_whole_study_of_a_learnt_network_ends_in_int8_and_on_a_page(
    learnt_tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.quantize import quantize
    from training.study.layers.page import page
    from training.study.layers.told import in_columns, main_table, together_table

    features, who = voices(np.random.default_rng(0), 6, 6)
    validation = ValidationClips(features.astype(np.float32), tuple(f"v{each}" for each in who))
    shipped = quantize(learnt_tiny.network, features[:20].astype(np.float32))
    learnt = SimpleNamespace(network=learnt_tiny.network, fit_folder=learnt_tiny.folder,
                             artefact=SimpleNamespace(model=shipped),
                             material=SimpleNamespace(shards=(learnt_tiny.shard,), key="made up"))  # fmt: skip
    monkeypatch.setattr(whole, "recordings_of", lambda *_: (SimpleNamespace(root=None), SimpleNamespace(validation=())))
    monkeypatch.setattr(whole, "learn", lambda *_: learnt)
    monkeypatch.setattr(whole, "Cutter", lambda *_: SimpleNamespace(cut=lambda *_, **__: []))
    monkeypatch.setattr(whole, "validation_clips", lambda *_: validation)
    settings = whole.Settings(tolerance=0.1, draws_anew=1, resamples=20, seed=1)
    said: list[str] = []

    def made() -> Any:
        return whole.study(learnt_tiny.recipe, settings, runs=tmp_path / "runs", pack=None,
                           out=tmp_path / "layers.json", progress=nothing, say=said.append)  # fmt: skip

    found = made()
    assert said == ["start of the network: kept when learning began"]
    assert len(found.measured) == 4
    assert all(RESET_MEASURED in row for layer, row in found.measured.items() if layer != ALL)
    # A tolerance of ten points leaves something that can be held in 4 bits, also in the network that a door runs.
    best = suggested(found.outcomes, tolerance=0.1)
    assert best is not None
    assert found.outcomes[best].saved_bytes > 0
    assert found.outcomes[best].deflated_bytes < found.outcomes[SHIPPED].deflated_bytes
    assert found.outcomes[SHIPPED].int8_rates.eer_cost.value == 0.0
    assert best in found.suggestion
    assert list((tmp_path / "runs").glob("layers-*/*.tflite"))

    told = json.loads((tmp_path / "layers.json").read_text())
    assert [each["epoch"] for each in told["epochs"]] == [0, 1]
    assert told["suggested"] == best

    text = page(found, command="python -m training study layers R")
    for layer in found.measured:
        assert layer in text
    assert "http" not in text
    assert 'aria-label="How far each layer is from its start' in text
    rows = in_columns(*main_table(found.measured, found.verdicts, found.plain)).splitlines()
    assert len(rows) == 1 + 1 + 4
    assert len({len(line.rstrip()) for line in rows[:1]}) == 1
    assert in_columns(*together_table(found.outcomes)).count("\n") == len(found.outcomes)

    # The same command again measures nothing, and an older fit is said to be one.
    monkeypatch.setattr(Bench, "changed", lambda *_, **__: pytest.fail("measured a second time"))
    assert made().conclusions == found.conclusions
    (learnt_tiny.folder / "layers.jsonl").unlink()
    older = made()
    assert "older than the log" in said[-2]
    assert 'aria-label="How far each layer ended' in page(older, command="")


def test_a_recipe_is_changed_on_the_command_line_and_a_wrong_change_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[data]\nfolder = "x"\n[publish]\nname = "n"\n')
    made = recipe_with(path, ["backbone.width=6", 'backbone.network="lean"'])
    assert (made.backbone.width, made.backbone.network) == (6, "lean")
    assert recipe_with(path, []).backbone.width == 16
    for wrong, said in (
        ("backbone.widht=6", "did you mean"),
        ("width=6", "not a key"),
        ("backbone.width=lean", "not a value"),
    ):
        with pytest.raises(ConfigError, match=said):
            recipe_with(path, [wrong])
    with pytest.raises(ConfigError):
        recipe_with(tmp_path / "missing.toml", ["backbone.width=6"])


def test_the_command_is_one_of_the_studies_and_refuses_what_cannot_be_studied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[data]\nfolder = "x"\n[publish]\nname = "n"\n')
    for wrong in (["--tolerance", "0"], ["--draws", "0"], ["--resamples", "1"], ["--set", "backbone.width=wide"]):
        assert main(["study", "layers", str(path), *wrong, "--json", str(tmp_path / "out.json")]) == 78
    assert "a tolerance above 0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
