"""A weights file is read without PyTorch, and whatever else a pickle may ask for is refused, not done."""

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.networks.state_dict import MAX_PICKLE_BYTES, read_state_dict


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    key: str = "0",
    count: int = 6,
    *,
    offset: bytes = number(0),
    size: tuple[int, ...] = (2, 3),
    stride: tuple[int, ...] = (3, 1),
    storage: bytes = b"ctorch\nFloatStorage\n",
    rebuild: bytes = b"ctorch._utils\n_rebuild_tensor_v2\n",
) -> bytes:
    """The instructions for one tensor, as PyTorch writes them."""
    persistent = b"(" + text("storage") + storage + text(key) + text("cpu") + number(count) + b"tQ"
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return rebuild + b"(" + persistent + offset + numbers(size) + numbers(stride) + hooks + b"tR"


def program(*items: tuple[str, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in items) + b"u."


SIX = np.arange(6, dtype="<f4")


def archive(code: bytes, members: dict[str, bytes] | None = None, **options: Any) -> bytes:
    """A file with the program ``code`` and a storage of six numbers."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **options) as file:
        file.writestr("archive/data.pkl", code)
        for name, content in ({"archive/data/0": SIX.tobytes()} | (members or {})).items():
            file.writestr(name, content)
    return made.getvalue()


def test_tensors_come_out_by_name_with_offset_and_strides() -> None:
    whole = ("whole", tensor())
    turned = ("turned", tensor(size=(3, 2), stride=(1, 3)))
    part = ("part", tensor(offset=number(4), size=(2,), stride=(1,)))
    single = ("single", tensor(offset=number(5), size=(), stride=()))
    arrays = read_state_dict(archive(program(whole, turned, part, single)))
    assert list(arrays) == ["whole", "turned", "part", "single"]
    assert np.array_equal(arrays["whole"], SIX.reshape(2, 3))
    assert np.array_equal(arrays["turned"], SIX.reshape(2, 3).T)
    assert arrays["part"].tolist() == [4.0, 5.0]
    assert arrays["single"] == 5.0
    arrays["whole"][:] = 0.0
    assert arrays["part"].tolist() == [4.0, 5.0]


def test_a_file_that_pytorch_writes_is_read_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    state = OrderedDict(kernel=torch.randn(4, 3, 5).transpose(0, 1), steps=torch.tensor(7), empty=torch.zeros(0, 3))
    written = io.BytesIO()
    torch.save(dict(state), written)
    arrays = read_state_dict(written.getvalue())
    assert all(np.array_equal(arrays[name], value.numpy()) for name, value in state.items())
    assert arrays["steps"].dtype == np.int64


class Runs:
    """Pickled, it asks for ``os.system`` to be called."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def hostile_pickles(marker: Path) -> dict[str, bytes]:
    command = text(f"touch {marker}")
    return {
        "os.system": pickle.dumps(Runs(marker), 2),
        "os.system, newest protocol": pickle.dumps({"weights": Runs(marker)}, 5),
        "os.system, oldest protocol": pickle.dumps([Runs(marker)], 0),
        "posix by name": b"cposix\nsystem\n" + command + b"\x85R.",
        "builtins.eval": b"cbuiltins\neval\n" + text("1") + b"\x85R.",
        "getattr": b"cbuiltins\ngetattr\nccollections\nOrderedDict\n" + text("__init__") + b"\x86R.",
        "a name reached through another": b"\x80\x04" + b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        "a name made of strings": b"\x80\x04" + text("os") + text("system") + b"\x93" + command + b"\x85R.",
        "a call inside a tensor": program(("w", tensor(offset=b"cos\nsystem\n" + command + b"\x85R"))),
        "a storage that is a call": program(("w", tensor(storage=b"cos\nsystem\n" + command + b"\x85R"))),
        "numpy's own unpickling": pickle.dumps(np.zeros(3), 2),
        "a dictionary made of something": b"ccollections\nOrderedDict\n(((l" + b"l" + b"ttR.",
        "a tensor that is called twice": program(("w", tensor() + b")R")),
        "an object's state": program(("w", tensor() + b"}b")),
        "an object built by its class": b"ccollections\nOrderedDict\n)\x81.",
        "an instance": b"(icollections\nOrderedDict\n.",
        "an extension": b"\x82\x01.",
        "a storage of another kind": program(("w", tensor(storage=b"ctorch\nDoubleStorage\n"))),
        "a storage's name as a dictionary": program(("w", tensor(storage=b"ccollections\nOrderedDict\n"))),
        "a list": b"\x80\x02].",
        "no tensor": program(("w", number(3))),
        "the storage alone": program(("w", b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0")
                                      + text("cpu") + number(6) + b"tQ" + b"\x85")),
        "a name twice": program(("w", tensor()), ("w", tensor())),
        "a name that is a number": b"\x80\x02}(" + number(1) + tensor() + b"u.",
        "nothing on the stack": b"\x80\x02R.",
        "a mark and no end": b"\x80\x02(((.",
        "no such memory": b"\x80\x02h\x07.",
        "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
        "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
        "a huge number": b"\x80\x02\x8b" + struct.pack("<I", 0x7FFFFFFF) + b"x.",
        "a frame of another length": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
        "deep nesting": b"\x80\x02" + b")" + b"\x85" * 100_000 + b".",
        "nothing": b"",
        "no pickle": b"\x00\x01\x02",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(hostile_pickles(Path("x"))))
def test_a_pickle_that_asks_for_anything_else_is_refused_and_nothing_is_run(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(ValueError, match=r".+"):
        read_state_dict(archive(hostile_pickles(marker)[name]))
    assert not marker.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": number(1)},
        {"offset": number(-1)},
        {"offset": b"\x88"},
        {"offset": b"N"},
        {"offset": text("0")},
        {"size": (3, 3)},
        {"size": (-2, -3)},
        {"size": (2,)},
        {"size": (2**31 - 1, 2**31 - 1), "stride": (0, 0)},
        {"size": (7,), "stride": (0,)},
        {"stride": (-3, -1)},
        {"stride": (2**31 - 1, 1)},
        {"size": (1,) * 9, "stride": (1,) * 9},
        {"count": 5},
        {"count": -1},
        {"count": 2**31 - 1},
        {"storage": b"ctorch\nLongStorage\n"},
        {"key": "1"},
        {"key": "../0"},
        {"key": "/etc/passwd"},
        {"key": "data.pkl"},
    ],
    ids=str,
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"storage|tensor"):
        read_state_dict(archive(program(("w", tensor(**wrong)))))


