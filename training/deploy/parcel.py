"""What is sent: a copy of a bundle that was verified as a copy, under a name that no other content can have."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.errors import BundleError, StateError
from device.service.verified import UNSIGNED, verify
from device.verdict.bundle import REQUIRED, resolve_current
from device.verdict.files import FOLDER_BYTES, SIGNATURE, SUMS, read_listed, read_seal
from device.verdict.signature import parse_signature

# NAME-SEQUENCE-DIGEST: also how bundles that a deployment made are told from those that somebody put there by hand.
DEPLOYED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*-\d+-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A verified bundle: ``path`` holds its files and nothing else; ``digest`` is the SHA-256 (hex) of its
    SHA256SUMS; ``folder`` its name on every door; ``key_id`` whose signature it says it has (empty: nobody's).

    A refresh publishes under the same name as before. On a door each content has a folder of its own, so that the
    previous one is whole for as long as it may be needed.
    """

    path: Path
    name: str
    sequence: int
    digest: str
    folder: str
    key_id: str = ""

    def as_tar(self) -> bytes:
        """The files, readable by everybody, as an uncompressed tar archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted(self.path.iterdir()):
                content = path.read_bytes()
                entry = tarfile.TarInfo(path.name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


@contextmanager
def packed(path: Path) -> Iterator[Parcel]:
    """Copy the bundle ``path`` (or what a models folder's ``current`` names) aside and verify the copy.

    A training run that publishes meanwhile cannot change what is sent. Raises :class:`BundleError` when it is not fit
    or its name cannot be a folder's, :class:`StateError` when it cannot be copied.
    """
    folder = resolve_current(path)
    seal = read_seal(folder)
    contents = dict(read_listed(folder, seal, REQUIRED, max_bytes=FOLDER_BYTES))
    contents[SUMS] = seal.sums
    if seal.signature is not None:
        contents[SIGNATURE] = seal.signature
    with tempfile.TemporaryDirectory(prefix="voicelatch-") as scratch:
        copy = Path(scratch) / folder.name
        try:
            copy.mkdir()
            for name, content in contents.items():
                (copy / name).write_bytes(content)
                (copy / name).chmod(0o644)
        except OSError as error:
            raise StateError("the bundle cannot be copied aside", where=scratch, received=error) from error
        verified = verify(copy, trust=UNSIGNED)
        bundle = verified.bundle
        # A bundle that was signed, or signed anew, after it had been sent is another content.
        marked = hashlib.sha256(seal.sums + seal.signature).hexdigest() if seal.signature else verified.digest
        place = f"{bundle.name}-{bundle.sequence}-{marked[:8]}"
        if not DEPLOYED.fullmatch(place):
            raise BundleError(
                "the bundle's name cannot be a folder's",
                where=f"{folder / 'manifest.json'}: name",
                received=repr(bundle.name),
                allowed="letters, digits, '.', '_' and '-'",
                next_step="publish it under another name",
            )
        key_id = parse_signature(seal.signature, where=f"{folder}/{SIGNATURE}").key_id if seal.signature else ""
        yield Parcel(copy, bundle.name, bundle.sequence, verified.digest, place, key_id)
