"""Whatever happened to a bundle on its way, the answer is a BundleError, never a crash and never a Bundle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device.errors import BundleError
from device.verdict.bundle import REQUIRED, SUMS, load_bundle, write_bundle, write_folder

Damage = Callable[[bytes, np.random.Generator], bytes]


def cut_short(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def flip_a_bit(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content)))
    return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(0, 8)))]) + content[at + 1 :]


def replace_with_noise(content: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(max(1, len(content)))


@pytest.fixture
def files(models: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (models / "demo").iterdir() if each.name != SUMS}


@pytest.mark.parametrize("name", [*REQUIRED, SUMS])
@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, replace_with_noise])
def test_damage_on_the_way_is_found(tmp_path: Path, files: dict[str, bytes], name: str, damage: Damage) -> None:
    write_bundle(tmp_path / "b", files)
    whole = (tmp_path / "b" / name).read_bytes()
    for seed in range(4):
        (tmp_path / "b" / name).write_bytes(damage(whole, np.random.default_rng(seed)))
        with pytest.raises(BundleError):
            load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", ["head.npz", "golden.npz", "manifest.json"])
@pytest.mark.parametrize("damage", [cut_short, replace_with_noise])
def test_a_part_that_was_broken_before_it_was_summed_is_found_too(
    tmp_path: Path, files: dict[str, bytes], name: str, damage: Damage
) -> None:
    for seed in range(4):
        write_bundle(tmp_path / "b", {**files, name: damage(files[name], np.random.default_rng(seed))})
        with pytest.raises(BundleError, match="manifest"):
            load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", ["model.tflite", "head.npz", "golden.npz"])
def test_a_part_that_was_never_written_is_named(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    write_folder(tmp_path / "b", {key: content for key, content in files.items() if key != name})
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("pointer", [b"", b"..", b"../secrets", b"/etc", b"\xff\xfe\x00", b"absent"])
def test_a_pointer_that_names_no_bundle_beside_it_is_refused(tmp_path: Path, pointer: bytes) -> None:
    (tmp_path / "current").write_bytes(pointer)
    with pytest.raises(BundleError):
        load_bundle(tmp_path)


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path / "b", files)
    read = Path.read_bytes

    def deny(path: Path) -> bytes:
        if path.name == "model.tflite":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    # Taking the permission away would not stop root, who runs the tests in some places.
    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(BundleError, match=r"model\.tflite: the file cannot be read"):
        load_bundle(tmp_path / "b")
