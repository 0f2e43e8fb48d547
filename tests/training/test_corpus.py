"""What goes in: index, rejects, split, guard, household folders."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import DataError
from training.corpus import index as module
from training.corpus.household import build_household
from training.corpus.index import index_folder, load_samples
from training.corpus.inspection import Facts
from training.corpus.split import guard, split


def record(path: Path, *, seed: int, seconds: float = 0.5, rate_hz: int = 16000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).uniform(-0.3, 0.3, (round(seconds * rate_hz), channels))
    soundfile.write(path, sound, rate_hz)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    seed = 0
    for person in ("Anna", "Bruno"):
        for session in ("2026-01-01", "2026-02-01"):
            record(tmp_path / "r" / "allowed" / person / session / "a.wav", seed=(seed := seed + 1))
    for speaker in range(40):
        record(tmp_path / "r" / "others" / f"s{speaker}" / "a.flac", seed=100 + speaker)
    record(tmp_path / "r" / "noise" / "rain.ogg", seed=900)
    record(tmp_path / "r" / "rir" / "evaluate-only" / "hall.wav", seed=901, seconds=0.1)
    return tmp_path / "r"


def halves(root: Path, **changes: object) -> object:
    options = {"seed": 3, "validation_fraction": 0.3, "test_fraction": 0.3, "enrol_sessions": "first", **changes}
    return split(index_folder(root), **options)  # type: ignore[arg-type]


def test_every_recording_has_its_role_speaker_and_session(root: Path) -> None:
    found = {each.path: each for each in index_folder(root).recordings}
    assert len(found) == 46
    anna = found["allowed/Anna/2026-01-01/a.wav"]
    assert (anna.role, anna.speaker, anna.session, anna.seconds) == ("allowed", "Anna", "2026-01-01", 0.5)
    assert found["others/s3/a.flac"].session == "1"
    assert found["rir/evaluate-only/hall.wav"].evaluate_only


def test_unusable_files_are_left_out_with_the_reason(root: Path) -> None:
    folder = root / "allowed" / "Anna" / "2026-01-01"
    (folder / "._a.wav").write_bytes(b"\0\5\x16\7")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_bytes(b"hello")
    soundfile.write(folder / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(folder / "short.wav", np.ones(100) * 0.1, 16000)
    (folder / "copy.wav").write_bytes((folder / "a.wav").read_bytes())
    reasons = {Path(each.path).name: each.reason for each in index_folder(root).rejected}
    assert "macOS" in reasons["._a.wav"]
    assert "empty" in reasons["empty.wav"]
    assert "decoded" in reasons["text.wav"]
    assert "silence" in reasons["silent.wav"]
    assert "s long" in reasons["short.wav"]
    assert "same sound" in reasons["copy.wav"]


def test_the_same_sound_under_two_people_is_an_error_with_both_names(root: Path) -> None:
    stolen = (root / "allowed/Anna/2026-01-01/a.wav").read_bytes()
    (root / "others/s1/b.wav").write_bytes(stolen)
    with pytest.raises(DataError, match="two people"):
        index_folder(root)


def test_no_usable_recording_is_an_error_and_not_an_empty_result(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of allowed people"):
        index_folder(tmp_path)
    (tmp_path / "allowed" / "Anna").mkdir(parents=True)
    (tmp_path / "allowed" / "Anna" / "a.wav").write_bytes(b"")
    with pytest.raises(DataError, match="no usable recording"):
        index_folder(tmp_path)


def test_a_second_run_opens_nothing_and_a_changed_file_alone(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = index_folder(root, cache=tmp_path / "i.jsonl")
    opened: list[Path] = []
    inspect = module._inspect

    def watched(path: Path) -> Facts:
        opened.append(path)
        return inspect(path)

    monkeypatch.setattr(module, "_inspect", watched)
    assert index_folder(root, cache=tmp_path / "i.jsonl").data_sha256() == first.data_sha256()
    assert opened == []
    record(root / "others" / "s1" / "a.flac", seed=555, seconds=0.7)
    assert index_folder(root, cache=tmp_path / "i.jsonl").data_sha256() != first.data_sha256()
    assert [path.parent.name for path in opened] == ["s1"]


def test_any_rate_and_channels_load_as_16_khz_mono(tmp_path: Path) -> None:
    record(tmp_path / "allowed" / "Anna" / "a.wav", seed=1, rate_hz=44100, channels=2)
    index = index_folder(tmp_path)
    samples = load_samples(tmp_path, index.recordings[0])
    assert samples.dtype == np.int16
    assert abs(len(samples) - 8000) <= 1


def test_the_first_session_is_enrolled_and_the_others_are_the_test(root: Path) -> None:
    parts = halves(root)
    assert {each.session for each in parts.enrol} == {"2026-01-01"}  # type: ignore[attr-defined]
    assert {each.session for each in parts.resident_test} == {"2026-02-01"}  # type: ignore[attr-defined]


def test_adding_a_person_moves_nobody_else(root: Path) -> None:
    before = {each.speaker for each in halves(root).backbone}  # type: ignore[attr-defined]
    record(root / "others" / "newcomer" / "a.wav", seed=777)
    after = {each.speaker for each in halves(root).backbone}  # type: ignore[attr-defined]
    assert before == after - {"newcomer"}


@pytest.mark.parametrize(
    ("part", "source", "what"),
    [("validation", "backbone", "speaker"), ("test", "validation", "speaker"), ("backbone", "enrol", "speaker"),
     ("resident_test", "enrol", "session"), ("test_noise", "train_noise", "recording")],
)  # fmt: skip
def test_the_guard_finds_a_leak(root: Path, part: str, source: str, what: str) -> None:
    record(root / "noise" / "more.wav", seed=902)
    record(root / "noise" / "again.wav", seed=903)
    parts = halves(root)
    leaking = replace(parts, **{part: getattr(parts, part) + getattr(parts, source)[:1]})  # type: ignore[type-var]
    with pytest.raises(DataError, match=what):
        guard(leaking)


def test_what_is_for_evaluation_only_is_never_trained_on(root: Path) -> None:
    assert [each.path for each in halves(root).test_rir] == ["rir/evaluate-only/hall.wav"]  # type: ignore[attr-defined]


def test_a_household_is_drawn_from_a_pack_by_its_use_column(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    rows = []
    for speaker in range(6):
        for session in range(2):
            name = f"{speaker}-{session}.wav"
            record(pack / name, seed=10 * speaker + session)
            rows.append([name, "speech", "train" if speaker == 0 else "evaluate", "c", str(speaker), str(session)])
    with (pack / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "kind", "use", "corpus", "speaker", "session"], *rows])
    made = build_household(pack, tmp_path / "out", residents=2, seed=1)
    index = index_folder(tmp_path / "out")
    assert {each.speaker for each in index.of("allowed")} == set(made.residents)
    assert {each.speaker for each in index.of("others")} == {"c-0"}
    assert len({each.speaker for each in index.of("strangers")}) == 3
    with pytest.raises(DataError, match="too few speakers"):
        build_household(pack, tmp_path / "more", residents=6, seed=1)
