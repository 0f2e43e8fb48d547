"""The workshop's keys: make a pair, and sign bundles with it. The only file that holds a private key in its hands.

``KEYFOLDER/voicelatch.key`` is the private key, one line ``voicelatch-private BASE64``, readable by its owner alone;
``voicelatch.pub`` is the public line that doors list. Whoever has the private key can make bundles that open these
doors: keep it off the doors, out of backups that others read, and out of version control.
"""

from __future__ import annotations

import argparse
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
from device.verdict.signature import CONTEXT, KEY_BYTES, PublicKey, Signature, verify_seal

PRIVATE = "voicelatch-private"
PRIVATE_FILE, PUBLIC_FILE = "voicelatch.key", "voicelatch.pub"
FILE_BYTES = 1 << 10


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs SHA256SUMS; its ``repr`` shows the public half alone."""

    public: PublicKey
    sign: Callable[[bytes], bytes]


def make_keys(folder: Path, *, comment: str = "") -> PublicKey:
    """Make a pair in ``folder`` (mode 0600 and 0644). Raises :class:`StateError` where one of the files is there
    already, or they cannot be written: a key is never overwritten."""
    if not comment.isprintable():
        raise ConfigError("not printable", where="--comment", received=repr(comment))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = [name for name in (PRIVATE_FILE, PUBLIC_FILE) if os.path.lexists(folder / name)]
        if there:
            raise FileExistsError(f"{', '.join(there)} is there already")
        seed = _signing().SigningKey.generate().encode()
        public = PublicKey(_public(seed), comment.strip())
        _create(folder / PRIVATE_FILE, f"{PRIVATE} {base64.b64encode(seed).decode()}\n", mode=0o600)
        _create(folder / PUBLIC_FILE, public.line() + "\n", mode=0o644)
    except OSError as error:
        raise StateError("no keys were made", where=str(folder), received=error,
                         next_step="choose another folder; a key that is there is kept") from error  # fmt: skip
    return public


def read_signer(path: Path) -> Signer:
    """The signer of a private key file. Raises :class:`ConfigError` when it is not one, or when others may read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(FILE_BYTES)
    except OSError as error:
        raise ConfigError("the private key cannot be read", where=str(path), received=error,
                          next_step="python -m training keygen KEYFOLDER makes one") from error  # fmt: skip
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
                          next_step="give the file voicelatch.key that keygen made")  # fmt: skip
    key, public = _signing().SigningKey(seed), PublicKey(_public(seed))

    def sign(sums: bytes) -> bytes:
        return Signature(public.id, key.sign(CONTEXT + sums).signature).content()

    return Signer(public, sign)


def signer_of(path: str) -> Signer | None:
    """The signer a recipe names in ``[publish] key``; None for an empty one."""
    return read_signer(Path(path).expanduser()) if path else None


def sign_bundle(path: Path, signer: Signer) -> Path:
    """Sign a bundle (or what a models folder's ``current`` names) as it is; returns its folder.

    Only one that is whole is signed. Raises :class:`BundleError` when it is not, :class:`StateError` when the
    signature cannot be written; one that was there before is kept then.
    """
    folder = resolve_current(path)
    load_bundle(folder)
    content = signer.sign(read_seal(folder).sums)
    fresh = folder.with_name(f".{folder.name}.{SIGNATURE}.new")
    try:
        fresh.write_bytes(content)
        fresh.chmod(0o644)
        os.replace(fresh, folder / SIGNATURE)
    except OSError as error:
        raise StateError("the signature cannot be written", where=str(folder), received=error) from error
    verify_seal(read_seal(folder), [signer.public], where=str(folder))
    return folder


def add_parser(commands: Any) -> None:
    """Add ``keygen`` and ``sign`` to the sub-parsers ``commands``."""
    codes = "Exit codes: 0 done, 65 unusable bundle, 73 cannot write, 78 wrong key."
    text = "Make a key pair for signing bundles; prints the public line that doors list."
    keygen: argparse.ArgumentParser = commands.add_parser(
        "keygen", help=text, description=text, epilog=f"Example: python -m training keygen ~/voicelatch-keys. {codes}"
    )
    keygen.add_argument("folder", type=Path, metavar="KEYFOLDER", help="where the two files go")
    keygen.add_argument("--comment", default="", help="whose key it is; part of the public line")
    keygen.set_defaults(action=_keygen)
    text = "Sign a bundle that was published without a key."
    sign: argparse.ArgumentParser = commands.add_parser(
        "sign", help=text, description=text,
        epilog=f"Example: python -m training sign models --key ~/voicelatch-keys/voicelatch.key. {codes}",
    )  # fmt: skip
    sign.add_argument("bundle", type=Path, help="a bundle, or a models folder whose current one it is")
    sign.add_argument("--key", type=Path, required=True, help="the private key")
    sign.set_defaults(action=_sign)


def _keygen(arguments: argparse.Namespace) -> int:
    public = make_keys(arguments.folder, comment=arguments.comment)
    print(f"{arguments.folder / PRIVATE_FILE}: the private key; keep it here and nowhere else")
    print("for [model] trusted_keys on every door:")
    print(public.line())
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    signer = read_signer(arguments.key)
    folder = sign_bundle(arguments.bundle, signer)
    print(f"{folder}: signed by {signer.public.id}")
    return 0


def _create(path: Path, text: str, *, mode: int) -> None:
    """A new file, whole or not at all. Raises FileExistsError for one that is there."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never takes the place of a file.
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _public(seed: bytes) -> bytes:
    return bytes(_signing().SigningKey(seed).verify_key.encode())


def _signing() -> Any:
    try:
        from nacl import signing
    except ImportError as error:
        raise RuntimeMissingError("the library that signs is not installed", where="nacl", received=error,
                                  next_step="pip install pynacl") from error  # fmt: skip
    return signing
