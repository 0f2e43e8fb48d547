"""Augmentation, calibration, thresholds, recipes; and the whole path, small."""

import re
from pathlib import Path

import numpy as np
import pytest

from device.errors import BundleError, ConfigError, DataError
from device.sound.pcm import CLIP_SAMPLES, Clip, level_dbfs
from device.verdict.bundle import load_bundle
from device.verdict.scorer import Scorer, speech_share
from tests.conftest import ROOT
from training.augment import Surroundings, augment, coloured_noise, few_words, in_room, with_noise
from training.backbone import read_backbone
from training.calibrate import (
    LEAST_SLOPE_SHARE,
    Trials,
    choose_thresholds,
    fit_calibration,
    logistic,
    peaks,
    validation_trials,
    visits,
)
from training.clips import ClipFile, SpokenClip
from training.corpus.index import silent
from training.enrol import enrol
from training.evaluate import conditions
from training.recipe import Augment, Recipe, read_recipe
from training.voices import Voices, cohort_of

RNG = np.random.default_rng


def speech(seed: int = 0) -> np.ndarray:
    return np.rint(RNG(seed).normal(0, 2000, CLIP_SAMPLES)).astype(np.int16)


def test_augmentation_repeats_for_a_seed_and_differs_for_another() -> None:
    around = Surroundings([], [], np.zeros((0, CLIP_SAMPLES), dtype=np.int16))
    one, again, other = (augment(speech(), around, Augment(), RNG(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.dtype == np.int16
    assert one.shape == (CLIP_SAMPLES,)


def test_noise_is_added_at_the_ratio_asked_for() -> None:
    sound = RNG(1).normal(0, 0.1, CLIP_SAMPLES).astype(np.float32)
    noisy = with_noise(sound, coloured_noise(exponent=1.0, rng=RNG(2)), snr_db=10.0)
    ratio = np.mean(sound**2) / np.mean((noisy - sound) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.05)


def test_a_room_that_is_only_direct_sound_changes_nothing() -> None:
    sound = RNG(1).normal(0, 0.1, CLIP_SAMPLES).astype(np.float32)
    response = np.zeros(100, dtype=np.float32)
    response[10] = 0.5
    assert np.abs(in_room(sound, response) - sound).max() < 1e-4


def test_few_words_repeat_as_the_door_repeats_them() -> None:
    sound = few_words((speech() / 32768).astype(np.float32), seconds=1.0, rng=RNG(0))
    assert np.array_equal(sound[:16000], sound[16000:32000])
    assert level_dbfs(np.rint(sound * 32768).astype(np.int16)) == pytest.approx(level_dbfs(speech()), abs=0.5)


def test_logistic_regression_recovers_a_known_likelihood_ratio() -> None:
    # Two normals of deviation 1 and means +-1: the log-likelihood ratio is exactly 2 x.
    def design(x: np.ndarray) -> np.ndarray:
        return np.stack([x, np.ones_like(x)], axis=1)

    slope, intercept = logistic(design(RNG(1).normal(1, 1, 50_000)), design(RNG(2).normal(-1, 1, 50_000)))
    assert slope == pytest.approx(2.0, abs=0.1)
    assert intercept == pytest.approx(0.0, abs=0.1)


def test_calibration_never_turns_the_evidence_of_short_speech_around() -> None:
    """Short clips of residents that are no likelier than strangers' would, by a straight line, be evidence against."""
    rng = RNG(3)
    same = np.concatenate([rng.normal(4, 1, 400), rng.normal(0.2, 1, 400)])
    different = np.concatenate([rng.normal(0, 1, 4000), rng.normal(0.0, 1, 4000)])
    shares = [np.repeat([1.0, 0.5], count) for count in (400, 4000)]
    found = fit_calibration(Trials(same, different, *shares), cohort_top=20)
    assert found.usable
    assert found.slope + found.short_slope == pytest.approx(LEAST_SLOPE_SHARE * found.slope)
    rising = found.ratios(np.array([[-1.0], [1.0]]), np.array([0.0, 0.0]))
    assert rising[1] > rising[0]
    # Where there is nothing to hold, the bound changes nothing.
    kind = Trials(same[:400], different[:4000], shares[0][:400], shares[1][:4000])
    assert fit_calibration(kind, cohort_top=20).slope == pytest.approx(4.0, abs=0.5)


def test_a_visit_is_consecutive_clips_of_one_session_and_its_peak_the_best_running_sum() -> None:
    found = [rows.tolist() for rows in visits("aaaab", "11121", max_clips=2)]
    assert found == [[0, 1], [2], [3], [4]]
    evidence = np.array([[3.0, -1.0], [-5.0, 9.0]])
    assert peaks(evidence, [np.array([0, 1])]).tolist() == [8.0]


def test_the_open_threshold_keeps_its_target_on_every_population_and_falls_with_a_laxer_one() -> None:
    artefact = read_backbone(ROOT / "models/backbone")
    shape = {"cohort_top": 50, "prototypes": 6}
    trials = validation_trials(artefact.validation, artefact.validation_short, artefact.cohort, **shape)
    calibration = fit_calibration(trials, cohort_top=50)
    assert trials.same.mean() > trials.different.mean() + 2
    # With little speech less is said for either answer, on average; one and the same score may say more, where
    # strangers reach it more seldom.
    for scores, shares, sign in ((trials.same, trials.same_shares, 1), (trials.different, trials.different_shares, -1)):
        said = sign * calibration.ratios(scores, shares)
        assert 0.0 < said[shares < 0.75].mean() < said[shares >= 0.75].mean()
    keep = artefact.validation.names[:3]
    rows = np.concatenate([artefact.validation.of(name) for name in keep])
    household = Voices(artefact.validation.embeddings[rows], artefact.validation.shares[rows],
                       tuple(artefact.validation.speakers[row] for row in rows), ("1",) * len(rows))  # fmt: skip
    others = np.setdiff1d(np.arange(len(artefact.validation.speakers)), rows)
    strangers = Voices(artefact.validation.embeddings[others], artefact.validation.shares[others],
                       tuple(artefact.validation.speakers[row] for row in others),
                       tuple(artefact.validation.sessions[row] for row in others))  # fmt: skip
    head = enrol(household, artefact.cohort, calibration, prototypes=6)
    strict = choose_thresholds(head, [strangers], trials, target_far=0.01, max_clips=3)
    lax = choose_thresholds(head, [strangers], trials, target_far=0.1, max_clips=3)
    assert strict.open_llr > lax.open_llr > lax.refuse_llr
    assert strict.far_upper_bound < lax.far_upper_bound
    both = choose_thresholds(head, [strangers, household], trials, target_far=0.01, max_clips=3)
    assert both.open_llr > strict.open_llr


def test_short_speech_is_judged_with_the_weight_the_door_gives_it() -> None:
    spoken = SpokenClip("a", "1", Clip(speech(), 2.5, False, 0, 0.0, 3.0))
    short = conditions([], [])["1.0 s of speech"](spoken, RNG(0)).clip
    assert speech_share(spoken.clip) == 1.0
    assert speech_share(short) == pytest.approx(1 / 3)
    assert np.array_equal(short.samples[:16000], short.samples[16000:32000])


@pytest.mark.parametrize("name", ["household", "demo", "backbone", "backbone_further", "backbone_librispeech", "ge2e"])
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert isinstance(read_recipe(ROOT / f"training/recipes/{name}.toml"), Recipe)


def test_a_wrong_recipe_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('[data]\nfoldr = "x"\n[enrol]\nsessions = "last"\n[publish]\nname = "n"\n')
    with pytest.raises(ConfigError) as caught:
        read_recipe(tmp_path / "r.toml")
    for part in ("did you mean 'folder'", "data.folder: missing", "enrol.sessions"):
        assert part in str(caught.value)


def _household(folder: Path, *, sentences: int) -> Path:
    source = ROOT / "device/simulated/evening"
    for name, files in {"Anna": ("anna.wav",), "Bruno": ("bruno.wav",)}.items():
        (folder / "allowed" / name).mkdir(parents=True)
        for file in files[:sentences]:
            (folder / "allowed" / name / file).write_bytes((source / file).read_bytes())
    return folder


def _recipe(tmp_path: Path, min_seconds: float) -> Recipe:
    text = f"""
[data]
folder = "{tmp_path / "recordings"}"
[backbone]
source = "{ROOT / "models/backbone"}"
[enrol]
min_speech_seconds = {min_seconds}
[publish]
name = "home"
models = "{tmp_path / "models"}"
"""
    (tmp_path / "r.toml").write_text(text)
    return read_recipe(tmp_path / "r.toml")


def test_a_folder_of_recordings_becomes_a_verified_bundle_without_tensorflow(tmp_path: Path) -> None:
    from training.run import run

    _household(tmp_path / "recordings", sentences=1)
    said: list[str] = []
    outcome = run(_recipe(tmp_path, 3.0), runs=tmp_path / "runs", progress=lambda *_: None, say=said.append)
    bundle = load_bundle(tmp_path / "models")
    assert bundle.name == outcome.bundle.name == "home"
    assert bundle.residents == ("Anna", "Bruno")
    assert Scorer(bundle).runtime_name == "ai-edge-litert"
    assert len(bundle.manifest["training_speakers"]) > 300
    assert any("not evaluated" in line for line in said)


def test_too_little_speech_is_an_error_that_names_the_person_and_publishes_nothing(tmp_path: Path) -> None:
    from training.run import run

    _household(tmp_path / "recordings", sentences=1)
    with pytest.raises(DataError, match="Anna: "):
        run(_recipe(tmp_path, 60.0), runs=tmp_path / "runs", progress=lambda *_: None, say=lambda _: None)
    assert not (tmp_path / "models").exists()


def test_a_backbone_that_was_altered_is_refused(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(ROOT / "models/backbone", tmp_path / "b")
    (tmp_path / "b/voices.npz").write_bytes(b"x")
    with pytest.raises(BundleError, match=re.escape("voices.npz")):
        read_backbone(tmp_path / "b")


def spoken(count: int, speaker: str = "a") -> list[SpokenClip]:
    return [SpokenClip(speaker, "1", Clip(speech(seed), 3.0, False, 0, 0.0, 3.0)) for seed in range(count)]


def test_clips_are_written_as_they_come_and_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "clips.npy"
    file = ClipFile(path)
    for count in (2, 0, 11):
        file.append(spoken(count))
    assert not path.exists()
    file.close()
    read = np.load(path, mmap_mode="r")
    assert read.shape == (13, CLIP_SAMPLES)
    assert read.dtype == np.int16
    assert np.array_equal(read[2], speech(0))
    assert np.array_equal(read[12], speech(10))


def test_a_cohort_summed_speaker_by_speaker_is_the_one_of_all_clips_together() -> None:
    backbone = read_backbone(ROOT / "models/backbone")
    groups = [spoken(2, "b"), spoken(3, "a"), spoken(1, "b")]
    embedder = backbone.embedder()
    together = cohort_of(embedder.voices([one for group in groups for one in group], progress=silent, label=""))
    assert np.allclose(embedder.cohort(groups), together, atol=1e-5)


def test_the_network_is_quantized_by_clips_of_all_speakers_and_conditions(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from training.learn import representative

    paths = []
    for shard, rows in enumerate((200, 60)):
        marks = np.arange(rows)[:, None] + 1000 * np.arange(3)[None, :] + 300 * shard
        paths.append(tmp_path / f"{shard}.npy")
        np.save(paths[-1], np.broadcast_to(marks[:, :, None, None], (rows, 3, 2, 2)).astype(np.float32))
    drawn = representative(paths, RNG(1))[:, 0, 0].astype(int)
    assert len(drawn) == 260
    assert {mark // 1000 for mark in drawn} == {0, 1, 2}
    assert {mark % 1000 for mark in drawn} == {*range(200), *range(300, 360)}
