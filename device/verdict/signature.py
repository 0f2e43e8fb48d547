"""Who made a bundle: Ed25519 signatures (RFC 8032) over its SHA256SUMS, against the keys that a door trusts.

A public key is one line, ``voicelatch-ed25519 BASE64 [comment]``; its id is the first 16 hexadecimal digits of the
SHA-256 of its 32 bytes. A SIGNATURE is one line, ``voicelatch-signature ID BASE64``. ``signing.py`` makes them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from device.errors import BundleError, ConfigError, RuntimeMissingError
from device.verdict.files import SIGNATURE, Seal, as_text

PUBLIC, PRIVATE = "voicelatch-ed25519", "voicelatch-private"
SIGNED = "voicelatch-signature"
# Goes before what is signed, so that a signature of something else can never pass for one of a bundle.
CONTEXT = b"voicelatch bundle 1\n"
KEY_BYTES, SIGNATURE_LENGTH = 32, 64
KEYS_TEXT_BYTES = 1 << 16
MAX_NAME = 100
SIGN = "voicelatch key sign BUNDLE --key FILE, or python -m training sign BUNDLE --key FILE"
_ALLOWED = f"{PUBLIC} BASE64 [name], the line that `voicelatch key make` or `python -m training keygen` printed"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``key``: 32 bytes. The ``comment`` says whose it is, to people."""

    key: bytes
    comment: str = ""

    @property
    def id(self) -> str:
        return hashlib.sha256(self.key).hexdigest()[:16]

    def line(self) -> str:
        return f"{PUBLIC} {base64.b64encode(self.key).decode()} {self.comment}".strip()


@dataclass(frozen=True, slots=True)
class Signature:
    """``value``: 64 bytes, made with the key of ``key_id``."""

    key_id: str
    value: bytes

    def content(self) -> bytes:
        """The bytes of the SIGNATURE file."""
        return f"{SIGNED} {self.key_id} {base64.b64encode(self.value).decode()}\n".encode()


def check_name(name: str) -> None:
    """Raise :class:`ConfigError` for a name that cannot stand behind a key in its line."""
    if not name.isprintable() or len(name) > MAX_NAME:
        raise ConfigError("not a name for a key", where="--name", received=f"{len(name)} characters",
                          allowed=f"at most {MAX_NAME} printable characters in one line")  # fmt: skip


def parse_key(line: str, *, where: str) -> PublicKey:
    """One public key. Raises :class:`ConfigError` for anything else."""
    parts = line.split(maxsplit=2)
    key = _base64(parts[1], KEY_BYTES) if len(parts) >= 2 and parts[0] == PUBLIC else None
    comment = parts[2].strip() if len(parts) == 3 else ""
    if key is None or not comment.isprintable():
        raise ConfigError("not a public key", where=where, received=f"{len(line)} characters", allowed=_ALLOWED,
                          next_step="copy the whole line from the file that ends in .pub")  # fmt: skip
    return PublicKey(key, comment)


def parse_keys(content: bytes, *, where: str) -> tuple[PublicKey, ...]:
    """A file of trusted keys: one a line; blank lines and lines that begin with ``#`` say nothing.

    Raises :class:`ConfigError` for a line that is no key, and for a key listed twice. A file without any is the empty
    tuple: whoever trusts no key accepts no bundle (``device/service/trust.py``).
    """
    if len(content) > KEYS_TEXT_BYTES:
        raise ConfigError("too large for a list of keys", where=where, received=f"more than {KEYS_TEXT_BYTES} bytes")
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError("not text", where=where, received=f"no UTF-8 at byte {error.start}",
                          allowed=_ALLOWED) from error  # fmt: skip
    keys = tuple(
        parse_key(line, where=f"{where}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    )
    if len({each.key for each in keys}) < len(keys):
        raise ConfigError("a key is listed twice", where=where, next_step="remove one of the lines")
    return keys


def parse_signature(content: bytes, *, where: str) -> Signature:
    """The content of a SIGNATURE file. Raises :class:`BundleError` for anything else."""
    parts = as_text(content, where).removesuffix("\n").split(" ")
    value = _base64(parts[2], SIGNATURE_LENGTH) if len(parts) == 3 and parts[0] == SIGNED else None
    if value is None or len(parts[1]) != 16 or set(parts[1]) - set("0123456789abcdef"):
        raise BundleError(
            "not a signature",
            where=where,
            received=f"{len(content)} bytes",
            allowed=f"one line: {SIGNED} KEY-ID BASE64",
            next_step=f"sign it again: {SIGN}",
        )
    return Signature(parts[1], value)


def verify_seal(seal: Seal, keys: Sequence[PublicKey], *, where: str) -> PublicKey:
    """The trusted key that signed a folder's SHA256SUMS. Nothing else of the folder need be read for that.

    Raises :class:`BundleError` where there is no signature, one by a key that is not in ``keys``, or one that does not
    fit; :class:`RuntimeMissingError` where the library is absent.
    """
    trusted = ", ".join(f"{each.id} {each.comment}".strip() for each in keys)
    if seal.signature is None:
        raise BundleError(
            "the bundle is not signed, and this door lists trusted keys",
            where=where,
            received=f"no {SIGNATURE}",
            allowed=f"a signature by one of: {trusted}",
            next_step=f"sign it where the key is: {SIGN}",
        )
    signature = parse_signature(seal.signature, where=f"{where}/{SIGNATURE}")
    key = next((each for each in keys if each.id == signature.key_id), None)
    if key is None:
        raise BundleError(
            "the bundle is signed by a key that this door does not trust",
            where=f"{where}/{SIGNATURE}",
            received=signature.key_id,
            allowed=trusted,
            next_step="sign it with a trusted key; or, if you know whose it is: sudo voicelatch key trust LINE",
        )
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError as error:
        raise RuntimeMissingError(
            "the library that verifies signatures is not installed",
            where="nacl",
            received=error,
            next_step="pip install pynacl",
        ) from error
    try:
        VerifyKey(key.key).verify(CONTEXT + seal.sums, signature.value)
    except BadSignatureError as error:
        raise BundleError(
            "the bundle was altered after it was signed",
            where=f"{where}/{SIGNATURE}",
            received=f"a signature by {key.id} that does not fit SHA256SUMS",
            allowed="the sums that were signed",
            next_step="do not use it; copy the bundle again, and find out who changed it",
        ) from error
    return key


def _base64(text: str, length: int) -> bytes | None:
    """``length`` bytes written in the one canonical way, else None."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == length and base64.b64encode(value).decode() == text else None
