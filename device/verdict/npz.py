"""Arrays in an ``.npz``, read without ``np.load``: plain numbers and text, no pickle, no more memory than was allowed.

An ``.npz`` is a zip archive of ``.npy`` files (NumPy's format specification, NEP 1): a magic string, a version, the
header's length and the header, a Python literal. Only the form that NumPy itself writes is accepted, by pattern, and
the data must be exactly as long as the header says: nothing is allocated on a header's word.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What a workshop's backbone may hold; the door asks for less (bundle.py).
NPZ_BYTES = 1 << 30
MAX_ARRAYS = 16
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': '(\|b1|\|i1|\|u1|<[iu][248]|<f[248]|<U[0-9]{1,4})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,10}(?:, |,(?=\))))*(?:[0-9]{1,10})?)\), \} *\n"
)
# What the zip reader says of damage: NotImplementedError and RuntimeError for methods and encryption it lacks.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError,
           OverflowError, KeyError, IndexError)  # fmt: skip


def npz_bytes(**arrays: NDArray[Any]) -> bytes:
    """The arrays as the bytes of a compressed ``.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def npz_arrays(content: bytes, *, max_bytes: int = NPZ_BYTES) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz``, together at most ``max_bytes`` when unpacked.

    Raises ValueError for anything else: damaged, another format, objects, a size that is not true or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            names = {each.filename for each in members}
            if len(names) != len(members) or len(members) > MAX_ARRAYS:
                raise ValueError(f"{len(members)} members, {len(names)} names; at most {MAX_ARRAYS}, each once")
            # Other methods unpack a block at once, however large it becomes.
            methods = {each.compress_type for each in members}
            if not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ValueError(f"compressed by methods {sorted(methods)}, not stored or deflated")
            total = sum(each.file_size for each in members)
            if total > max_bytes:
                raise ValueError(f"{total} bytes when unpacked, more than {max_bytes}")
            return {_name(each.filename): npy_array(_unpacked(archive, each)) for each in members}
    except _DAMAGE as error:
        # Not what the reader says: it would repeat names from within the file.
        raise ValueError(f"{len(content)} bytes that are not a readable .npz ({type(error).__name__})") from error


def npy_array(content: bytes) -> NDArray[Any]:
    """One array of a ``.npy``. Raises ValueError for anything but plain numbers and text of the size that is there."""
    if content[:6] != _MAGIC or len(content) < 12 or content[6] not in (1, 2) or content[7] != 0:
        raise ValueError("not a .npy of version 1 or 2")
    start = 10 if content[6] == 1 else 12
    length = int.from_bytes(content[8:start], "little")
    header = _HEADER.fullmatch(content[start : start + length])
    if header is None:
        raise ValueError("a .npy header that is not plain numbers or text")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(part) for part in header[3].replace(b",", b" ").split())
    data = content[start + length :]
    if len(shape) > 8 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes of data for {dtype}{list(shape)}")
    if dtype.itemsize == 0 or len(data) == 0:
        return np.zeros(shape, dtype)
    array: NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order="F" if header[2] == b"True" else "C")
    # NumPy would raise only when the text is looked at.
    if dtype.kind == "U" and int(np.frombuffer(data, "<u4").max()) > 0x10FFFF:
        raise ValueError("text that is not Unicode")
    return array.copy()


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # Not archive.read(): it unpacks all that is there and only then cuts it to the size that was declared.
    with archive.open(member) as file:
        return file.read(member.file_size)


def _name(member: str) -> str:
    if not member.endswith(".npy"):
        raise ValueError(f"a member that is no .npy, with a name of {len(member)} characters")
    return member[: -len(".npy")]
