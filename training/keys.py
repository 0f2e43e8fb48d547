"""``python -m training keygen`` and ``sign``: the workshop's commands over :mod:`device.verdict.signing`.

``KEYFOLDER/voicelatch.key`` is the private key, readable by its owner alone; ``voicelatch.pub`` is the public line that
doors list. Keep the private key off the doors that others administer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from device.errors import StateError
from device.verdict.signature import PublicKey
from device.verdict.signing import Signer, make_key, read_signer, sign_bundle

PRIVATE_FILE, PUBLIC_FILE = "voicelatch.key", "voicelatch.pub"

__all__ = [
    "PRIVATE_FILE",
    "PUBLIC_FILE",
    "Signer",
    "add_parser",
    "make_keys",
    "read_signer",
    "sign_bundle",
    "signer_of",
]


def make_keys(folder: Path, *, comment: str = "") -> PublicKey:
    """Make a pair in ``folder`` (mode 0600 and 0644). Raises :class:`StateError` where one of the files is there
    already, or they cannot be written: a key is never overwritten."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError("no keys were made", where=str(folder), received=error,
                         next_step="choose another folder") from error  # fmt: skip
    return make_key(folder / PRIVATE_FILE, name=comment, public_path=folder / PUBLIC_FILE)


def signer_of(path: str) -> Signer | None:
    """The signer a recipe names in ``[publish] key``; None for an empty one."""
    return read_signer(Path(path).expanduser()) if path else None


def add_parser(commands: Any) -> None:
    """Add ``keygen`` and ``sign`` to the sub-parsers ``commands``."""
    codes = "Exit codes: 0 done, 65 unusable bundle, 73 cannot write, 78 wrong key."
    text = "Make a key pair for signing bundles; prints the public line that doors list."
    keygen: argparse.ArgumentParser = commands.add_parser(
        "keygen", help=text, description=text, epilog=f"Example: python -m training keygen ~/voicelatch-keys. {codes}"
    )
    keygen.add_argument("folder", type=Path, metavar="KEYFOLDER", help="where the two files go")
    keygen.add_argument("--comment", "--name", default="", help="whose key it is; part of the public line")
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
    print("on every door: sudo voicelatch key trust LINE, where LINE is")
    print(public.line())
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    signer = read_signer(arguments.key)
    folder = sign_bundle(arguments.bundle, signer)
    print(f"{folder}: signed by {signer.public.id}")
    return 0
