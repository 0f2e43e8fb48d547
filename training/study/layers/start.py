"""The weights a network began with: kept beside the fit, or, for an older fit, drawn again and proven by likeness.

A network starts from random numbers that its seed decides, so that an older fit's start can be drawn again, if
neither the network nor the library has changed since. Learning adds to the start and takes little of it away: a learnt
kernel still points somewhat in the direction of its own start. For any other start the cosine between the two is that
of unrelated directions: its standard deviation is ``1 / sqrt(weights)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.layer_log import START
from training.networks.backbone import build
from training.networks.parts import Values, kernel_values
from training.networks.weights import load_weights
from training.recipe import Recipe

# A likeness that unrelated directions reach once in a billion times.
LEAST_DEVIATIONS = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """``kernels``: those the network began with, by name, or None where nobody knows; ``told``: how that is known."""

    kernels: Mapping[str, Values] | None
    told: str


def start_of(recipe: Recipe, fit_folder: Path, learnt: Any) -> Start:
    """The start of the network ``learnt`` in ``fit_folder``."""
    kept = fit_folder / START
    if kept.exists():
        network = _built(recipe, recipe.frontend.shape)
        load_weights(network, kept)
        return Start(kernel_values(network), "kept when learning began")
    started_from = Path(recipe.backbone.start_from)
    if recipe.backbone.start_from and not started_from.is_file():
        return Start(None, f"this fit is older than its log, and {started_from}, which it went on from, is gone")
    if recipe.backbone.start_from:
        network = _built(recipe, recipe.frontend.shape)
        load_weights(network, started_from)
    else:
        network = drawn_again(recipe)
    kernels = kernel_values(network)
    deviations = likeness(kernels, kernel_values(learnt))
    found = f"the learnt kernels are like it by {min(deviations):.0f} to {max(deviations):.0f} deviations of chance"
    if float(np.median(deviations)) < LEAST_DEVIATIONS:
        return Start(None, f"this fit is older than its log, and its start could not be drawn again: {found}")
    return Start(kernels, f"drawn again from the seed, since this fit is older than its log; {found}")


def drawn_again(recipe: Recipe) -> Any:
    """The network that learning begins with: the second that is built after the seed is set, for cropped clips."""
    keras.utils.set_random_seed(recipe.data.seed)
    _built(recipe, recipe.frontend.shape)
    return _built(recipe, (recipe.backbone.crop_frames, recipe.frontend.shape[1]))


def likeness(start: Mapping[str, Values], learnt: Mapping[str, Values]) -> list[float]:
    """The cosine between each kernel and its start, in standard deviations of what chance gives."""
    found = []
    for name, before in start.items():
        after = learnt[name]
        lengths = float(np.linalg.norm(before)) * float(np.linalg.norm(after))
        found.append(float(np.vdot(before, after)) / max(lengths, 1e-12) * sqrt(before.size))
    return found


def _built(recipe: Recipe, shape: tuple[int, int]) -> Any:
    settings = recipe.backbone
    return build(settings.network, shape, embedding_size=settings.embedding_size, width=settings.width)
