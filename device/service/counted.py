"""How much speech a recording has, counted once a file: the detector's work on hours of speech takes a processor."""

from __future__ import annotations

from pathlib import Path

from device.enrolment.progress import Role
from device.service.recordings import counted_seconds

MOST_FILES = 20_000


class CountedOnce:
    """``CountedOnce()(path, role)`` as :func:`counted_seconds`, remembered for as long as the file is the same (size,
    time of change). For one thread."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, Role, int, int, int], float] = {}

    def __call__(self, path: Path, role: Role) -> float:
        status = path.stat()
        key = (str(path), role, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._seconds:
            if len(self._seconds) >= MOST_FILES:
                self._seconds.clear()
            self._seconds[key] = counted_seconds(path, role)
        return self._seconds[key]
