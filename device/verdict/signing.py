"""Keys that sign bundles: make a pair, read the private half, sign. The only file that holds a private key.

The private key is one line ``voicelatch-private BASE64`` in a file for its owner alone; beside it stands the public
line that doors list. Whoever has the private key can make bundles that open these doors: keep it out of backups that
others read, and out of version control.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import ConfigError, RuntimeMissingError, StateError
from device.verdict.bundle import load_bundle, resolve_current
from device.verdict.files import SIGNATURE, read_seal
from device.verdict.safe_files import create_file, open_folder, read_regular, replace_file
from device.verdict.signature import CONTEXT, KEY_BYTES, PRIVATE, PublicKey, Signature, check_name, verify_seal

FILE_BYTES = 1 << 10


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs SHA256SUMS; its ``repr`` shows the public half alone."""

    public: PublicKey
    sign: Callable[[bytes], bytes]


def make_key(path: Path, *, name: str, public_path: Path | None = None) -> PublicKey:
    """Make a pair: the private key ``path`` (mode 0600) and its public line, with ``name`` behind it, ``public_path``
    (mode 0644; by default ``path`` with ``.pub`` added).

    Raises :class:`ConfigError` for a name that is not printable, and :class:`StateError` where one of the files is
    there already, or they cannot be written: a key is never overwritten, and no link followed.
    """
    check_name(name)
    public_path = public_path if public_path is not None else path.with_name(f"{path.name}.pub")
    try:
        taken = [each.name for each in (path, public_path) if os.path.lexists(each)]
        if taken:
            raise FileExistsError(f"{', '.join(taken)} is there already")
        seed = _signing().SigningKey.generate().encode()
        public = PublicKey(_public(seed), name.strip())
        with open_folder(path.parent, follow=True) as folder:
            create_file(folder, path.name, f"{PRIVATE} {base64.b64encode(seed).decode()}\n".encode(), mode=0o600)
            try:
                with open_folder(public_path.parent, follow=True) as beside:
                    create_file(beside, public_path.name, f"{public.line()}\n".encode(), mode=0o644)
            except OSError:
                os.unlink(path.name, dir_fd=folder)
                raise
    except OSError as error:
        raise StateError("no keys were made", where=str(path), received=error,
                         next_step="choose another place; a key that is there is kept") from error  # fmt: skip
    return public


def read_signer(path: Path) -> Signer:
    """The signer of a private key file. Raises :class:`ConfigError` when it is not one, or when others may read it."""
    try:
        with open_folder(path.parent, follow=True) as folder:
            mode = stat.S_IMODE(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode)
            content = read_regular(folder, path.name, max_bytes=FILE_BYTES)
    except OSError as error:
        raise ConfigError("the private key cannot be read", where=str(path), received=error.strerror,
                          next_step="make one with voicelatch key make FILE, or python -m training keygen KEYFOLDER",
                          ) from error  # fmt: skip
    if mode & 0o077:
        raise ConfigError("others may read the private key", where=str(path), received=f"mode {mode:04o}",
                          allowed="0600", next_step=f"chmod 600 {path}, or make a new key")  # fmt: skip
    parts = content.decode("ascii", errors="replace").split()
    try:
        seed = base64.b64decode(parts[1], validate=True) if len(parts) == 2 and parts[0] == PRIVATE else b""
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != KEY_BYTES:
        # Nothing of what was received: it may be a key of something else.
        raise ConfigError("not a private key of Voicelatch", where=str(path), allowed=f"{PRIVATE} BASE64",
                          next_step="give the private file, not the one that ends in .pub")  # fmt: skip
    key, public = _signing().SigningKey(seed), PublicKey(_public(seed))

    def sign(sums: bytes) -> bytes:
        return Signature(public.id, key.sign(CONTEXT + sums).signature).content()

    return Signer(public, sign)


def sign_bundle(path: Path, signer: Signer) -> Path:
    """Sign a bundle (or what a models folder's ``current`` names) as it is; returns its folder.

    Only one that is whole is signed. Raises :class:`BundleError` when it is not, :class:`StateError` when the
    signature cannot be written; one that was there before is kept then.
    """
    bundle = resolve_current(path)
    load_bundle(bundle)
    content = signer.sign(read_seal(bundle).sums)
    try:
        # Made outside: a bundle holds no file that is not listed, not even for a moment.
        with open_folder(bundle) as folder, open_folder(bundle.parent, follow=True) as beside:
            replace_file(folder, SIGNATURE, content, mode=0o644, made_in=beside)
    except OSError as error:
        raise StateError("the signature cannot be written", where=str(bundle), received=error) from error
    verify_seal(read_seal(bundle), [signer.public], where=str(bundle))
    return bundle


def _public(seed: bytes) -> bytes:
    return bytes(_signing().SigningKey(seed).verify_key.encode())


def _signing() -> Any:
    try:
        from nacl import signing
    except ImportError as error:
        raise RuntimeMissingError("the library that signs is not installed", where="nacl", received=error,
                                  next_step="pip install pynacl") from error  # fmt: skip
    return signing
