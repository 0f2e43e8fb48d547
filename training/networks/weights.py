"""A Keras network's weights on disk."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any


def load_weights(network: Any, path: Path) -> None:
    """Give ``network`` the weights in ``path``. Raises OSError or ValueError, as Keras does, when they do not fit.

    Keras 3.15 warns of every list that a network keeps of its layers and that no file holds, since the layers are
    stored one by one. A layer that the file leaves out raises, so those warnings say nothing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Skipping nested container")
        network.load_weights(path)


def save_weights(network: Any, path: Path) -> None:
    """Write the weights of ``network`` to ``path``, which is then replaced whole or stays as it was."""
    fresh = path.with_name(f"new.{path.name}")
    network.save_weights(fresh)
    fresh.replace(path)
