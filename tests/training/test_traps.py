"""Mistakes that published projects on this task have made. Each test fails where one of them is made here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.metrics import f1_score

from device.errors import DataError
from device.sound.logmel import FrontendSpec, LogMel
from tests.conftest import ROOT
from training.backbone import read_backbone
from training.clips import SpokenClip
from training.corpus.index import Index, Recording, index_folder, load_samples
from training.corpus.split import Split, split
from training.metrics import confusion, f1_allowed
from training.publish import golden_clips
from training.voices import Embedder

RATE_HZ = 16000


def test_a_model_that_never_opens_has_an_f1_of_zero() -> None:
    """One project took F1 of the class *denied*: never opening scored 0.82 there."""
    residents, strangers = np.full(30, -5.0), np.full(70, -5.0)
    assert f1_allowed(residents, strangers, 0.0) == 0.0
    truth, said = np.array([1] * 30 + [0] * 70), np.zeros(100, dtype=int)
    assert f1_score(truth, said, pos_label=0) > 0.82


def test_f1_is_that_of_the_class_allowed_and_agrees_with_a_known_library() -> None:
    rng = np.random.default_rng(1)
    residents, strangers = rng.normal(1, 1, 40), rng.normal(-1, 1, 160)
    truth = np.array([1] * 40 + [0] * 160)
    said = (np.concatenate([residents, strangers]) >= 0.3).astype(int)
    assert f1_allowed(residents, strangers, 0.3) == pytest.approx(f1_score(truth, said, pos_label=1))
    counts = confusion(residents, strangers, 0.3)
    assert sum(counts.values()) == 200
    assert counts["residents_accepted"] == int(said[:40].sum())


def table(order: np.random.Generator) -> Index:
    """60 people with several recordings each, in an order drawn from ``order``."""
    rows = [
        Recording(path=f"{role}/{name}/{day}/{take}.wav", role=role, speaker=name, session=day, seconds=3.0,
                  sample_rate_hz=RATE_HZ, sha256=f"{name}{day}{take}", sound_sha256=f"{name}{day}{take}")
        for role, people in (("allowed", ("Anna", "Bruno")), ("others", tuple(f"o{n}" for n in range(60))))
        for name in people for day in ("1", "2") for take in range(3)
    ]  # type: ignore[list-item]  # fmt: skip
    return Index(Path("/nowhere"), tuple(rows[place] for place in order.permutation(len(rows))), ())


def halves(index: Index) -> Split:
    return split(index, seed=5, validation_fraction=0.3, test_fraction=0.3, enrol_sessions="first")


def test_shuffling_between_calls_cannot_mix_the_parts() -> None:
    """One project shuffled a data set between ``take`` and ``skip``: the test held the training's clips."""
    first, second = (halves(table(np.random.default_rng(seed))) for seed in (1, 2))
    for part in ("backbone", "validation", "test", "enrol", "resident_test"):
        assert set(getattr(first, part)) == set(getattr(second, part))
    assert not set(first.backbone) & (set(second.test) | set(second.validation))


def test_all_recordings_of_a_person_are_on_one_side() -> None:
    """A random split over clips puts one recording's clips on both sides."""
    parts = halves(table(np.random.default_rng(3)))
    sides = [{each.speaker for each in side} for side in (parts.backbone, parts.validation, parts.test)]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 60
    enrolled, tested = ({(each.speaker, each.session) for each in side} for side in (parts.enrol, parts.resident_test))
    assert not enrolled & tested


SPECTRAL = {"rfft", "fft", "stft", "melspectrogram", "mfcc", "mel_frequencies", "mel"}
# The teacher's own front-end, made-up noise, pictures for people, the replay guard: none of it reaches the model.
MAY_TRANSFORM = {"device/sound/logmel.py", "training/teacher.py", "training/effects.py",
                 "training/corpus/survey_voices.py", "device/replay/prints.py", "training/replay_paths.py",
                 # What is heard again of an explained clip, and a baseline that no bundle holds.
                 "training/explain/listen.py", "training/study/baselines.py",
                 # The front-end of networks learnt before; and sounds that are made to try a bundle with.
                 "device/sound/slaney.py", "device/verdict/noise_check.py"}  # fmt: skip


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr


