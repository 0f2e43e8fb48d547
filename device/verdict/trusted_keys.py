"""The file of public keys that a door trusts, such as ``/etc/voicelatch/trusted_keys``: one line each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from device.errors import ConfigError, StateError
from device.verdict.safe_files import exists, open_folder, read_regular, replace_file
from device.verdict.signature import KEYS_TEXT_BYTES, PRIVATE, PublicKey, check_name, parse_key, parse_keys

DEFAULT_TRUSTED_KEYS = Path("/etc/voicelatch/trusted_keys")
NO_KEYS_YET = b"# Who may sign bundles for this door: a line each, added by `voicelatch key trust LINE`.\n"


def read_trusted(path: Path) -> tuple[PublicKey, ...]:
    """The keys in the file; none where it is not there or lists none. Raises :class:`ConfigError` where it cannot be
    read, is no regular file, or has a line that is no key."""
    return parse_keys(_content(path) or b"", where=str(path))


def read_public(text_or_file: str) -> PublicKey:
    """A public key from its line, or from a file that holds one line. Raises :class:`ConfigError`; a private key is not
    repeated in it."""
    path = Path(text_or_file)
    try:
        is_file = len(text_or_file) < 4096 and path.is_file()
    except (OSError, ValueError):
        is_file = False
    text, where = text_or_file, "the given line"
    if is_file:
        content = _content(path) or b""
        text, where = content.decode("utf-8", errors="replace").strip(), str(path)
    if text.lstrip().startswith(PRIVATE):
        raise ConfigError("this is the private key", where=where,
                          allowed="the public line, from the file that ends in .pub",
                          next_step="keep it where it is; nobody but its owner may see it")  # fmt: skip
    return parse_key(text, where=where)


def trust_key(path: Path, key: PublicKey, *, name: str = "") -> bool:
    """Add ``key`` to the file, under ``name`` (empty: its own); False where it is listed already.

    The file is exchanged as a whole. Raises :class:`ConfigError` for a key without a name, a name that another key has,
    or a file that holds something else, and :class:`StateError` when it cannot be written.
    """
    check_name(name)
    fresh = replace(key, comment=name.strip() or key.comment)
    if not fresh.comment:
        raise ConfigError("the key has no name", where=f"key {key.id}", next_step="give it one: --name NAME")
    content = _content(path)
    known = parse_keys(content or b"", where=str(path))
    if any(each.key == fresh.key for each in known):
        return False
    if any(each.comment == fresh.comment for each in known):
        raise ConfigError("another key has this name", where=str(path), received=ascii(fresh.comment),
                          next_step="give this one another: --name NAME")  # fmt: skip
    before = content if content is not None else NO_KEYS_YET
    before += b"" if not before or before.endswith(b"\n") else b"\n"
    try:
        with open_folder(path.parent, follow=True) as folder:
            replace_file(folder, path.name, before + f"{fresh.line()}\n".encode(), mode=0o644)
    except OSError as error:
        raise StateError("the trusted keys cannot be written", where=str(path), received=error,
                         next_step="run it as root: sudo voicelatch key trust LINE") from error  # fmt: skip
    return True


def _content(path: Path) -> bytes | None:
    try:
        if not path.parent.is_dir():
            return None
        with open_folder(path.parent, follow=True) as folder:
            return read_regular(folder, path.name, max_bytes=KEYS_TEXT_BYTES) if exists(folder, path.name) else None
    except OSError as error:
        raise ConfigError("the trusted keys cannot be read", where=str(path), received=error.strerror,
                          allowed="a regular file (no symbolic link) that this user may read",
                          next_step=f"sudo chmod 644 {path}, or look what it is") from error  # fmt: skip
