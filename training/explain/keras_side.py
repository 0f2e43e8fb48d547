"""The Keras network that a bundle's int8 network was made from, built by name and given its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import BundleError, ConfigError, DataError
from device.sound.logmel import Features
from device.verdict.interpreter import Embedding, unit_length
from training.networks.weights import load_weights

# An int8 copy stands this near to its own float network or nearer; another network's weights stand nowhere near.
LEAST_COSINE = 0.9
HOW_TO_GET = (
    "the shipped network's are models/backbone.weights.h5; a run with [publish] keep_weights = true writes its own "
    "beside its backbone"
)


@dataclass(frozen=True, slots=True)
class Weights:
    """Where Keras weights are and what network they belong to; empty ``network`` and 0: as the manifest says."""

    path: Path
    network: str = ""
    width: int = 0


def load_network(weights: Weights, manifest: Mapping[str, Any], *, shape: tuple[int, int], embedding_size: int) -> Any:
    """The network for features of ``shape``. Raises :class:`ConfigError` when nobody says which network it is, and
    :class:`BundleError` when the weights are missing or of another one."""
    from training.networks.backbone import build

    settings = manifest.get("network") or {}
    name, width = weights.network or settings.get("network", ""), weights.width or settings.get("width", 0)
    if not name or not width:
        raise ConfigError(
            "neither the command nor the bundle says which network the weights are of",
            where=str(weights.path),
            received=f"network {name or 'unknown'}, width {width or 'unknown'}",
            next_step="add --network and --width, as in the recipe's [backbone] (the shipped one: lean, 12)",
        )
    network = build(name, shape, embedding_size=embedding_size, width=width)
    try:
        load_weights(network, weights.path)
    except (OSError, ValueError) as error:
        raise BundleError(
            f"these are no weights of {name}, width {width}",
            where=str(weights.path),
            received=str(error).splitlines()[0],
            next_step=f"check --network and --width; {HOW_TO_GET}",
        ) from error
    return network


def agreement(network: Any, features: Features, int8: Embedding) -> float:
    """The cosine between what both networks say of one clip. Raises :class:`DataError` when they are not the same
    network: its gradients would explain somebody else's decision."""
    raw = np.asarray(network(features[None], training=False), dtype=np.float32)
    cosine = float(unit_length(raw)[0] @ int8)
    if not cosine >= LEAST_COSINE:
        raise DataError(
            "the weights are not those of the bundle's network",
            where="--weights",
            received=f"cosine {cosine:.2f} between both embeddings of this clip",
            allowed=f"at least {LEAST_COSINE}",
            next_step="give the weights that the bundle was quantized from",
        )
    return cosine
