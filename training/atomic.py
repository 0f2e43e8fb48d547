"""A file appears complete or not at all: written to a temporary name beside its place, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from device.errors import StateError


def write_atomically(path: Path, save: Callable[[BinaryIO], object]) -> None:
    """Let ``save`` write into a fresh file, and put that at ``path``. What stood there stays if anything fails.

    Raises :class:`StateError` when it cannot be written; whatever ``save`` raises passes through.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            save(file)
        os.replace(fresh, path)
    except OSError as error:
        raise StateError(
            "cannot be written", where=str(path), received=error, next_step="check free space and permissions"
        ) from error
    finally:
        # Gone after a rename; after a failure a scrap, which may not even be reachable.
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """The same for text, in UTF-8 with line ends as they are."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_array(path: Path, array: NDArray[Any]) -> None:
    """The same for one array, as ``.npy``."""
    write_atomically(path, lambda file: np.save(file, array))
