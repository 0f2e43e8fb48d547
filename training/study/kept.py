"""What a study computed, kept on disk by what it depends on: a killed study goes on, a changed one computes again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.atomic import write_array
from training.recipe import digest


def kept(
    folder: Path, name: str, depends_on: Sequence[Any], make: Callable[[], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """``make()``, or what it gave before for the same ``depends_on`` (anything JSON holds): float64 of any shape."""
    path = folder / f"{name}-{digest([name, *depends_on])[:24]}.npy"
    if not path.exists():
        write_array(path, np.asarray(make(), dtype=np.float64))
    found: NDArray[np.float64] = np.load(path)
    return found
