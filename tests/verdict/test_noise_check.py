"""A bundle that opens to what nobody speaks is refused: at start, at reload, by use and check, and when it is made."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import BundleError
from device.service.check import check_bundle
from device.service.verified import UNSIGNED, use_bundle, verify
from device.sound.pcm import CLIP_SAMPLES, CLIP_SECONDS, Clip
from device.verdict.bundle import REQUIRED, load_bundle, npz_arrays, npz_bytes, write_bundle
from device.verdict.manifest import parse_manifest
from device.verdict.noise_check import LEVELS_DBFS, noise_evidence, refuse_opening_to_noise, unspoken_sounds
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.scorer import Scorer
from device.verdict.values import Outcome
from training.above_noise import MARGIN_LLR, above_noise
from training.publish import write_verified
from training.voices import Embedder


@pytest.fixture
def files(models: Path) -> dict[str, bytes]:
    return {name: (models / "demo" / name).read_bytes() for name in REQUIRED}


def with_manifest(files: dict[str, bytes], **changed: dict[str, Any]) -> dict[str, bytes]:
    manifest = json.loads(files["manifest.json"])
    for table, values in changed.items():
        manifest[table] |= values
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def opens_to(files: dict[str, bytes], index: int) -> dict[str, bytes]:
    """The bundle with a resident's prototypes replaced by the embedding of one of the sounds."""
    embedder = embedder_of(files)
    sound = list(unspoken_sounds().values())[index]
    arrays = npz_arrays(files["head.npz"])
    arrays["prototypes"] = arrays["prototypes"].copy()
    arrays["prototypes"][arrays["owners"] == 0] = embedder.interpreter.embed(embedder.log_mel(sound))
    return {**files, "head.npz": npz_bytes(**arrays)}


def embedder_of(files: dict[str, bytes]) -> Embedder:
    return Embedder(files["model.tflite"], parse_manifest(files["manifest.json"], where="m").frontend)


ATTACKS: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    # Each number within its range: only the sounds show what they do together.
    "evidence for everybody": lambda files: with_manifest(files, calibration={"intercept": 10.0}),
    "and a low threshold": lambda files: with_manifest(
        files, calibration={"intercept": 3.0}, thresholds={"open_llr": 0.5, "refuse_llr": -1.0}
    ),
    "for little speech": lambda files: with_manifest(files, calibration={"short_intercept": 60.0}),
    "clip after clip": lambda files: with_manifest(
        files, calibration={"intercept": 1.0}, thresholds={"max_clips": 10, "refuse_llr": -5000.0}
    ),
    **{
        f"a resident who is {list(unspoken_sounds())[index]}": lambda files, index=index: opens_to(files, index)  # type: ignore[misc]
        for index in (0, 1, 5, 8, 12, 15, 16)
    },
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bundle_that_opens_to_noise_is_refused_everywhere(
    tmp_path: Path, files: dict[str, bytes], attack: str
) -> None:
    evil = ATTACKS[attack](files)
    write_bundle(tmp_path / "models/evil", evil)
    write_bundle(tmp_path / "models/good", files)
    (tmp_path / "models/current").write_text("good\n")
    refused = "would open to a sound that nobody speaks"
    with pytest.raises(BundleError, match=refused):
        verify(tmp_path / "models/evil", trust=UNSIGNED)
    with pytest.raises(BundleError, match=refused):
        use_bundle(tmp_path / "models", "evil")
    assert (tmp_path / "models/current").read_text() == "good\n"
    found = {each.part: each for each in check_bundle(tmp_path / "models/evil")}
    assert (found["golden vectors"].ok, found["golden vectors"].exit_code) == (False, 65)
    if attack == "evidence for everybody":
        with pytest.raises(BundleError, match=refused):
            write_verified(tmp_path / "models/new", evil)
        assert not (tmp_path / "models/new").exists()


