"""Learning goes on where it was interrupted, and what was learnt survives int8."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError
from device.verdict.interpreter import Interpreter, unit_length
from training.examples import NO_SPEAKER
from training.learning_settings import Backbone
from training.recipe import Compute
from training.tracking import JsonLines

SHAPE = (48, 16)
ONE = Compute(devices="one")
SETTINGS = Backbone(
    network="lean", width=4, embedding_size=16, epochs=3, batch_size=16, crop_frames=32, teacher="resemblyzer"
)


def voices(rng: np.random.Generator, speakers: int, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up features: each speaker raises two bands of their own."""
    labels = np.repeat(np.arange(speakers), clips)
    features = rng.normal(0, 3, (len(labels), *SHAPE))
    for row, label in enumerate(labels):
        features[row, ::3, [label % 16, (label * 5 + 3) % 16]] += 15.0
    return features, labels


def learn(
    folder: Path, settings: Backbone = SETTINGS, seen: list[object] | None = None, compute: Compute = ONE
) -> object:
    seen = [] if seen is None else seen
    from training.fit import ValidationClips, fit_backbone
    from training.material import Material

    rng = np.random.default_rng(0)
    features, labels = voices(rng, 8, 16)
    shard = folder / "shard.npy"
    np.save(shard, np.stack([features, features + rng.normal(0, 1, features.shape)], axis=1).astype(np.float16))
    labels[::10] = NO_SPEAKER
    teacher = unit_length(rng.standard_normal((len(labels), 16)).astype(np.float32))
    held, who = voices(rng, 6, 6)
    validation = ValidationClips(held.astype(np.float32), tuple(f"v{each}" for each in who))
    material = Material((shard,), labels, teacher, np.arange(len(labels)), "made up")
    return fit_backbone(
        material, validation, settings=settings, seed=1, folder=folder / "fit",
        tracker=JsonLines(folder / "log.jsonl"), progress=lambda *told: seen.append(told), compute=compute,
    )  # fmt: skip


def test_an_interrupted_run_goes_on_and_a_finished_one_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    from training import fit

    begin = fit.Watch.on_epoch_begin

    def die(self: object, epoch: int, logs: object = None) -> None:
        if epoch == 1:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    monkeypatch.setattr(fit.Watch, "on_epoch_begin", die)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path)
    assert not (tmp_path / "fit/finished").exists()
    monkeypatch.setattr(fit.Watch, "on_epoch_begin", begin)
    network = learn(tmp_path)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    lines = (tmp_path / "fit/epochs.jsonl").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [f'{{"epoch": {epoch}' for epoch in range(3)]
    learn(tmp_path)
    assert (tmp_path / "fit/epochs.jsonl").read_text().splitlines() == lines

    from training.quantize import min_runtime, quantize

    features = voices(np.random.default_rng(5), 8, 4)[0].astype(np.float32)
    model = quantize(network, features)
    assert min_runtime(model) <= (2, 14, 0)
    interpreter = Interpreter(model)
    whole = unit_length(np.asarray(network(features)))  # type: ignore[operator]
    small = np.stack([interpreter.embed(each) for each in features])
    assert np.mean(np.sum(whole * small, axis=1)) > 0.95


def test_learning_stops_when_nothing_gets_better_and_never_without_patience() -> None:
    pytest.importorskip("tensorflow")
    from training.fit import gives_up

    assert gives_up([0.5, 0.4, 0.4, 0.6], patience=2)
    assert not gives_up([0.5, 0.4, 0.4, 0.3], patience=2)
    assert not gives_up([0.5, 0.6], patience=2)
    assert not gives_up([0.5] * 50, patience=0)


def test_a_patient_run_ends_early_and_tells_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    from training import fit

    monkeypatch.setattr(fit, "frr_at_far", lambda *_: 0.5)
    seen: list[object] = []
    learn(tmp_path, replace(SETTINGS, epochs=9, patience=2, schedule="constant", label_smoothing=0.1), seen)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["step"]) for line in lines] == [("epoch", 0), ("epoch", 1), ("epoch", 2)]
    assert seen[-1] == ("fit", 3 * 8, 9 * 8)


def test_balanced_draws_hear_every_speaker_equally_often_and_the_unknown_as_the_average_clip() -> None:
    pytest.importorskip("tensorflow")
    from training.batches import chances

    labels = np.array([0] * 30 + [1] * 10 + [NO_SPEAKER] * 10)
    level = chances(labels, 1.0)
    assert level.sum() == pytest.approx(1.0)
    assert level[:30].sum() == pytest.approx(level[30:40].sum())
    assert level[40:].sum() == pytest.approx(0.2)
    assert np.ptp(chances(labels, 0.0)) == 0.0


def test_learning_goes_on_from_an_earlier_runs_weights_and_refuses_those_of_another_network(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.begin import load_start
    from training.networks.backbone import build

    sizes = {"embedding_size": 16, "width": 4}
    first, second = (build("resnet", SHAPE, **sizes) for _ in range(2))
    first.save_weights(tmp_path / "best.weights.h5")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping nested container")
        load_start(second, tmp_path / "best.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))
    other = build("resnet", SHAPE, embedding_size=16, width=8)
    with pytest.raises(DataError, match="gone on from"):
        load_start(other, tmp_path / "best.weights.h5")
    with pytest.raises(DataError, match="gone on from"):
        load_start(first, tmp_path / "missing.weights.h5")


def test_a_run_that_goes_on_begins_at_the_teachers_means_and_with_its_whole_margin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    from training import fit
    from training.networks.backbone import build

    begun = build("lean", SHAPE, embedding_size=16, width=4)
    begun.save_weights(tmp_path / "begun.weights.h5")
    margins, centres = [], []
    begin = fit.Watch.on_epoch_begin

    def watch(self: fit.Watch, epoch: int, logs: object = None) -> None:
        begin(self, epoch, logs)
        margins.append(float(self.model.margin.numpy()))
        centres.append(self.model.classes.numpy())

    monkeypatch.setattr(fit.Watch, "on_epoch_begin", watch)
    given: list[np.ndarray] = []
    first = fit.first_centres
    monkeypatch.setattr(fit, "first_centres", lambda *a, **n: given.append(first(*a, **n)) or given[-1])
    learn(tmp_path, replace(SETTINGS, epochs=2, start_from=str(tmp_path / "begun.weights.h5")))
    assert margins == pytest.approx([0.2, 0.2])
    assert np.array_equal(centres[0], given[0])

    margins.clear()
    (tmp_path / "chance").mkdir()
    learn(tmp_path / "chance", replace(SETTINGS, epochs=3))
    assert margins == pytest.approx([0.0, 0.2, 0.2])
    assert len(given) == 1
