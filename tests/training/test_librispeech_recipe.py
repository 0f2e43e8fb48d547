"""The recipe for public corpora as it is shipped, on a miniature laid out as those corpora come."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from device.verdict.bundle import load_bundle
from tests.conftest import ROOT
from training.backbone import read_backbone
from training.corpus.household import build_household
from training.corpus.split import speaker_hash
from training.recipe import read_recipe
from training.run import run

READERS = 60
STRANGERS, FILES_A_STRANGER = 44, 14


@pytest.fixture
def workshop(speech_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a household of two with few others, and ``corpora`` as ``training fetch`` leaves them."""
    with (speech_pack / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    readers = [row for row in rows if row["corpus"] == "librispeech_train_clean"][:READERS]
    for row in readers:
        # Called FLAC as in the corpus, whatever the pack holds: a sound file says itself what it is.
        session = row["session"].removeprefix("chapter")
        _link(speech_pack / row["path"], tmp_path / "corpora/librispeech-train-clean-100/LibriSpeech/train-clean-100"
              / row["speaker"] / session / f"{Path(row['path']).stem}.flac")  # fmt: skip
    for kind, folder in (("noise", "musan-noise/musan/noise"), ("rir", "rirs-noises/RIRS_NOISES/simulated_rirs")):
        for row in [row for row in rows if row["kind"] == kind][:6]:
            _link(speech_pack / row["path"], tmp_path / "corpora" / folder / Path(row["path"]).name)
    point = next(row for row in rows if row["kind"] == "noise")
    _link(speech_pack / point["path"],
          tmp_path / "corpora/rirs-noises/RIRS_NOISES/pointsource_noises" / Path(point["path"]).name)  # fmt: skip

    files: Counter[str] = Counter()
    kept = [row for row in rows if row["corpus"] == "librispeech"]
    for row in [row for row in rows if row["corpus"] == "speechocean762" and row["use"] == "train"]:
        if row["speaker"] in files or len(files) < STRANGERS:
            files[row["speaker"]] += 1
            kept += [row] if files[row["speaker"]] <= FILES_A_STRANGER else []
    pack = tmp_path / "pack"
    for row in kept:
        _link(speech_pack / row["path"], pack / row["path"])
    with (pack / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(kept)
    build_household(pack, tmp_path / "recordings/household", residents=2, seed=3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _link(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(source)


def test_the_shipped_recipe_learns_from_a_corpus_in_its_own_folders_and_publishes_a_whitened_network(
    workshop: Path,
) -> None:
    pytest.importorskip("tensorflow")
    shipped = read_recipe(ROOT / "training/recipes/backbone_librispeech.toml")
    assert 0 < shipped.backbone.whitening <= 1
    # Smaller and shorter, and without the teacher's environment; where things are and how they are used stays.
    small = replace(
        shipped,
        data=replace(shipped.data, validation_fraction=0.4),
        backbone=replace(
            shipped.backbone, teacher="", width=4, embedding_size=16, crop_frames=100, epochs=1, variants=1,
            batch_size=32, speeds=(1.0,),
        ),
        enrol=replace(shipped.enrol, min_speech_seconds=5.0),
        decision=replace(shipped.decision, target_far=0.2, cohort_top=10),
    )  # fmt: skip
    said: list[str] = []
    outcome = run(small, runs=workshop / "runs", progress=lambda *_: None, say=said.append)

    backbone = read_backbone(workshop / "models/backbone-librispeech")
    readers = (workshop / "corpora/librispeech-train-clean-100/LibriSpeech/train-clean-100").iterdir()
    hashes = {speaker_hash(f"librispeech-{each.name}") for each in readers}
    learnt, held = set(backbone.manifest["training_speakers"]), set(backbone.manifest["validation_speakers"])
    assert len(hashes & learnt) > READERS // 2
    assert hashes & held
    assert not learnt & held
    assert backbone.manifest["network"]["network"] == shipped.backbone.network
    assert any(line.startswith("whitened") for line in outcome.stages)
    assert (workshop / "models/backbone-librispeech.weights.h5").is_file()
    manifest = load_bundle(workshop / "models/household").manifest
    assert manifest["licences"] == list(shipped.publish.licences)
    assert manifest["network"]["width"] == small.backbone.width
    assert outcome.figures["counts"]["residents"] == 2
