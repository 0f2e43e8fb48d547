"""The files of an event log: the database, the head, what was set aside, and a lock between those who write."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.ownership import give_to_owner_of_folder

RETRY_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Everything that belongs to the log at ``path``."""

    path: Path

    @property
    def head(self) -> Path:
        return self.path.with_name(f"{self.path.name}.head")

    @property
    def damaged(self) -> list[Path]:
        """What could not be continued and was set aside."""
        return sorted(self.path.parent.glob(f"{self.path.name}.damaged-*"))

    def is_there(self) -> bool:
        return self.path.exists() or self.head.exists()

    def set_aside(self, path: Path) -> Path:
        """Move ``path`` to a name of its own among the damaged; the new path."""
        count = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{count}")).exists():
            count += 1
        os.replace(path, aside)
        return aside

    def set_database_aside(self) -> Path:
        """The database, and what of it stands in its write-ahead log only; nobody may have it open."""
        aside = self.set_aside(self.path)
        log = self.path.with_name(f"{self.path.name}-wal")
        if log.exists():
            os.replace(log, aside.with_name(f"{aside.name}-wal"))
        self.path.with_name(f"{self.path.name}-shm").unlink(missing_ok=True)
        return aside

    @contextmanager
    def locked(self, *, patience_seconds: float = 10.0) -> Iterator[None]:
        """Alone with the files, of all who write. The lock is a file of its own, because the others are replaced.

        Raises :class:`OSError` when somebody else has it for longer than ``patience_seconds``.
        """
        path = self.path.with_name(f"{self.path.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            give_to_owner_of_folder(path)
            _wait_for(descriptor, patience_seconds)
            yield
        finally:
            os.close(descriptor)


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
