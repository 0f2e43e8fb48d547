"""How far each layer moves is told epoch by epoch, is the same after an interruption, and changes nothing learnt."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_fit import SETTINGS, SHAPE, learn
from tests.training.tiny_network import tiny

SIZES = {"embedding_size": 16, "width": 4}
TINY = replace(SETTINGS, network="tiny", keep_epoch="last")


@pytest.fixture
def with_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    from training.networks.backbone import NETWORKS

    monkeypatch.setitem(NETWORKS, "tiny", tiny)


@pytest.mark.parametrize("name", ["lean_se", "tdnn"])
def test_every_kernel_has_a_name_that_does_not_depend_on_what_was_built_before(name: str) -> None:
    pytest.importorskip("tensorflow")
    from training.networks.backbone import build
    from training.networks.parts import kernels_of, norms_of

    first, second = build(name, SHAPE, **SIZES), build(name, (32, 16), **SIZES)
    names = [each.name for each in kernels_of(first)]
    assert names == [each.name for each in kernels_of(second)]
    assert len(set(names)) == len(names)
    told = sum(each.values().size for each in kernels_of(first))
    scales = sum(2 * layer.moving_mean.shape[0] for layer in norms_of(first))
    biases = sum(int(np.prod(each.shape)) for each in first.trainable_variables if each.name == "bias")
    assert told + scales + biases == sum(int(np.prod(each.shape)) for each in first.trainable_variables)


def test_a_kernel_is_drawn_anew_as_its_layer_draws_it_and_again_the_same_for_a_seed() -> None:
    pytest.importorskip("tensorflow")
    from training.networks.backbone import build
    from training.networks.parts import kernels_of

    kernels = kernels_of(build("tdnn", SHAPE, **SIZES))
    assert "depthwise" in kernels[1].name
    for kernel in kernels[:3]:
        one, again, other = (kernel.drawn_anew(seed) for seed in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
        assert one.shape == kernel.values().shape
        assert one.std() == pytest.approx(kernel.values().std(), rel=0.2)


def test_the_log_of_an_interrupted_run_is_that_of_one_that_was_not_and_agrees_with_the_weights_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tiny: None
) -> None:
    from training import fit
    from training.layer_log import read_layer_log
    from training.networks.parts import kernel_values

    for name in ("whole", "interrupted"):
        (tmp_path / name).mkdir()
    learn(tmp_path / "whole", TINY)
    begin = fit.Watch.on_epoch_begin

    def die(self: object, epoch: int, logs: object = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    monkeypatch.setattr(fit.Watch, "on_epoch_begin", die)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "interrupted", TINY)
    assert len(read_layer_log(tmp_path / "interrupted/fit")) == 2
    monkeypatch.setattr(fit.Watch, "on_epoch_begin", begin)
    learn(tmp_path / "interrupted", TINY)

    log, gone_on = (read_layer_log(tmp_path / name / "fit") for name in ("whole", "interrupted"))
    assert [each["epoch"] for each in gone_on] == [0, 1, 2]
    for one, other in zip(log, gone_on, strict=True):
        for part, count in (("kernels", 3), ("norms", 2)):
            assert len(one[part]) == count
            for name, told in one[part].items():
                assert other[part][name] == pytest.approx(told, rel=1e-3)
    assert all(told["since_start"] == told["since_epoch_before"] > 0 for told in log[0]["kernels"].values())

    start, end = tiny(SHAPE, **SIZES), tiny(SHAPE, **SIZES)
    start.load_weights(tmp_path / "interrupted/fit/start.weights.h5")
    end.load_weights(tmp_path / "interrupted/fit/best.weights.h5")
    before, after = kernel_values(start), kernel_values(end)
    for name, told in gone_on[-1]["kernels"].items():
        change = np.linalg.norm(after[name] - before[name]) / np.linalg.norm(before[name])
        assert told["since_start"] == pytest.approx(float(change), rel=1e-4)


def test_an_epoch_learnt_a_second_time_replaces_its_line(tmp_path: Path, with_tiny: None) -> None:
    from training.layer_log import LayerLog, read_layer_log

    network = tiny(SHAPE, **SIZES)
    log = LayerLog(network, network, tmp_path)
    for epoch in (0, 1, 1, 2):
        log.on_epoch_begin(epoch)
        log.on_epoch_end(epoch)
    assert [each["epoch"] for each in read_layer_log(tmp_path)] == [0, 1, 2]


def test_what_is_learnt_does_not_depend_on_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tiny: None
) -> None:
    from training import fit

    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    told = learn(tmp_path / "with", replace(TINY, epochs=1)).get_weights()  # type: ignore[attr-defined]
    monkeypatch.setattr(fit, "keep_start", lambda *_: None)
    monkeypatch.setattr(fit.LayerLog, "on_epoch_begin", lambda *_: None)
    monkeypatch.setattr(fit.LayerLog, "on_epoch_end", lambda *_: None)
    silent = learn(tmp_path / "without", replace(TINY, epochs=1)).get_weights()  # type: ignore[attr-defined]
    assert not (tmp_path / "without/fit/layers.jsonl").exists()
    for one, other in zip(told, silent, strict=True):
        assert np.allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_layer_that_starts_at_nothing_has_no_relative_change() -> None:
    pytest.importorskip("tensorflow")
    from training.layer_log import moved

    nothing, half = np.zeros(4, np.float32), np.full(4, 0.5, np.float32)
    told = moved({"a": nothing, "b": half}, {"a": nothing, "b": half}, {"a": half, "b": 2 * half})
    assert told["a"] == {"since_start": None, "since_epoch_before": None}
    assert told["b"] == {"since_start": 1.0, "since_epoch_before": 1.0}
