"""A bundle is believed only when every part agrees."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from device.errors import BundleError
from device.verdict.bundle import SCHEMA, load_bundle, point_current, read_folder, resolve_current, write_folder
from device.verdict.scorer import Scorer


@pytest.fixture
def copy(models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(models / "demo", tmp_path / "demo"))


def reseal(folder: Path) -> None:
    """Make SHA256SUMS fit again, as somebody would who altered a file on purpose."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


def edit_manifest(folder: Path, *keys: str, value: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    place = manifest
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    reseal(folder)


@pytest.mark.parametrize("name", ["model.tflite", "head.npz", "golden.npz", "manifest.json"])
def test_a_flipped_bit_is_found_and_the_file_named(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=name):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["model.tflite", "head.npz", "SHA256SUMS"])
def test_a_missing_or_truncated_file_is_found(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes()[:50])
    with pytest.raises(BundleError):
        load_bundle(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError):
        load_bundle(copy)


def test_a_folder_that_may_not_be_looked_at_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(BundleError, match="may not be looked at"):
        resolve_current(tmp_path)


def test_a_model_of_another_front_end_is_refused(copy: Path) -> None:
    edit_manifest(copy, "frontend", "fingerprint", value="logmel-1:0000000000000000")
    with pytest.raises(BundleError, match="another frontend"):
        load_bundle(copy)


def test_another_segmenter_is_refused(copy: Path) -> None:
    edit_manifest(copy, "segmenter", "spec", "hangover_frames", value=31)
    with pytest.raises(BundleError, match="another segmenter"):
        load_bundle(copy)


def test_another_schema_and_a_missing_field_are_refused(copy: Path) -> None:
    edit_manifest(copy, "schema", value=99)
    with pytest.raises(BundleError, match="another format"):
        load_bundle(copy)
    edit_manifest(copy, "schema", value=SCHEMA)
    edit_manifest(copy, "thresholds", value={})
    with pytest.raises(BundleError, match="missing or not acceptable"):
        load_bundle(copy)


def test_golden_outputs_that_do_not_come_out_stop_the_scorer(copy: Path) -> None:
    from device.verdict.bundle import npz_arrays, npz_bytes

    arrays = npz_arrays((copy / "golden.npz").read_bytes())
    arrays["outputs"][0, 0] ^= 64
    (copy / "golden.npz").write_bytes(npz_bytes(**arrays))
    reseal(copy)
    with pytest.raises(BundleError, match="golden outputs"):
        Scorer(load_bundle(copy))


def test_golden_features_that_do_not_come_out_stop_the_scorer(copy: Path) -> None:
    from device.verdict.bundle import npz_arrays, npz_bytes

    arrays = npz_arrays((copy / "golden.npz").read_bytes())
    arrays["features"][1, 5, 5] += 0.01
    (copy / "golden.npz").write_bytes(npz_bytes(**arrays))
    reseal(copy)
    with pytest.raises(BundleError, match="golden features"):
        Scorer(load_bundle(copy))


def test_a_manifest_that_lies_about_the_tensors_stops_the_scorer(copy: Path) -> None:
    edit_manifest(copy, "tensors", "output", "scale", value=0.5)
    with pytest.raises(BundleError, match="not what the manifest says"):
        Scorer(load_bundle(copy))


def test_current_names_a_folder_beside_it_and_nothing_else(copy: Path) -> None:
    point_current(copy.parent, "demo")
    assert resolve_current(copy.parent) == copy
    for name in ("../demo", "/etc", "..", ""):
        (copy.parent / "current").write_text(name)
        with pytest.raises(BundleError):
            resolve_current(copy.parent)


def test_a_folder_that_has_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle here"):
        load_bundle(tmp_path)


def test_writing_replaces_a_folder_whole_and_leaves_no_scraps(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", {"a": b"1", "b": b"2"})
    write_folder(tmp_path / "x", {"a": b"3"})
    assert read_folder(tmp_path / "x", ["a"])["a"] == b"3"
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["SHA256SUMS", "a"]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