def test_many_tensors_of_one_storage_do_not_fill_the_memory() -> None:
    large = tensor(key="1", count=6000, size=(6000,), stride=(1,))
    file = archive(program(*((f"w{index}", large) for index in range(100))), {"archive/data/1": bytes(24_000)})
    assert len(read_state_dict(file, max_bytes=3_000_000)) == 100
    with pytest.raises(ValueError, match="more memory"):
        read_state_dict(file, max_bytes=2_300_000)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "archive\\..\\x", "archive/../../x"])
def test_a_member_that_points_out_of_the_archive_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="points out"):
        read_state_dict(archive(program(("w", tensor())), {name: b"x"}))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = archive(program(("w", tensor())), {"archive/data/1": bytes(64 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    with pytest.raises(ValueError, match="when unpacked"):
        read_state_dict(bomb, max_bytes=32 << 20)
    long_program = archive(bytes(MAX_PICKLE_BYTES + 1), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="more than"):
        read_state_dict(long_program)


def test_a_size_that_is_not_true_is_refused() -> None:
    whole = archive(program(("w", tensor())), compression=zipfile.ZIP_DEFLATED)
    # The storage's size as the directory at the end has it, and as its own header has it.
    lying = whole.replace(struct.pack("<I", 24) + struct.pack("<HH", 14, 0), struct.pack("<I", 8) + b"\x0e\0\0\0")
    assert lying != whole
    with pytest.raises(ValueError, match=r".+"):
        read_state_dict(lying)


def test_other_compressions_two_programs_and_big_endian_are_refused() -> None:
    code = program(("w", tensor()))
    with pytest.raises(ValueError, match="stored or deflated"):
        read_state_dict(archive(code, compression=zipfile.ZIP_BZIP2))
    with pytest.raises(ValueError, match=r"data\.pkl"):
        read_state_dict(archive(code, {"other/data.pkl": code}))
    with pytest.raises(ValueError, match="byte order"):
        read_state_dict(archive(code, {"archive/byteorder": b"big"}))
    with pytest.raises(ValueError, match="once in the archive"), pytest.warns(UserWarning, match="Duplicate"):
        read_state_dict(archive(code, {"archive/data.pkl": code}))


def test_a_file_that_was_cut_short_anywhere_is_refused() -> None:
    whole = archive(program(("w", tensor())))
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r".+"):
            read_state_dict(whole[:length])


def test_whatever_byte_is_changed_the_answer_is_arrays_or_a_refusal() -> None:
    code = program(("w", tensor()))
    for place in range(len(code)):
        for value in (0, 0x28, 0x2E, 0x52, 0x63, 0x80, 0xFF):
            changed = code[:place] + bytes([value]) + code[place + 1 :]
            try:
                arrays = read_state_dict(archive(changed))
            except ValueError:
                continue
            assert all(isinstance(array, np.ndarray) and array.nbytes <= 24 for array in arrays.values())
