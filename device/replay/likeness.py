"""How much two prints agree at their best offset: of one recording throughout, of two takes only here and there.

At an offset the product of two signs is +1 or -1 for each bin of each frame. Its sum over the overlap, divided by the
root of the number of terms, would be about normal for unrelated sounds if bins were independent; they are not quite, so
the threshold is measured (``training/replay_study.py``) and not taken from a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.replay.prints import Print, PrintSpec

_Float = NDArray[np.float32]
SHORTEST_OVERLAP_SECONDS = 0.6
PIECE_SECONDS = 0.6
# A sound that begins every visit, such as a chime, agrees wholly but only in some pieces; a recording in most.
PIECES_QUANTILE = 0.4
# Where to look closely: the most alike of the others, and for each the most alike offsets.
CLOSE_LOOKS = 6
OFFSETS = 3


def likeness(heard: Print, others: Sequence[Print], spec: PrintSpec) -> NDArray[np.float64]:
    """The agreement of ``heard`` with each of ``others``, float64 ``(len(others),)``; 0 where they overlap too little.

    It is the lower of the agreement over the whole overlap and that of its poorer pieces, as a multiple of the standard
    deviation of independent signs. Only the most alike are looked at in pieces; for the rest the first is an upper
    bound that is still lower than that of those looked at.
    """
    scores = np.zeros(len(others))
    if heard.frames == 0 or not others:
        return scores
    bins = len(spec.bins)
    mine = heard.signs(bins).astype(np.float32)
    products = [mine @ each.signs(bins).astype(np.float32).T for each in others]
    agreements = [
        _by_offset(product, heard, other, bins, spec) for product, other in zip(products, others, strict=True)
    ]
    for index, agreement in enumerate(agreements):
        scores[index] = max(0.0, float(agreement.max(initial=0.0)))
    for index in np.argsort(scores)[::-1][:CLOSE_LOOKS]:
        if scores[index] > 0.0:
            scores[index] = _closely(products[index], agreements[index], heard, others[index], bins, spec)
    return scores


def _by_offset(product: _Float, heard: Print, other: Print, bins: int, spec: PrintSpec) -> NDArray[np.float64]:
    """Agreement at every offset from ``1 - heard.frames`` on, float64 ``(heard.frames + other.frames - 1,)``."""
    both = np.outer(heard.sounding, other.sounding).astype(np.float32)
    terms = _along_diagonals(both).astype(np.float64)
    sums = _along_diagonals(product).astype(np.float64)
    enough = terms >= SHORTEST_OVERLAP_SECONDS / spec.frame_seconds
    return np.where(enough, sums / np.sqrt(np.maximum(terms, 1.0) * bins), 0.0)


def _along_diagonals(table: _Float) -> _Float:
    """Sums of ``(n, m)`` along its diagonals, from the lower left corner to the upper right, ``(n + m - 1,)``."""
    rows, columns = table.shape
    # Upside down and with a row too long by ``rows``, one flattening shifts each row by one place.
    padded = np.pad(table[::-1], ((0, 0), (0, rows)))
    shifted = padded.ravel()[: rows * (rows + columns - 1)].reshape(rows, rows + columns - 1)
    sums: _Float = shifted.sum(axis=0)
    return sums


def _closely(
    product: _Float, agreement: NDArray[np.float64], heard: Print, other: Print, bins: int, spec: PrintSpec
) -> float:
    best = 0.0
    for place in np.argsort(agreement)[::-1][:OFFSETS]:
        offset = int(place) - heard.frames + 1
        along = np.diagonal(product, offset)
        sounding = np.diagonal(np.outer(heard.sounding, other.sounding), offset)
        frames = int(sounding.sum())
        if frames == 0:
            continue
        pieces = np.array_split(along[sounding], max(1, round(frames * spec.frame_seconds / PIECE_SECONDS)))
        poorer = float(np.quantile([piece.mean() for piece in pieces], PIECES_QUANTILE)) / bins
        best = max(best, min(float(agreement[place]), poorer * float(np.sqrt(frames * bins))))
    return best
