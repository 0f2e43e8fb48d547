"""Whatever happened to a bundle on its way, the answer is a BundleError, never a crash and never a Bundle."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device.errors import BundleError, VoicelatchError
from device.verdict.bundle import REQUIRED, SUMS, load_bundle, write_bundle, write_folder
from device.verdict.interpreter import Interpreter
from device.verdict.scorer import Scorer

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
        with pytest.raises(BundleError, match=name.replace(".", r"\.")):
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
    opened = os.open

    def deny(path: Path | str, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "model.tflite":
            raise PermissionError(13, "Permission denied", path)
        return opened(path, flags, dir_fd=dir_fd)

    # Taking the permission away would not stop root, who runs the tests in some places.
    monkeypatch.setattr("device.verdict.safe_files.os.open", deny)
    with pytest.raises(BundleError, match=r"model\.tflite: the file cannot be read"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize(
    "line",
    ["", "abc", "{sum} model.tflite", "{sum}  ../model.tflite", "{sum}  SHA256SUMS", "{sum}  SIGNATURE", "{sum}  .x",
     "{sum}  model.tflite", "{upper}  other", "{sum}  /etc/passwd", "{sum}  two words"],
)  # fmt: skip
def test_sums_say_each_plain_name_once(tmp_path: Path, files: dict[str, bytes], line: str) -> None:
    write_bundle(tmp_path / "b", files)
    path = tmp_path / "b" / SUMS
    path.write_text(path.read_text() + line.format(sum="0" * 64, upper="A" * 64) + "\n")
    with pytest.raises(BundleError, match="does not name a file once"):
        load_bundle(tmp_path / "b")


def test_a_file_that_nobody_listed_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    write_bundle(tmp_path / "b", files)
    (tmp_path / "b" / "extra.py").write_bytes(b"")
    with pytest.raises(BundleError, match=r"not listed[\s\S]*extra\.py"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.parametrize("name", ["model.tflite", SUMS, "SIGNATURE"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    tmp_path: Path, files: dict[str, bytes], name: str, make: Callable[[Path], None]
) -> None:
    write_bundle(tmp_path / "b", files)
    (tmp_path / "b" / name).unlink(missing_ok=True)
    make(tmp_path / "b" / name)
    with pytest.raises(BundleError):
        load_bundle(tmp_path / "b")


def test_a_bundle_larger_than_a_door_can_hold_is_refused_before_it_is_read(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path / "b", files)
    monkeypatch.setattr("device.verdict.bundle.BUNDLE_BYTES", 1_000_000)
    with pytest.raises(BundleError, match="too large"):
        load_bundle(tmp_path / "b")
    write_bundle(tmp_path / "c", {**files, "model.tflite": b""})
    # A terabyte that is not there: only its size can say so.
    os.truncate(tmp_path / "c" / "model.tflite", 1 << 40)
    with pytest.raises(BundleError, match="too large"):
        load_bundle(tmp_path / "c")


@pytest.mark.parametrize("damage", [cut_short, replace_with_noise])
def test_a_model_that_is_none_is_refused_by_the_runtime_and_does_not_end_the_process(
    tmp_path: Path, files: dict[str, bytes], damage: Damage
) -> None:
    for seed in range(3):
        model = damage(files["model.tflite"], np.random.default_rng(seed))
        write_bundle(tmp_path / "b", {**files, "model.tflite": model})
        with pytest.raises(VoicelatchError):
            Scorer(load_bundle(tmp_path / "b"))


@pytest.mark.parametrize(("inputs", "outputs"), [(2, 1), (1, 0)])
def test_a_model_with_other_ends_or_that_cannot_be_run_is_a_bundle_error(
    models: Path, monkeypatch: pytest.MonkeyPatch, inputs: int, outputs: int
) -> None:
    real: Any = Interpreter((models / "demo/model.tflite").read_bytes())._interpreter
    details = {"inputs": real.get_input_details() * inputs, "outputs": real.get_output_details() * outputs}
    fake = SimpleNamespace(
        allocate_tensors=lambda: None,
        get_input_details=lambda: details["inputs"],
        get_output_details=lambda: details["outputs"],
    )
    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", lambda **_: fake)
    with pytest.raises(BundleError, match="does not have one"):
        Interpreter(b"")


def test_an_operation_that_fails_while_it_runs_is_a_bundle_error(models: Path) -> None:
    made = Interpreter((models / "demo/model.tflite").read_bytes())

    def fail() -> None:
        raise RuntimeError("Node number 3 failed to invoke")

    made._interpreter = SimpleNamespace(set_tensor=lambda *_: None, invoke=fail)
    with pytest.raises(BundleError, match="Node number 3"):
        made.run(np.zeros(made.input.shape, dtype=np.float32))
