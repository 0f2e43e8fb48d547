"""A PyTorch state dict (``.pt``) read without PyTorch, and without letting its pickle call anything.

The file is a zip: ``<root>/data.pkl`` says which tensor has which name, shape and storage, ``<root>/data/<key>`` are
the storages, plain little-endian numbers. A pickle is a program for a small stack machine; the machine here knows the
instructions that a state dict is made of, and four names. It calls nothing: the names are marks for "a dictionary",
"a tensor" and "numbers of this type", and every other name or instruction is refused.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# The network here has 939 members and 28 MB. Nobody's state dict of a speaker network is larger than this.
MAX_MEMBERS = 10_000
MAX_PICKLE_BYTES = 4 << 20
MAX_BYTES = 256 << 20
MAX_AXES = 8

_DICTIONARY = ("collections", "OrderedDict")
_TENSOR = ("torch._utils", "_rebuild_tensor_v2")
_STORAGES: Mapping[tuple[str, str], np.dtype[Any]] = {
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}
NAMES = (_DICTIONARY, _TENSOR, *_STORAGES)

_PUSHED = {"BININT", "BININT1", "BININT2", "BINUNICODE"}
_CONSTANTS: Mapping[str, Any] = {"NEWFALSE": False, "NEWTRUE": True, "NONE": None, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_KEY = re.compile(r"[0-9]{1,20}")
# What the zip reader says of damage: NotImplementedError and RuntimeError for methods and encryption it lacks.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError,
           OverflowError, KeyError, IndexError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Name:
    """One of :data:`NAMES`, standing where the pickle would have had a class or a function."""

    which: tuple[str, str]


class _Mark:
    """The stack machine's mark: the beginning of a tuple or of a row of items."""


def read_state_dict(content: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Array]:
    """The arrays of a state dict by name, float32 or int64, each a copy of its own; together at most ``max_bytes``.

    Raises ValueError for anything else: damage, a name or an instruction that no state dict needs, a tensor that
    reaches beyond its storage, a size that is not true.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive, max_bytes)
            root = _root(members)
            program = _unpacked(archive, members[f"{root}data.pkl"], MAX_PICKLE_BYTES)
            order = members.get(f"{root}byteorder")
            if order is not None and _unpacked(archive, order, 16) != b"little":
                raise ValueError("numbers in another byte order than little-endian")
            storages = _Storages(archive, members, root)
            return _run(program, _Tensors(storages, max_bytes))
    except _DAMAGE as error:
        raise ValueError(f"not a readable state dict: {type(error).__name__}: {error}") from error


def _members(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    members = {info.filename: info for info in listed}
    if len(members) != len(listed) or len(listed) > MAX_MEMBERS:
        raise ValueError(f"{len(listed)} members, {len(members)} names; at most {MAX_MEMBERS}, once in the archive")
    # Other methods unpack a block at once, however large it becomes.
    methods = {info.compress_type for info in listed}
    if not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(f"compressed by methods {sorted(methods)}, not stored or deflated")
    total = sum(info.file_size for info in listed)
    if total > max_bytes:
        raise ValueError(f"{total} bytes when unpacked, more than {max_bytes}")
    strange = [name for name in members if name.startswith("/") or "\\" in name or ".." in name.split("/")]
    if strange:
        raise ValueError(f"a member that points out of the archive: {strange[0][:80]!a}")
    return members


def _root(members: Mapping[str, zipfile.ZipInfo]) -> str:
    programs = [name for name in members if name.count("/") <= 1 and name.endswith("data.pkl")]
    roots = [name.removesuffix("data.pkl") for name in programs]
    if len(roots) != 1 or (roots[0] and not roots[0].endswith("/")):
        raise ValueError(f"{len(roots)} files data.pkl in the archive, not one")
    return roots[0]


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if member.file_size > max_bytes:
        raise ValueError(f"{member.filename[:80]!a}: {member.file_size} bytes, more than {max_bytes}")
    # Not archive.read(): it unpacks all that is there and only then cuts it to the size that was declared.
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename[:80]!a}: shorter than the archive says")
    return content


class _Storages:
    """The archive's storages as one-dimensional arrays, each unpacked once."""

    def __init__(self, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], root: str) -> None:
        self._archive, self._members, self._root = archive, members, root
        self._read: dict[str, Array] = {}

    def get(self, identity: Any) -> Array:
        """``identity``: what the pickle calls a storage, ``("storage", type, key, place, count)``."""
        match identity:
            case ("storage", _Name(which), str(key), str(), int(count)) if which in _STORAGES and _KEY.fullmatch(key):
                dtype = _STORAGES[which]
            case _:
                raise ValueError("a storage that is not named as state dicts name theirs")
        if key not in self._read:
            member = self._members.get(f"{self._root}data/{key}")
            if member is None:
                raise ValueError(f"storage {key} is missing")
            self._read[key] = np.frombuffer(_unpacked(self._archive, member, MAX_BYTES), dtype=np.uint8)
        stored = self._read[key]
        if isinstance(count, bool) or count * dtype.itemsize != len(stored):
            raise ValueError(f"storage {key}: {len(stored)} bytes, not {count} numbers of type {dtype}")
        return stored.view(dtype)


