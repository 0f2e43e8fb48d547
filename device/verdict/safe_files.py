"""Files in folders that somebody else may write: read and written without following a link or waiting for a pipe.

Every name is opened relative to a folder that is open already (``dir_fd``), so that nothing can be exchanged on the way
to it. Only regular files of a bounded size are read. Errors say what kind of thing was met, never what is in it: a link
could lead to any file that this user may read.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a symbolic link",
}  # fmt: skip


@contextmanager
def open_folder(path: Path, *, follow: bool = False) -> Iterator[int]:
    """The folder's descriptor. ``follow``: the folder's own name may be a symbolic link (its administrator's choice).

    Raises :class:`OSError` where it is no folder, is a link, or may not be opened.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        # Linux says "not a directory" of a link, too, where both are asked for.
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link, not a folder", str(path)) from error
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_regular(folder: int, name: str, *, max_bytes: int) -> bytes:
    """The whole content of the regular file ``name`` in the open ``folder``.

    Raises :class:`FileNotFoundError` where there is none, and :class:`OSError` for a link, for anything that is not a
    regular file, for more than ``max_bytes``, or where it cannot be read.
    """
    # Without O_NONBLOCK the opening of a pipe would wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise OSError(errno.EINVAL, f"{kind_of(folder, name)}, not a regular file", name) from error
        raise
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise OSError(errno.EINVAL, f"{_kind(seen.st_mode)}, not a regular file", name)
        if seen.st_size > max_bytes:
            raise OSError(errno.EFBIG, f"too large: {seen.st_size} bytes, more than {max_bytes}", name)
        with open(descriptor, "rb", closefd=False) as file:
            # A read sets aside what it is asked for: no more than there is.
            content = file.read(min(seen.st_size, max_bytes) + 1)
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"too large: more than {max_bytes} bytes", name)
    return content


def exists(folder: int, name: str) -> bool:
    """Whether there is anything of that name in the open ``folder``, a link that leads nowhere included."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def is_folder(folder: int, name: str) -> bool:
    """Whether ``name`` in the open ``folder`` is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def kind_of(folder: int, name: str) -> str:
    """What ``name`` in the open ``folder`` is, in words."""
    try:
        return _kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return "nothing"


def replace_file(
    folder: int,
    name: str,
    content: bytes,
    *,
    mode: int,
    owner: tuple[int, int] | None = None,
    made_in: int | None = None,
) -> None:
    """Write ``content`` as ``name`` in the open ``folder``, whole or not at all, over whatever had the name.

    A link of that name is replaced, never followed. ``owner``: user and group id of the new file; ``made_in``: the open
    folder, on the same disk, in which it is written first (``folder`` itself if None). Raises :class:`OSError`.
    """
    made_in = made_in if made_in is not None else folder
    fresh = _fresh_file(made_in, name, content, mode=mode, owner=owner)
    try:
        os.replace(fresh, name, src_dir_fd=made_in, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh, dir_fd=made_in)
        raise
    os.fsync(folder)


def create_file(folder: int, name: str, content: bytes, *, mode: int) -> None:
    """Write ``content`` as the new file ``name`` in the open ``folder``. Raises :class:`FileExistsError` where the name
    is taken, by a link too, and :class:`OSError` where it cannot be written; nothing half-written is left."""
    fresh = _fresh_file(folder, name, content, mode=mode)
    try:
        # Unlike a rename, a link never takes the place of a file.
        os.link(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.unlink(fresh, dir_fd=folder)
    os.fsync(folder)


def _fresh_file(folder: int, name: str, content: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> str:
    """A new file beside ``name``, whole and on the disk; returns its own name."""
    fresh = f".{name}.{secrets.token_hex(8)}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh, dir_fd=folder)
        raise
    return fresh


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "a file")
