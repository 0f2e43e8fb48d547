"""A sealed folder: files, ``SHA256SUMS`` over all of them, and a ``SIGNATURE`` of that where somebody signed it.

Everything is judged before it is read: how large a file may be, which names there may be, and that neither the folder
nor a file is a symbolic link. What the folder holds beside the listed files is refused, so that the sums (and their
signature) speak for the whole folder. No error repeats what an unverified file holds.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.errors import BundleError, StateError
from device.verdict.safe_files import exists, open_folder, read_regular

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
    with opened(folder) as inside:
        if not exists(inside, SUMS):
            raise BundleError("the bundle is incomplete", where=str(folder), received=f"no {SUMS}", next_step=REPUBLISH)
        sums = read_file(inside, SUMS, folder=folder, max_bytes=SUMS_BYTES)
        signed = exists(inside, SIGNATURE)
        signature = read_file(inside, SIGNATURE, folder=folder, max_bytes=SIGNATURE_BYTES) if signed else None
    return Seal(parse_sums(sums, where=str(folder / SUMS)), sums, signature)


def parse_sums(content: bytes, *, where: str) -> dict[str, str]:
    """The lines ``hash  name`` of a SHA256SUMS file. Raises :class:`BundleError` for anything else."""
    listed: dict[str, str] = {}
    for number, line in enumerate(as_text(content, where).splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in (SUMS, SIGNATURE) or found[2] in listed:
            raise BundleError(
                "a line that does not name a file once with its hash",
                where=f"{where}:{number}",
                received=f"{len(line)} characters",
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
    with opened(folder) as inside:
        stray = sorted(set(os.listdir(inside)) - {*seal.listed, SUMS, SIGNATURE})
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
            if not exists(inside, name):
                raise BundleError("a listed file is missing", where=str(folder / SUMS), received=name,
                                  next_step=REPUBLISH)  # fmt: skip
            left = max_bytes - sum(map(len, contents.values()))
            contents[name] = read_file(inside, name, folder=folder, max_bytes=left)
            actual = hashlib.sha256(contents[name]).hexdigest()
            if actual != expected:
                raise BundleError(
                    "the file was altered or cut short",
                    where=str(folder / name),
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


@contextmanager
def opened(folder: Path, *, follow: bool = False) -> Iterator[int]:
    """The open folder, as :func:`~device.verdict.safe_files.open_folder`. Raises :class:`BundleError` where it is a
    symbolic link (unless ``follow``) or cannot be opened."""
    try:
        with open_folder(folder, follow=follow) as inside:
            yield inside
    except OSError as error:
        raise BundleError(
            "the folder cannot be read",
            where=str(folder),
            received=error.strerror,
            allowed="a folder of its own: no symbolic link",
            next_step="make it readable for the user that runs the door, or " + REPUBLISH,
        ) from error


def read_file(inside: int, name: str, *, folder: Path, max_bytes: int) -> bytes:
    """The regular file ``name`` of the open ``folder``. Raises :class:`BundleError` when it is a link or anything else,
    cannot be read, or is larger than ``max_bytes``; never with what it holds."""
    try:
        return read_regular(inside, name, max_bytes=max_bytes)
    except OSError as error:
        raise BundleError(
            "the file cannot be read",
            where=str(folder / name),
            received=error.strerror,
            allowed=f"a regular file (no symbolic link) of at most {max_bytes} bytes",
            next_step="make it readable for the user that runs the door, or " + REPUBLISH,
        ) from error


def as_text(content: bytes, where: str) -> str:
    """UTF-8, or :class:`BundleError`."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError("not text", where=where, received=f"no UTF-8 at byte {error.start} of {len(content)}",
                          next_step=REPUBLISH) from error  # fmt: skip
