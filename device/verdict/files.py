"""A sealed folder: files, ``SHA256SUMS`` over all of them, and a ``SIGNATURE`` of that where somebody signed it.

Everything is judged before it is read: how large a file may be, which names there may be. What the folder holds beside
the listed files is refused, so that the sums (and their signature) speak for the whole folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.errors import BundleError, StateError

SUMS = "SHA256SUMS"
SIGNATURE = "SIGNATURE"
REPUBLISH = "copy the bundle again from the workstation, or publish a new one with the training pipeline"
# What a workshop may hold; the door asks for less (bundle.py).
FOLDER_BYTES = 1 << 30
SUMS_BYTES = 1 << 16
SIGNATURE_BYTES = 1 << 10
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})")


@dataclass(frozen=True, slots=True, eq=False)
class Seal:
    """``listed``: each file's name and its SHA-256 (hex); ``sums``: the bytes of SHA256SUMS that say so;
    ``signature``: those of SIGNATURE, None where there is no such file."""

    listed: Mapping[str, str]
    sums: bytes
    signature: bytes | None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of SHA256SUMS, and so of everything listed in it."""
        return hashlib.sha256(self.sums).hexdigest()


def read_seal(folder: Path) -> Seal:
    """The folder's sums and signature; nothing is verified yet. Raises :class:`BundleError`."""
    path = folder / SUMS
    if not path.is_file():
        raise BundleError("the bundle is incomplete", where=str(folder), received=f"no {SUMS}", next_step=REPUBLISH)
    sums = read_bytes(path, max_bytes=SUMS_BYTES)
    signed = folder / SIGNATURE
    signature = read_bytes(signed, max_bytes=SIGNATURE_BYTES) if os.path.lexists(signed) else None
    return Seal(parse_sums(sums, where=str(path)), sums, signature)


def parse_sums(content: bytes, *, where: str) -> dict[str, str]:
    """The lines ``hash  name`` of a SHA256SUMS file. Raises :class:`BundleError` for anything else."""
    listed: dict[str, str] = {}
    for line in as_text(content, where).splitlines():
        found = _LINE.fullmatch(line)
        if found is None or found[2] in (SUMS, SIGNATURE) or found[2] in listed:
            raise BundleError(
                "a line that does not name a file once with its hash",
                where=where,
                received=repr(line[:160]),
                allowed="64 hexadecimal digits, two spaces, a plain file name",
                next_step=REPUBLISH,
            )
        listed[found[2]] = found[1]
    return listed


def read_listed(folder: Path, seal: Seal, required: Sequence[str], *, max_bytes: int) -> dict[str, bytes]:
    """The listed files, each verified; all of them together hold at most ``max_bytes``. Raises :class:`BundleError`
    for a file that is missing, altered or not listed."""
    where = str(folder)
    missing = [name for name in required if name not in seal.listed]
    if missing:
        raise BundleError("the bundle is incomplete", where=where, received=f"no {', '.join(missing)}",
                          next_step=REPUBLISH)  # fmt: skip
    stray = sorted(_names(folder) - {*seal.listed, SUMS, SIGNATURE})
    if stray:
        raise BundleError(
            "files that are not listed",
            where=str(folder / SUMS),
            received=", ".join(map(repr, stray[:5])),
            allowed="the listed files alone",
            next_step=f"remove them, or {REPUBLISH}",
        )
    contents: dict[str, bytes] = {}
    for name, expected in seal.listed.items():
        path = folder / name
        if not path.is_file():
            raise BundleError("a listed file is missing", where=str(folder / SUMS), received=name, next_step=REPUBLISH)
        contents[name] = read_bytes(path, max_bytes=max_bytes - sum(map(len, contents.values())))
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise BundleError(
                "the file was altered or cut short",
                where=str(path),
                received=f"sha256 {actual[:16]}...",
                allowed=f"sha256 {expected[:16]}...",
                next_step=REPUBLISH,
            )
    return contents


def read_folder(folder: Path, required: Sequence[str]) -> dict[str, bytes]:
    """The files of a folder made by :func:`write_folder`, each verified. Raises :class:`BundleError`."""
    return read_listed(folder, read_seal(folder), required, max_bytes=FOLDER_BYTES)


def write_folder(folder: Path, files: Mapping[str, bytes], *, sign: Callable[[bytes], bytes] | None = None) -> None:
    """Write ``files`` and their ``SHA256SUMS`` as the new folder ``folder``: complete or not at all.

    ``sign`` is given the bytes of SHA256SUMS and answers those of SIGNATURE. An existing folder is replaced only once
    the new one is whole. Raises :class:`StateError` when writing fails.
    """
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
    sealed = {**files, SUMS: sums, **({SIGNATURE: sign(sums)} if sign is not None else {})}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            fresh = Path(scratch) / "new"
            fresh.mkdir()
            for name, content in sealed.items():
                with (fresh / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            if folder.exists():
                os.replace(folder, Path(scratch) / "old")
            os.replace(fresh, folder)
    except OSError as error:
        raise StateError(
            "cannot be written",
            where=str(folder),
            received=error,
            next_step="check free space and permissions; what was there before is kept",
        ) from error


def read_bytes(path: Path, *, max_bytes: int) -> bytes:
    """A regular file's content. Raises :class:`BundleError` when it cannot be read or is larger than ``max_bytes``."""
    try:
        # Without O_NONBLOCK the opening of a pipe would wait for a writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise BundleError("not a regular file", where=str(path), next_step=REPUBLISH)
            content = file.read(min(seen.st_size, max_bytes) + 1)
    except OSError as error:
        raise BundleError(
            "the file cannot be read",
            where=str(path),
            received=error,
            next_step="make it readable for the user that runs the door, or " + REPUBLISH,
        ) from error
    if len(content) > max_bytes:
        raise BundleError("the file is too large", where=str(path), received=f"{seen.st_size} bytes",
                          allowed=f"{max_bytes} bytes", next_step=REPUBLISH)  # fmt: skip
    return content


def as_text(content: bytes, where: str) -> str:
    """UTF-8, or :class:`BundleError`."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError("not text", where=where, received=error, next_step=REPUBLISH) from error


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        raise BundleError(
            "the folder cannot be read", where=str(folder), received=error, next_step=REPUBLISH
        ) from error
