"""Archives from elsewhere, unpacked as if they were hostile.

Only plain files and folders are ever made, with this process's own permissions (so nothing is setuid). A name that
leads out of the folder, a link that does, a device, or more than the limits allow, and the whole archive is refused.
Links that stay inside are left out and told of: the corpora hold none that matter, and without links no later member
can be written through one. Sizes are counted while writing; what the archive says of itself is only a first check.
"""

from __future__ import annotations

import errno
import gzip
import posixpath
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal

from device.errors import DataError, StateError, VoicelatchError

CHUNK_BYTES = 1 << 20
# A tar reads whole headers into memory, and a header may claim any length.
LARGEST_READ_BYTES = 16 << 20
_OUTSIDE = re.compile(r"^/|(^|/)[A-Za-z]:|\\|[\x00-\x1f]")
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that an archive may hold, counted over all members, also those that are not kept."""

    max_bytes: int
    max_files: int = 500_000


@dataclass(frozen=True, slots=True)
class Unpacked:
    """How many files and bytes were written, and why members were left out, by name."""

    files: int
    size_bytes: int
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Member:
    """``at_bytes`` is how far into the archive we are; ``target`` is a link's, from the archive's root."""

    name: str
    kind: Literal["file", "folder", "link", "other"]
    size_bytes: int
    at_bytes: int
    open: Callable[[], IO[bytes]]
    target: str = ""


def unpack(
    archive: Path,
    folder: Path,
    *,
    limits: Limits,
    only: tuple[str, ...] = (),
    progress: Callable[[int], None] = lambda _at_bytes: None,
) -> Unpacked:
    """Unpack a ``.zip`` or ``.tar.gz`` into ``folder``, which the caller made and removes if this raises.

    ``only`` keeps members whose names begin so; ``progress`` hears how many bytes of the archive are done. Raises
    :class:`DataError` for an archive that is hostile, too large, truncated or of another kind; :class:`StateError`
    when the disk is full or the folder cannot be written.
    """
    files = written = seen = claimed = 0
    left_out: dict[str, str] = {}
    with _broken_is_told(archive, folder):
        for member in (_zip_members if zipfile.is_zipfile(archive) else _tar_members)(archive, limits):
            seen += 1
            claimed += member.size_bytes
            _check_limits(archive, limits, files=seen, size_bytes=claimed)
            name = _inside(archive, member.name, what="a name")
            progress(member.at_bytes)
            if member.kind == "other":
                raise _hostile(archive, "holds a device or another special file", member.name)
            if member.kind == "link":
                _inside(archive, member.target, what="a link")
                left_out[member.name] = f"a link to {member.target}: links are not made"
            elif not name or (only and not f"{name}/".startswith(only)):
                continue
            elif member.kind == "folder":
                (folder / name).mkdir(parents=True, exist_ok=True)
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with member.open() as source, (folder / name).open("wb") as target:
                    while chunk := source.read(CHUNK_BYTES):
                        written += len(chunk)
                        _check_limits(archive, limits, files=seen, size_bytes=written)
                        target.write(chunk)
                files += 1
    return Unpacked(files, written, left_out)


def _zip_members(archive: Path, limits: Limits) -> Iterator[_Member]:
    at_bytes = 0
    with zipfile.ZipFile(archive) as source:
        _check_limits(archive, limits, files=len(source.infolist()), size_bytes=0)
        for info in source.infolist():
            at_bytes += info.compress_size
            if info.flag_bits & 1:
                raise DataError("the archive is encrypted", where=str(archive), received=info.filename)
            # The upper half is the mode only where a Unix wrote it.
            mode = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            kind: Literal["file", "folder", "link", "other"] = "folder" if info.is_dir() else "file"
            target = ""
            if mode == stat.S_IFLNK:
                kind = "link"
                with source.open(info) as text:
                    linked = text.read(4096).decode("utf-8", errors="replace")
                target = _from_root(info.filename, linked)
            elif mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "other"
            yield _Member(info.filename, kind, info.file_size, at_bytes, partial(source.open, info), target)


def _tar_members(archive: Path, limits: Limits) -> Iterator[_Member]:
    with archive.open("rb") as raw, _BoundedGzip(raw) as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as source:
        for info in source:
            kind: Literal["file", "folder", "link", "other"] = "other"
            target = ""
            if info.isdir():
                kind = "folder"
            elif info.issym() or info.islnk():
                kind = "link"
                target = _from_root(info.name, info.linkname) if info.issym() else info.linkname
            elif info.isreg() and not info.issparse():
                kind = "file"
            if info.size < 0:
                raise _hostile(archive, "claims a negative size", info.name)

            def opened(info: tarfile.TarInfo = info) -> IO[bytes]:
                content = source.extractfile(info)
                assert content is not None  # a regular file's never is
                return content

            yield _Member(info.name, kind, info.size, raw.tell(), opened, target)
        # To the end, or a cut or altered tail would go unnoticed.
        rest = 0
        while chunk := unzipped.read(CHUNK_BYTES):
            rest += len(chunk)
            _check_limits(archive, limits, files=0, size_bytes=rest)


class _BoundedGzip(gzip.GzipFile):
    """A gzip file from which nobody can read a giant piece at once."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= LARGEST_READ_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)


@contextmanager
def _broken_is_told(archive: Path, folder: Path) -> Iterator[None]:
    """Errors of the libraries and of the disk as ours."""
    try:
        yield
    except VoicelatchError:
        raise
    except _BROKEN as error:
        raise DataError(
            "the archive is truncated, damaged, or neither zip nor tar.gz",
            where=str(archive),
            received=error,
            next_step="fetch it again",
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _hostile(archive, "uses one name for a file and a folder", error) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _hostile(archive, "holds a name that is too long", error) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StateError(
            "the disk is full" if full else "the archive cannot be unpacked here",
            where=str(folder),
            received=error,
            next_step="make room, then run the same command again" if full else "",
        ) from error


def _from_root(name: str, target: str) -> str:
    """Where a symbolic link at ``name`` leads; an absolute target stays absolute."""
    return posixpath.join(posixpath.dirname(name), target)


def _inside(archive: Path, name: str, *, what: str) -> str:
    """``name`` without idle parts. Raises :class:`DataError` when it leads out of the folder."""
    depth = 0
    for part in name.split("/"):
        depth += 0 if part in ("", ".") else -1 if part == ".." else 1
        if depth < 0 or (part == ".." and what == "a name"):
            raise _hostile(archive, f"holds {what} that leads out of its folder", name)
    if _OUTSIDE.search(name):
        raise _hostile(archive, f"holds {what} that leads out of its folder", repr(name))
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _check_limits(archive: Path, limits: Limits, *, files: int, size_bytes: int) -> None:
    if files > limits.max_files or size_bytes > limits.max_bytes:
        raise DataError(
            "the archive unpacks to more than it should",
            where=str(archive),
            received=f"{files} files, {size_bytes} bytes so far",
            allowed=f"{limits.max_files} files, {limits.max_bytes} bytes",
            next_step="do not use this file",
        )


def _hostile(archive: Path, what: str, received: object) -> DataError:
    return DataError(
        f"the archive {what}",
        where=str(archive),
        received=received,
        allowed="files and folders inside their own folder",
        next_step="do not use this file",
    )
