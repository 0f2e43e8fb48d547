"""Arrays are read without pickle and without believing a size."""

import ast
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from device.verdict.npz import npy_array, npz_arrays, npz_bytes
from tests.conftest import ROOT

SOURCES = sorted([*ROOT.glob("device/**/*.py"), *ROOT.glob("training/**/*.py")])
# Modules that read or write pickles; keras.models.load_model and torch.load are looked for as calls.
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pandas"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_pickle_is_read_anywhere(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {each.name.split(".")[0] for each in node.names} & PICKLES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in PICKLES
        elif isinstance(node, ast.Call):
            allowed = {each.arg: each.value for each in node.keywords if each.arg in ("allow_pickle", "weights_only")}
            called = ast.unparse(node.func)
            for key, value in allowed.items():
                assert isinstance(value, ast.Constant)
                assert value.value is (key == "weights_only")
            # NumPy's default is False as well; on the door it is said.
            at_the_door = name(path).startswith("device/")
            assert called not in ("np.load", "numpy.load") or "allow_pickle" in allowed or not at_the_door
            assert called != "torch.load" or "weights_only" in allowed
            assert called not in ("eval", "exec", "np.lib.format.read_array", "yaml.load")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_two_files_touch_keys(path: Path) -> None:
    """What verifies, and what signs."""
    modules = {node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    if any(each.split(".")[0] == "nacl" for each in modules):
        assert name(path) in ("device/verdict/signature.py", "device/verdict/signing.py")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.int16).reshape(3, 4),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.float64(3.5).reshape(()),
        np.zeros((0, 256), dtype=np.float32),
        np.array([True, False]),
        np.array(["Zoë", "b"]),
        np.arange(3, dtype=np.uint8),
        np.array([1.5], dtype=np.float16),
    ],
)
def test_what_numpy_writes_is_read_back(array: np.ndarray) -> None:
    read = npz_arrays(npz_bytes(some=array))["some"]
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert np.array_equal(read, array)
    assert read.flags.writeable
    stored = io.BytesIO()
    np.savez(stored, some=array)
    assert np.array_equal(npz_arrays(stored.getvalue())["some"], array)


def test_objects_are_refused_unopened() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, trap=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="not plain numbers"):
        npz_arrays(buffer.getvalue())


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    content = header.encode() + b"\n"
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(content).to_bytes(2 if version == 1 else 4, "little") + content + data
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999,), }", b"\0" * 16),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", b"\0" * 13),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", b"\0" * 4),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os'), }"),
        npy("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff\xff\xff\x7f"),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", b"\0" * 4, version=3),
        npy("(" * 5000),
    ],
)
def test_a_header_that_is_not_numpy_s_own_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"npy|data|text"):
        npy_array(content)


def test_a_zip_bomb_costs_no_memory() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prototypes.npy", b"\0" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="when unpacked"):
            npz_arrays(bomb.getvalue(), max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_unpacked() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * 50_000_000)
    content = bomb.getvalue().replace((50_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="npz"):
            npz_arrays(content, max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as file:
        file.writestr("a.npy", b"")
    with pytest.raises(ValueError, match="methods"):
        npz_arrays(archive.getvalue())


@pytest.mark.parametrize("names", [["a.npy", "a.npy"], [f"{number}.npy" for number in range(17)], ["a.txt"]])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_too_many_and_other_files_are_refused(names: list[str]) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for each in names:
            file.writestr(each, b"")
    with pytest.raises(ValueError, match=r"each once|no \.npy"):
        npz_arrays(archive.getvalue())
