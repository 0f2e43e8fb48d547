"""The files of an event log: the current one, the one before it, the head, and a lock between those who write."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.errors import StateError

TAIL_BYTES = 1 << 20
RETRY_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Everything that belongs to the log at ``path``."""

    path: Path

    @property
    def older(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    @property
    def head(self) -> Path:
        return self.path.with_name(f"{self.path.name}.head")

    @property
    def torn(self) -> Path:
        """Where the beginnings of lines are kept that a power cut left."""
        return self.path.with_name(f"{self.path.name}.torn")

    @property
    def damaged(self) -> list[Path]:
        """Files that could not be continued and were set aside."""
        return sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))

    def present(self) -> list[Path]:
        """The files of the chain that exist, oldest first."""
        return [path for path in (self.older, self.path) if path.exists()]

    @contextmanager
    def locked(self, *, patience_seconds: float = 10.0) -> Iterator[None]:
        """Alone with the files. The lock is a file of its own, because the others are replaced.

        Raises :class:`OSError` when somebody else has it for longer than ``patience_seconds``.
        """
        descriptor = os.open(
            self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            _wait_for(descriptor, patience_seconds)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> list[tuple[Path, list[str]]]:
        """Each file's complete lines, oldest file first. Raises :class:`StateError` when one cannot be read."""
        found = []
        for path in self.present():
            try:
                found.append((path, lines_of(path.read_bytes())))
            except OSError as error:
                raise StateError(
                    "the event log cannot be read",
                    where=str(path),
                    received=error,
                    next_step="ask as the daemon's user or as root",
                ) from error
        return found


def _wait_for(descriptor: int, patience_seconds: float) -> None:
    until_seconds = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_seconds:
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def lines_of(content: bytes) -> list[str]:
    """Complete lines. An unfinished one at the end is not among them; bytes that are no text become marks."""
    return [line.decode(errors="replace") for line in content.split(b"\n")[:-1]]


def tail_of(path: Path) -> tuple[str | None, bytes]:
    """The last complete line (None without one) and the bytes after it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        content = file.read()
    complete, _, rest = content.rpartition(b"\n")
    if b"\n" not in content:
        return None, content
    return complete.rpartition(b"\n")[2].decode(errors="replace"), rest