def test_a_golden_clip_that_opens_is_refused(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other sounds aside.
    monkeypatch.setattr("device.verdict.scorer.noise_evidence", lambda *_, **__: {})
    arrays = npz_arrays(files["head.npz"])
    golden, manifest = npz_arrays(files["golden.npz"])["outputs"], json.loads(files["manifest.json"])
    output = manifest["tensors"]["output"]
    voice = (golden[0].astype(np.float32) - output["zero_point"]) * output["scale"]
    arrays["prototypes"] = arrays["prototypes"].copy()
    arrays["prototypes"][arrays["owners"] == 1] = voice / np.linalg.norm(voice)
    write_bundle(tmp_path / "b", {**files, "head.npz": npz_bytes(**arrays)})
    with pytest.raises(BundleError, match="golden clip 0 reaches"):
        Scorer(load_bundle(tmp_path / "b"))


def test_what_is_refused_is_what_the_policy_would_open_to(models: Path) -> None:
    """The sums are those of the policy itself, sound by sound."""
    scorer = Scorer(load_bundle(models))
    bundle = scorer.bundle
    evidence = noise_evidence(
        bundle.head, embedder_of({n: (models / "demo" / n).read_bytes() for n in REQUIRED}).embed_one, max_clips=3,
        min_speech_seconds=bundle.segmenter.min_speech_seconds,
    )  # fmt: skip
    for name, samples in unspoken_sounds().items():
        highest = -np.inf
        for filled, seconds in ((False, CLIP_SECONDS), (True, bundle.segmenter.min_speech_seconds)):
            state = PolicyState()
            spec = PolicySpec(open_llr=1e6, refuse_llr=-1e6, max_clips=3)
            for count in range(3):
                clip = Clip(samples, seconds, filled, count, 0.0, 3.0)
                state, decision = judge(spec, state, scorer.score(clip), now_seconds=3.0 * count)
                highest = max(highest, decision.evidence)
                assert decision.outcome is not Outcome.OPEN
        assert evidence[name] == pytest.approx(highest, abs=1e-3), name


@pytest.mark.parametrize("reached", [5.0, 5.1, np.inf, np.nan])
def test_reaching_the_threshold_is_enough_and_what_is_no_number_reaches_it(reached: float) -> None:
    refuse_opening_to_noise({"hum": 4.9}, open_llr=5.0, where="b")
    with pytest.raises(BundleError, match="clicks reaches"):
        refuse_opening_to_noise({"hum": 4.9, "clicks": reached}, open_llr=5.0, where="b")


def test_the_sounds_are_the_same_on_every_machine_whole_clips_and_at_several_levels() -> None:
    sounds = unspoken_sounds()
    assert {each.shape for each in sounds.values()} == {(CLIP_SAMPLES,)}
    assert {each.dtype for each in sounds.values()} == {np.dtype(np.int16)}
    for kind in ("white noise", "pink noise", "hum of 50 Hz", "hum of 60 Hz", "clicks"):
        assert sum(name.startswith(kind) for name in sounds) == len(LEVELS_DBFS) >= 3
    for name, samples in sounds.items():
        if "dBFS" in name and "clicks" not in name:
            level = 20 * np.log10(np.sqrt(np.mean(np.square(samples / 32768.0))))
            assert level == pytest.approx(float(name.split(" at ")[1].split()[0]), abs=0.5), name
    assert not sounds["silence"].any()


def test_it_costs_little_when_the_door_starts(models: Path) -> None:
    bundle = load_bundle(models)
    unspoken_sounds.cache_clear()
    started = time.process_time()
    Scorer(bundle)
    assert time.process_time() - started < 1.5


def test_a_household_s_threshold_is_raised_above_noise_where_strangers_alone_would_have_it_lower(models: Path) -> None:
    bundle = load_bundle(models)
    embedder = Embedder(bundle.model, bundle.frontend)
    low = replace(bundle.thresholds, open_llr=0.5)
    raised = above_noise(low, bundle.head, embedder, bundle.segmenter)
    assert raised.open_llr > low.open_llr + MARGIN_LLR
    assert replace(raised, open_llr=0.5) == low
    Scorer(replace(bundle, thresholds=raised))
    with pytest.raises(BundleError, match="nobody speaks"):
        Scorer(replace(bundle, thresholds=low))
    assert above_noise(bundle.thresholds, bundle.head, embedder, bundle.segmenter) == bundle.thresholds
