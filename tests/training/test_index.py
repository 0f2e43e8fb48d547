"""The index: what is read, what is rejected and why, and what a second run costs."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import DataError
from training.corpus.index import index_folder, load_samples


def record(path: Path, *, seed: int, seconds: float = 0.5, rate_hz: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * rate_hz)), rate_hz)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    record(tmp_path / "r/allowed/Anna/a.wav", seed=1)
    record(tmp_path / "r/others/Olaf/a.flac", seed=2)
    return tmp_path / "r"


def reasons(root: Path) -> dict[str, str]:
    return {each.path: each.reason for each in index_folder(root).rejected}


def test_formats_that_are_not_read_and_unknown_folders_are_named(root: Path) -> None:
    (root / "allowed/Anna/phone.M4A").write_bytes(b"x")
    record(root / "alowed/Bruno/a.wav", seed=3)
    found = reasons(root)
    assert "no audio format that is known" in found["allowed/Anna/phone.M4A"]
    assert "not one of the folders" in found["alowed"]


def test_a_link_that_leads_nowhere_is_rejected_and_one_that_leads_to_a_file_is_read(root: Path, tmp_path: Path) -> None:
    (root / "others/Olaf/lost.wav").symlink_to(tmp_path / "nowhere.wav")
    (root / "others/Olaf/linked.wav").symlink_to(record(tmp_path / "elsewhere.wav", seed=4))
    index = index_folder(root)
    assert "cannot be opened" in {each.path: each.reason for each in index.rejected}["others/Olaf/lost.wav"]
    assert "others/Olaf/linked.wav" in {each.path for each in index.recordings}


def test_a_linked_folder_is_followed_but_a_link_to_a_folder_above_is_not(root: Path, tmp_path: Path) -> None:
    record(tmp_path / "archive/2026-01-01/a.wav", seed=5)
    (root / "others/Pia").symlink_to(tmp_path / "archive")
    (root / "others/Olaf/again").symlink_to(root)
    found = {each.path: each.session for each in index_folder(root).of("others")}
    assert found == {"others/Olaf/a.flac": "1", "others/Pia/2026-01-01/a.wav": "2026-01-01"}


def test_values_that_are_not_numbers_are_rejected(root: Path) -> None:
    tone = np.random.default_rng(1).uniform(-0.3, 0.3, 16000)
    soundfile.write(root / "allowed/Anna/nan.wav", np.append(tone, np.nan), 16000, subtype="FLOAT")
    assert "not numbers" in reasons(root)["allowed/Anna/nan.wav"]


def test_a_rate_that_cannot_be_resampled_is_rejected_before_training_meets_it(root: Path) -> None:
    record(root / "allowed/Anna/slow.wav", seed=6, rate_hz=4000)
    assert "4000 Hz" in reasons(root)["allowed/Anna/slow.wav"]


def test_a_copy_in_another_format_is_the_same_sound(root: Path) -> None:
    sound, rate_hz = soundfile.read(root / "allowed/Anna/a.wav", dtype="int16")
    soundfile.write(root / "allowed/Anna/b.flac", sound, rate_hz)
    assert "same sound as allowed/Anna/a.wav" in reasons(root)["allowed/Anna/b.flac"]
    soundfile.write(root / "others/Olaf/b.flac", sound, rate_hz)
    with pytest.raises(DataError, match="two people") as caught:
        index_folder(root)
    assert "allowed/Anna/a.wav" in str(caught.value)
    assert "others/Olaf/b.flac" in str(caught.value)


def test_of_two_copies_of_a_noise_the_one_kept_for_evaluation_stays(root: Path) -> None:
    kept = record(root / "noise/evaluate-only/rain.wav", seed=7)
    (root / "noise/a-rain.wav").write_bytes(kept.read_bytes())
    assert [each.path for each in index_folder(root).of("noise")] == ["noise/evaluate-only/rain.wav"]


def test_a_short_room_response_is_kept_and_short_speech_is_not_wherever_the_folder_stands(tmp_path: Path) -> None:
    root = tmp_path / "rir" / "home"
    record(root / "allowed/Anna/a.wav", seed=1)
    record(root / "allowed/Anna/b.wav", seed=2, seconds=0.2)
    record(root / "rir/hall.wav", seed=3, seconds=0.1)
    index = index_folder(root)
    assert [each.path for each in index.recordings] == ["allowed/Anna/a.wav", "rir/hall.wav"]
    assert [(each.path, each.reason) for each in index.rejected] == [("allowed/Anna/b.wav", "only 0.20 s long")]


def test_a_recording_outside_a_speakers_folder_is_an_error_that_says_where_to_put_it(root: Path) -> None:
    record(root / "others/alone.wav", seed=8)
    with pytest.raises(DataError, match=r"others/<speaker>/"):
        index_folder(root)


def test_a_torn_cache_costs_time_and_not_truth(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = tmp_path / "index.jsonl"
    whole = index_folder(root, cache=cache)
    lines = cache.read_text().splitlines()
    cache.write_text(lines[0] + "\n" + lines[1][:30])
    assert index_folder(root, cache=cache) == whole
    assert "1 lines cannot be used" in caplog.text
    assert cache.read_text().splitlines() == lines


def test_one_cache_serves_two_folders_and_forgets_files_that_are_gone(root: Path, tmp_path: Path) -> None:
    cache, second = tmp_path / "index.jsonl", tmp_path / "second"
    record(second / "allowed/Anna/a.wav", seed=9)
    index_folder(root, cache=cache)
    index_folder(second, cache=cache)
    assert len(cache.read_text().splitlines()) == 3
    os.unlink(root / "others/Olaf/a.flac")
    index_folder(root, cache=cache)
    assert "Olaf" not in cache.read_text()
    assert len(cache.read_text().splitlines()) == 2


def test_an_interrupted_run_keeps_what_it_has_found(root: Path, tmp_path: Path) -> None:
    def interrupt(_label: str, done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_folder(root, cache=tmp_path / "i.jsonl", progress=interrupt)
    assert "Anna" in (tmp_path / "i.jsonl").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i.jsonl", "r"]


def test_the_datas_name_follows_content_and_people_but_not_file_names(root: Path) -> None:
    before = index_folder(root).data_sha256()
    os.rename(root / "others/Olaf/a.flac", root / "others/Olaf/renamed.flac")
    assert index_folder(root).data_sha256() == before
    os.rename(root / "others/Olaf", root / "others/Peter")
    assert index_folder(root).data_sha256() != before


def test_full_scale_is_clipped_and_never_wraps(tmp_path: Path) -> None:
    (tmp_path / "allowed/Anna").mkdir(parents=True)
    loud = np.tile(np.array([1.5, 1.0, -1.0, -1.5, 0.5]), 2000)
    soundfile.write(tmp_path / "allowed/Anna/loud.wav", loud, 16000, subtype="FLOAT")
    samples = load_samples(tmp_path, index_folder(tmp_path).recordings[0])
    assert samples[:5].tolist() == [32767, 32767, -32768, -32768, 16384]


def test_a_recording_that_vanished_after_indexing_is_one_clear_error(root: Path) -> None:
    index = index_folder(root)
    os.unlink(root / "allowed/Anna/a.wav")
    with pytest.raises(DataError, match="index again"):
        load_samples(root, index.of("allowed")[0])
