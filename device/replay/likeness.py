"""How much what is heard agrees with prints of the past, at its best speed and offset: a recording throughout, another
take only here and there.

At an offset the product of two signs is +1 or -1 for each bin of each frame. Its sum over the overlap, divided by the
root of the number of terms, would be about normal for unrelated sounds if bins were independent; they are not quite, so
the threshold is measured (``training/replay_study.py``) and not taken from a table.

The speed is searched from coarse to fine. In the low bins a step of 1.2 % is felt little, so a few speeds, every second
frame and a third of the bins find the likely places in everything remembered; only there all bins are compared, at
speeds ever closer to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.replay.prints import Contrasts, Print, PrintSpec, Signs

_Row = NDArray[np.float64]
SHORTEST_OVERLAP_SECONDS = 0.6
PIECE_SECONDS = 0.6
# A sound that begins every visit, such as a chime, agrees wholly but only in some pieces; a recording in most.
PIECES_QUANTILE = 0.4
# Natural logarithms of speeds: 0.938 to 1.066 times the speed of the recording.
COARSE_LOG_SPEEDS = np.arange(-5, 6) * 0.0128
COARSE_BINS, COARSE_FRAME_STEP = 64, 2
# Where to look closely, and at which speeds around the place that was found; the last steps at the best places only.
CLOSE_LOOKS = 8
CLOSER = np.array([-0.0043, 0.0043])
FINEST_LOOKS = 2
FINEST = np.array([-0.0022, -0.0011, 0.0011, 0.0022])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where frame 0 of what is heard lies in print ``index``, at the natural logarithm of a speed."""

    index: int
    offset: int
    log_speed: float
    agreement: float


def likeness(heard: Contrasts, others: Sequence[Print], spec: PrintSpec) -> float:
    """The agreement of ``heard`` with the most alike of ``others``; 0 where none overlaps enough.

    It is the lower of the agreement over the whole overlap and that of its poorer pieces, as a multiple of the standard
    deviation of independent signs.
    """
    if len(heard.sounding) == 0 or not others:
        return 0.0
    search = _Search(heard, others, spec, {}, {})
    found = [search.closer(each, CLOSER, shifts=(-1, 0, 1)) for each in search.coarse()]
    found = sorted(found, key=lambda each: each.agreement, reverse=True)[:FINEST_LOOKS]
    return max((search.judged(search.closer(each, FINEST, shifts=(0,))) for each in found), default=0.0)


@dataclass(frozen=True, slots=True)
class _Search:
    heard: Contrasts
    others: Sequence[Print]
    spec: PrintSpec
    # What several places share: the signs of what is heard, by speed, and those of a print, by its index.
    read: dict[float, tuple[Signs, NDArray[np.bool_]]]
    unpacked: dict[int, Signs]

    def coarse(self) -> list[_Place]:
        """The most alike places, at most one in each print at each coarse speed."""
        step, bins = COARSE_FRAME_STEP, self.spec.bins[:COARSE_BINS]
        # One row of frames, with silence between prints, so that none overlaps with two.
        between = int(1.1 * self.heard.seconds / (step * self.spec.frame_seconds)) + 2
        starts = np.cumsum([0, *(-(-each.frames // step) + between for each in self.others[:-1])], dtype=np.int64)
        whole = int(starts[-1]) + -(-self.others[-1].frames // step) + between
        remembered, sounding = np.zeros((whole, len(bins)), np.float32), np.zeros(whole, np.float32)
        for start, each in zip(starts.tolist(), self.others, strict=True):
            end = start - (-each.frames // step)
            remembered[start:end] = each.signs(len(bins), frame_step=step)
            sounding[start:end] = each.sounding[::step]
        least = SHORTEST_OVERLAP_SECONDS / (step * self.spec.frame_seconds)
        rows, lengths = [], []
        for speed in np.exp(COARSE_LOG_SPEEDS).tolist():
            mine, mine_sounding = self.heard.signs_at(speed, bins, frame_step=step)
            terms = np.correlate(sounding, mine_sounding.astype(np.float32), "full").astype(np.float64)
            sums = _along_diagonals(mine @ remembered.T).astype(np.float64)
            rows.append(np.where(terms >= least, sums / np.sqrt(np.maximum(terms, 1.0) * len(bins)), 0.0))
            lengths.append(len(mine))
        best = np.stack([np.maximum.reduceat(each, starts) for each in rows])
        found = []
        for place in np.argsort(best, axis=None)[::-1][:CLOSE_LOOKS].tolist():
            at, index = divmod(place, len(starts))
            if best[at, index] > 0.0:
                end = starts[index + 1] if index + 1 < len(starts) else None
                offset = step * (int(np.argmax(rows[at][starts[index] : end])) - lengths[at] + 1)
                found.append(_Place(index, offset, float(COARSE_LOG_SPEEDS[at]), float(best[at, index])))
        return found

    def closer(self, place: _Place, steps: _Row, *, shifts: Sequence[int]) -> _Place:
        """The best of the places around ``place``, by all bins and frames."""
        tried = [
            _Place(place.index, place.offset + shift, place.log_speed + step, 0.0)
            for step in (0.0, *steps.tolist())
            for shift in shifts
        ]
        agreements = [self._whole(self._along(each)) for each in tried]
        best = int(np.argmax(agreements))
        return _Place(place.index, tried[best].offset, tried[best].log_speed, agreements[best])

    def judged(self, place: _Place) -> float:
        """The likeness at a place."""
        along = self._along(place)
        if len(along) == 0:
            return 0.0
        pieces = np.array_split(along, max(1, round(len(along) * self.spec.frame_seconds / PIECE_SECONDS)))
        poorer = float(np.quantile([piece.mean() for piece in pieces], PIECES_QUANTILE))
        return max(0.0, min(self._whole(along), poorer * float(np.sqrt(len(along) / len(self.spec.bins)))))

    def _along(self, place: _Place) -> _Row:
        """Sums of products of signs, of each frame in which both sound; empty where they are too few."""
        speed = float(np.exp(place.log_speed))
        if speed not in self.read:
            self.read[speed] = self.heard.signs_at(speed, self.spec.bins)
        mine, mine_sounding = self.read[speed]
        if place.index not in self.unpacked:
            self.unpacked[place.index] = self.others[place.index].signs(len(self.spec.bins))
        theirs, their_sounding = self.unpacked[place.index], self.others[place.index].sounding
        first, end = max(0, -place.offset), min(len(mine), len(theirs) - place.offset)
        if end <= first:
            return np.zeros(0)
        here, there = slice(first, end), slice(first + place.offset, end + place.offset)
        both = mine_sounding[here] & their_sounding[there]
        along: _Row = np.einsum("ij,ij->i", mine[here], theirs[there])[both].astype(np.float64)
        return along if len(along) * self.spec.frame_seconds >= SHORTEST_OVERLAP_SECONDS else np.zeros(0)

    def _whole(self, along: _Row) -> float:
        return float(along.sum()) / float(np.sqrt(max(1, len(along)) * len(self.spec.bins)))


def _along_diagonals(table: Signs) -> Signs:
    """Sums of ``(n, m)`` along its diagonals, from the lower left corner to the upper right, ``(n + m - 1,)``."""
    rows, columns = table.shape
    # Upside down and with a row too long by ``rows``, one flattening shifts each row by one place.
    padded = np.pad(table[::-1], ((0, 0), (0, rows)))
    shifted = padded.ravel()[: rows * (rows + columns - 1)].reshape(rows, rows + columns - 1)
    sums: Signs = shifted.sum(axis=0)
    return sums
