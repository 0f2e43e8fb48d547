"""The studies of uncertainty and of the spectrogram as commands, on a made-up pack."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.study.test_uncertainty import loud
from training.classifier import read_classifier
from training.cli import main
from training.study.spectrogram import command as spectrogram_command
from training.study.spectrogram.settings import settings
from training.study.uncertainty import command as uncertainty_command


@pytest.fixture(scope="module")
def buzzing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen people, six of them on two days, each day 19 s; one noise, one person of another language."""
    folder = tmp_path_factory.mktemp("pack")
    rng = np.random.default_rng(1)
    row = {"kind": "speech", "use": "evaluate", "corpus": "c", "sex": "f", "language": "en"}
    rows = []
    for person in range(16):
        for session in ("1", "2")[: 2 if person < 6 else 1]:
            name = f"{person}-{session}.flac"
            soundfile.write(folder / name, loud(19.0) + rng.normal(0, 0.002, 19 * 16000), 16000)
            rows.append(row | {"path": name, "speaker": str(person), "session": session})
    soundfile.write(folder / "rain.flac", rng.normal(0, 0.1, 5 * 16000), 16000)
    rows.append(row | {"path": "rain.flac", "kind": "noise", "speaker": "", "session": ""})
    rows.append(row | {"path": "0-1.flac", "speaker": "x", "session": "1", "language": "ar", "use": "train"})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def recipe(folder: Path, network: str = "simple") -> Path:
    path = folder / "recipe.toml"
    path.write_text(f'[classifier]\nnetwork = "{network}"\nwidth = 1\nepochs = 1\n[frontend]\nmel_bands = 8\n')
    return path


def test_uncertainty_is_written_and_asked_again_without_learning_anew(
    buzzing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    out, shown = tmp_path / "u.json", tmp_path / "u.html"
    command = ["study", "uncertainty", str(recipe(tmp_path)), "--pack", str(buzzing), "--draws", "1", "--members", "2",
               "--residents", "2", "--enrol-seconds", "18", "--without-product", "--runs", str(tmp_path / "runs"),
               "--json", str(out), "--page", str(shown)]  # fmt: skip
    assert main(command) == 0
    first = json.loads(out.read_text())
    assert {"noise", "language ar"} < set(first["groups"]["ensemble of 2"])
    assert "language ar" in shown.read_text()
    assert "ensemble of 2" in capsys.readouterr().out
    monkeypatch.setattr("training.study.uncertainty.carry_out.learn_classifier", None)
    assert main(command) == 0
    assert json.loads(out.read_text()) == first


def test_the_spectrogram_is_written_as_settings_end(
    buzzing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(spectrogram_command, "settings", lambda base: [settings(base)[0], settings(base)[-1]])
    out, shown = tmp_path / "s.json", tmp_path / "s.html"
    assert main(["study", "spectrogram", str(recipe(tmp_path)), "--pack", str(buzzing), "--draws", "1", "--residents",
                 "2", "--enrol-seconds", "18", "--pitch-clips", "0", "--runs", str(tmp_path / "runs"), "--json",
                 str(out), "--page", str(shown)]) == 0  # fmt: skip
    told = json.loads(out.read_text())
    assert [row["name"] for row in told["settings"]] == ["mel 8", "silence left in, cut blindly"]
    assert told["pitch"] is None
    assert len(told["band_means"]["centres_hz"]) == 8
    assert "silence left in" in shown.read_text()


def test_a_wrong_number_is_refused_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "uncertainty", "--pack", str(tmp_path / "none"), "--members", "1"]) == 78
    assert main(["study", "spectrogram", "--pack", str(tmp_path / "none"), "--draws", "0"]) == 78
    said = capsys.readouterr().err
    assert "--members" in said
    assert "--draws" in said


def test_the_recipe_of_both_can_be_read() -> None:
    assert uncertainty_command.RECIPE == spectrogram_command.RECIPE
    assert read_classifier(uncertainty_command.RECIPE).classifier.dropout > 0