class _Tensors:
    """Arrays out of storages, together no more than ``max_bytes``, none that reaches beyond its storage."""

    def __init__(self, storages: _Storages, max_bytes: int) -> None:
        self.storages, self._left = storages, max_bytes

    def build(self, arguments: Any) -> Array:
        match arguments:
            case (np.ndarray() as storage, int(offset), tuple(size), tuple(stride), bool(), dict()):
                pass
            case _:
                raise ValueError("a tensor that is not described as state dicts describe theirs")
        numbers = (offset, *size, *stride)
        if any(type(number) is not int or not 0 <= number <= MAX_BYTES for number in numbers):
            raise ValueError("a tensor whose place, shape or strides are no counts")
        if len(size) != len(stride) or len(size) > MAX_AXES:
            raise ValueError(f"a tensor of {len(size)} axes with {len(stride)} strides")
        count = math.prod(size)
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        # More values than the storage holds would be the same ones over and over.
        if count > len(storage) or (count and last >= len(storage)):
            raise ValueError(f"a tensor of shape {list(size)} that reaches beyond its {len(storage)} numbers")
        self._left -= count * storage.itemsize
        if self._left < 0:
            raise ValueError("tensors that take more memory than a state dict may")
        if count == 0:
            return np.zeros(size, storage.dtype)
        steps = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


def _run(program: bytes, tensors: _Tensors) -> dict[str, Array]:
    """What the pickle describes: names and arrays."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    instructions: Mapping[str, Callable[[Any], None]] = {
        "PROTO": lambda _version: None,
        "MARK": lambda _: stack.append(_Mark),
        "EMPTY_DICT": lambda _: stack.append({}),
        "GLOBAL": lambda words: stack.append(_known(words)),
        "BINPUT": lambda place: memo.__setitem__(place, stack[-1]),
        "LONG_BINPUT": lambda place: memo.__setitem__(place, stack[-1]),
        "BINGET": lambda place: stack.append(memo[place]),
        "LONG_BINGET": lambda place: stack.append(memo[place]),
        "TUPLE": lambda _: stack.append(tuple(_since_mark(stack))),
        "BINPERSID": lambda _: stack.append(tensors.storages.get(stack.pop())),
        "REDUCE": lambda _: _reduce(stack, tensors),
        "SETITEMS": lambda _: _set_items(_since_mark(stack), stack[-1]),
    }
    for code, argument, _ in pickletools.genops(program):
        if code.name in _PUSHED:
            stack.append(argument)
        elif code.name in _CONSTANTS:
            stack.append(_CONSTANTS[code.name])
        elif code.name in _TUPLES:
            count = _TUPLES[code.name]
            if len(stack) < count:
                raise ValueError("a tuple of more than there is")
            stack[-count:] = [tuple(stack[-count:])]
        elif code.name in instructions:
            instructions[code.name](argument)
        elif code.name != "STOP":
            raise ValueError(f"the instruction {code.name} is not allowed in a weights file")
    if len(stack) != 1 or not isinstance(stack[0], dict):
        raise ValueError("not one dictionary of tensors")
    return {name: array for name, array in stack[0].items() if _named(name, array)}


def _known(words: str) -> _Name:
    module, _, name = words.partition(" ")
    if (module, name) not in NAMES:
        raise ValueError(f"{f'{module}.{name}'[:80]!a} is not allowed in a weights file")
    return _Name((module, name))


def _reduce(stack: list[Any], tensors: _Tensors) -> None:
    """The pickle's call: of "a dictionary" (empty, as a tensor's hooks are) or of "a tensor"; nothing is called."""
    arguments, called = stack.pop(), stack.pop()
    match called, arguments:
        case _Name(which), () if which == _DICTIONARY:
            stack.append({})
        case _Name(which), tuple() if which == _TENSOR:
            stack.append(tensors.build(arguments))
        case _:
            raise ValueError("a call that is not allowed in a weights file")


def _since_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (item := stack.pop()) is not _Mark:
        items.append(item)
    return items[::-1]


def _set_items(items: list[Any], target: Any) -> None:
    names, values = items[::2], items[1::2]
    if type(target) is not dict or len(names) != len(values):
        raise ValueError("items that belong to no dictionary")
    for name, value in zip(names, values, strict=True):
        if not isinstance(name, str) or name in target:
            raise ValueError("a name that is no text, or stands twice")
        target[name] = value


def _named(name: str, array: Any) -> bool:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name[:80]!a} is no tensor")
    return True
