"""The page's password, as one line that does not tell it: scrypt, with a salt of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigError, StateError

NAME = "web-password"
SHORTEST, LONGEST_BYTES = 10, 1024
# 32 MiB and about a tenth of a second on a small board, for each guess.
COST, BLOCK, LANES = 1 << 15, 8, 1
_MEMORY_BYTES = 64 << 20
_LINE = re.compile(r"scrypt:(\d{1,8}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/=]{16,64}):([A-Za-z0-9+/=]{44})")
NEXT_STEP = "voicelatch web password"


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is known of a password. ``line`` is how it stands in the file."""

    line: str

    def __post_init__(self) -> None:
        match = _LINE.fullmatch(self.line)
        # What a damaged file asks for must not take the machine's memory.
        if match is None or tuple(map(int, match.group(1, 2, 3))) != (COST, BLOCK, LANES):
            raise ConfigError("not a password's hash", received=f"{len(self.line)} characters", next_step=NEXT_STEP)

    def matches(self, password: str) -> bool:
        """Whether it is this password; takes the same time whatever is wrong with it."""
        salt, digest = (base64.b64decode(each) for each in self.line.split(":")[4:])
        return hmac.compare_digest(_scrypt(password, salt), digest)


def hash_password(password: str) -> PasswordHash:
    """With a fresh salt. Raises :class:`ConfigError` for one that is too short or too long."""
    if len(password) < SHORTEST or len(password.encode("utf-8", errors="replace")) > LONGEST_BYTES:
        raise ConfigError("not a password for a door", received=f"{len(password)} characters",
                          allowed=f"at least {SHORTEST} characters, at most {LONGEST_BYTES} bytes",
                          next_step="several words are easy to remember and hard to guess")  # fmt: skip
    salt = secrets.token_bytes(16)
    told = (base64.b64encode(each).decode() for each in (salt, _scrypt(password, salt)))
    return PasswordHash(":".join(["scrypt", str(COST), str(BLOCK), str(LANES), *told]))


def write_password(path: Path, made: PasswordHash) -> None:
    """For its owner alone; what root writes belongs to the folder's owner. No link is followed that whoever owns the
    folder may have put there. Raises :class:`StateError`."""
    fresh = f".{path.name}.new"
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(fresh, flags, 0o600, dir_fd=folder)
            # In bytes: who has just become another user may have no way to a codec that is not loaded yet.
            with os.fdopen(descriptor, "wb") as file:
                file.write(f"{made.line}\n".encode())
                if os.geteuid() == 0:
                    owner = os.fstat(folder)
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.replace(fresh, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StateError("the password cannot be written", where=str(path), received=error,
                         next_step=f"as the user whose folder it is, or as root: {NEXT_STEP}") from error  # fmt: skip


def read_password(path: Path) -> PasswordHash:
    """Raises :class:`ConfigError` where there is none, it is damaged or no plain file, or others may read it."""
    try:
        # A pipe would be waited for, a link followed to whatever this user may read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError("not a file", where=str(path), next_step=f"remove it, then: {NEXT_STEP}")
            if status.st_mode & 0o077:
                raise ConfigError("others on this machine may read it", where=str(path), next_step=f"chmod 600 {path}")
            line = file.read(2 * LONGEST_BYTES).decode("ascii").removesuffix("\n")
    except OSError as error:
        raise ConfigError("the page's password cannot be read", where=str(path), received=error,
                          next_step=NEXT_STEP) from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise ConfigError("not a password's hash", where=str(path), received="other characters",
                          next_step=NEXT_STEP) from error  # fmt: skip
    try:
        return PasswordHash(line)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(path), received=error.received, next_step=NEXT_STEP) from error


def _scrypt(password: str, salt: bytes) -> bytes:
    # The same word typed on two keyboards can be different characters.
    secret = unicodedata.normalize("NFC", password).encode("utf-8", errors="replace")
    return hashlib.scrypt(secret, salt=salt, n=COST, r=BLOCK, p=LANES, maxmem=_MEMORY_BYTES, dklen=32)
