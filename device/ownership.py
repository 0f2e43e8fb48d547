"""Whose files are whose, for root in a folder that another user can write: no link of that user's is followed.

A command that works on another user's files becomes that user (:func:`become_owner_of`). What must stay root gives away
and opens up files by descriptor, never by a name that could have become a link meanwhile.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

from device.errors import StateError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK the opening of a pipe would wait for a writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def become_owner_of(folder: Path) -> None:
    """Root becomes, for good, the user of the first part of the path that is not root's; others stay who they are.

    From there on the path is what that user makes it. Where every part is root's, or is not there, root stays root.
    Raises :class:`StateError` where the kernel does not let it.
    """
    if os.geteuid() != 0:
        return
    path = Path(os.path.abspath(folder))
    try:
        # First as it is written, up to the first part that is another's: links before that are root's own, and where
        # they lead counts as well.
        for part in (*_parts(path), *_parts(Path(os.path.realpath(path)))):
            owner = os.lstat(part)
            if owner.st_uid != 0:
                _become(owner.st_uid, owner.st_gid)
                return
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError("this command cannot become the folder's user", where=str(path), received=error,
                         next_step="run it as that user") from error  # fmt: skip


def _parts(path: Path) -> tuple[Path, ...]:
    return (*reversed(path.parents), path)


def _become(uid: int, gid: int) -> None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        os.setgroups([gid])
    else:
        gid = entry.pw_gid
        os.initgroups(entry.pw_name, gid)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.umask(0o077)


def give_to_owner_of_folder(path: Path) -> None:
    """What root has made in another user's folder, a file or a folder, becomes that user's. Not root: nothing.

    Raises :class:`OSError` for a link, and for a file that has a second name: root has not made that.
    """
    if os.geteuid() != 0:
        return
    folder = os.open(path.parent, _FOLDER)
    try:
        owner = os.fstat(folder)
        file = os.open(path.name, _READ, dir_fd=folder)
        try:
            _refuse_foreign(os.fstat(file), path)
            os.fchown(file, owner.st_uid, owner.st_gid)
        finally:
            os.close(file)
    finally:
        os.close(folder)


def set_rights_of_tree(folder: Path, *, gid: int) -> None:
    """Everything below ``folder`` for its owner and group ``gid`` alone, both read and write; new files get the group.

    Links, pipes and files with a second name are left as they are. Raises :class:`OSError`.
    """
    for _, _, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        _set_rights(descriptor, gid, 0o2770)
        for name in names:
            try:
                file = os.open(name, _READ, dir_fd=descriptor)
            except OSError:
                # Gone meanwhile, or a link: not ours to touch.
                continue
            try:
                seen = os.fstat(file)
                if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1:
                    _set_rights(file, gid, 0o660)
            finally:
                os.close(file)


def _set_rights(descriptor: int, gid: int, mode: int) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, -1, gid)
    # After the owner: chown takes the set-group bit away.
    os.fchmod(descriptor, mode)


def _refuse_foreign(seen: os.stat_result, path: Path) -> None:
    plain = stat.S_ISDIR(seen.st_mode) or (stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1)
    if not plain:
        raise PermissionError(errno.EPERM, "not a file of its own, which root could give away", str(path))