def test_there_is_one_preprocessing_and_everybody_uses_it() -> None:
    """Two copies of the front-end drift apart: one in the notebook, one on the device."""
    sources = [*ROOT.glob("device/**/*.py"), *ROOT.glob("training/**/*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in sources if SPECTRAL & set(calls(path))}
    assert "device/sound/logmel.py" in found
    assert found <= MAY_TRANSFORM


def chord(rate_hz: int) -> np.ndarray:
    times = np.arange(round(3.1 * rate_hz)) / rate_hz
    return sum(np.sin(2 * np.pi * each * times) for each in (300, 900, 2500, 5000)) / 8


@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000])
def test_a_recording_at_another_rate_has_the_same_features(tmp_path: Path, rate_hz: int) -> None:
    """Mel filters built for 16 kHz and fed with 44.1 kHz see another voice."""
    features = []
    for rate in (RATE_HZ, rate_hz):
        path = tmp_path / f"allowed/Anna/{rate}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord(rate), rate, subtype="PCM_16")
        recording = next(each for each in index_folder(tmp_path).recordings if each.path.endswith(f"{rate}.wav"))
        features.append(LogMel(FrontendSpec(remove_band_mean=False))(load_samples(tmp_path, recording)[1600:49600]))
    loud = features[0] > features[0].max() - 40
    assert np.abs(features[0] - features[1])[loud].max() < 0.5


def test_a_slammed_door_does_not_rescale_the_voice() -> None:
    """Normalising each picture by its maximum lets one loud moment change all the others."""
    clip = golden_clips()[0] // 4
    slammed = clip.copy()
    slammed[8000:9600] = np.where(np.arange(1600) % 2, 30000, -30000)
    plain, loud = (LogMel(FrontendSpec(remove_band_mean=False))(each) for each in (clip, slammed))
    far_away = slice(70, None)
    assert np.array_equal(plain[far_away], loud[far_away])
    # With the band means removed a slam may shift a band by its share of the clip, but never stretch it.
    plain, loud = (LogMel(FrontendSpec())(each) for each in (clip, slammed))
    shift = (loud - plain)[far_away]
    assert np.ptp(shift, axis=0).max() < 1e-3
    assert np.abs(shift).max() < 6.0


def test_a_clip_has_the_same_embedding_alone_and_among_others() -> None:
    """Batch statistics at inference make a verdict depend on who else is in the batch."""
    backbone = read_backbone(ROOT / "models" / "backbone")
    from device.sound.pcm import Clip

    spoken = [SpokenClip(f"s{n}", "1", Clip(clip, 3.0, False, 0, 0.0, 3.0)) for n, clip in enumerate(golden_clips())]

    def embed(clips: list[SpokenClip]) -> np.ndarray:
        return Embedder(backbone.model, backbone.frontend).voices(clips, progress=lambda *_: None, label="").embeddings

    together = embed(spoken)
    assert np.array_equal(together[::-1], embed(spoken[::-1]))
    assert np.array_equal(together[:1], embed(spoken[:1]))


def test_nothing_to_work_on_is_an_error_and_not_an_empty_success(tmp_path: Path) -> None:
    """One project wrote an empty result file and said it was done."""
    (tmp_path / "allowed" / "Anna").mkdir(parents=True)
    with pytest.raises(DataError, match="no usable recording"):
        index_folder(tmp_path)
    with pytest.raises(DataError, match="cannot be measured"):
        f1_allowed([], [1.0], 0.0)


def swallowing(path: Path) -> Iterator[int]:
    """Lines of handlers for any exception that neither raise nor hand the exception on."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno
            continue
        broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
        raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
        named = node.name is not None and any(
            isinstance(each, ast.Name) and each.id == node.name for each in ast.walk(ast.Module(node.body, []))
        )
        prints = any(isinstance(each, ast.Name) and each.id == "print" for each in ast.walk(node))
        if broad and not raises and (prints or not named):
            yield node.lineno


def test_no_exception_is_printed_and_swallowed(tmp_path: Path) -> None:
    """One project printed the exception and went on with half the data."""
    sources = [*ROOT.glob("device/**/*.py"), *ROOT.glob("training/**/*.py")]
    # The last line of defence of a process: it logs with the traceback and leaves with an exit code.
    found = {(path.relative_to(ROOT).as_posix(), line) for path in sources for line in swallowing(path)}
    last = {"device/service/cli.py", "device/guardian/__main__.py", "device/guardian/watchdog.py"}
    assert {path for path, _ in found} <= last
    bad = tmp_path / "bad.py"
    bad.write_text("try:\n    pass\nexcept Exception as error:\n    print(error)\n")
    assert list(swallowing(bad)) == [3]
