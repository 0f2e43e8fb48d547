"""The prints of what the door heard lately, bounded in age and number.

Times are monotonic: a calendar that jumps forgets nothing. A memory that is to outlive the process is kept as ages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.errors import StateError
from device.replay.prints import Print


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """One utterance's print, when it was heard (monotonic), and whether its visit opened the door."""

    heard: Print
    at_seconds: float
    opened: bool


class ReplayMemory:
    """At most ``most_utterances`` prints, none older than ``keep_seconds``.

    A full memory forgets its oldest print of a visit that did not open first, so that nobody can talk until the prints
    worth stealing are forgotten; these may fill half of it.
    """

    def __init__(self, *, keep_seconds: float, most_utterances: int) -> None:
        self.keep_seconds, self.most_utterances = keep_seconds, most_utterances
        self._kept: list[Remembered] = []

    def __len__(self) -> int:
        return len(self._kept)

    def prints(self, *, now_seconds: float) -> list[Print]:
        """What is young enough, oldest first; the rest is forgotten."""
        self._kept = [each for each in self._kept if now_seconds - each.at_seconds <= self.keep_seconds]
        return [each.heard for each in self._kept]

    def add(self, heard: Print, *, now_seconds: float, instead_of_last: bool = False) -> None:
        """Remember one more, or the last one at greater length. A print without frames says nothing and is not kept."""
        if heard.frames == 0:
            return
        opened = instead_of_last and self._kept.pop().opened
        self._kept.append(Remembered(heard, now_seconds, opened=opened))
        while len(self._kept) > self.most_utterances:
            worth_stealing = sum(each.opened for each in self._kept)
            sacrificed = worth_stealing > self.most_utterances // 2
            self._kept.pop(next(i for i, each in enumerate(self._kept) if each.opened == sacrificed))

    def mark_opened(self, *, since_seconds: float) -> None:
        """What was heard from ``since_seconds`` on belongs to a visit that opened the door."""
        self._kept = [replace(each, opened=True) if each.at_seconds >= since_seconds else each for each in self._kept]

    def forget(self) -> None:
        """Forget everything."""
        self._kept = []

    def to_arrays(self, *, now_seconds: float) -> dict[str, NDArray[np.generic]]:
        """For a file (npz): no names, no audio, ages instead of times."""
        width = self._kept[0].heard.packed.shape[1] if self._kept else 0
        return {
            "packed": np.concatenate([np.zeros((0, width), np.uint8), *(each.heard.packed for each in self._kept)]),
            "sounding": np.concatenate([np.zeros(0, np.bool_), *(each.heard.sounding for each in self._kept)]),
            "frames": np.array([each.heard.frames for each in self._kept], dtype=np.int64),
            "age_seconds": np.array([now_seconds - each.at_seconds for each in self._kept], dtype=np.float64),
            "opened": np.array([each.opened for each in self._kept], dtype=np.bool_),
        }

    def take_arrays(
        self, arrays: Mapping[str, NDArray[np.generic]], *, now_seconds: float, away_seconds: float
    ) -> None:
        """Replace what is remembered by what :meth:`to_arrays` gave, ``away_seconds`` ago.

        Raises :class:`StateError` and changes nothing when the arrays do not fit each other.
        """
        try:
            packed, sounding = np.asarray(arrays["packed"]), np.asarray(arrays["sounding"])
            frames, opened = np.asarray(arrays["frames"]), np.asarray(arrays["opened"])
            ages = np.asarray(arrays["age_seconds"])
            ends = np.cumsum(frames)
            whole = (
                packed.dtype == np.uint8
                and sounding.dtype == np.bool_
                and len(packed) == len(sounding) == (int(ends[-1]) if len(ends) else 0)
                and len(frames) == len(ages) == len(opened) <= self.most_utterances
                and bool((frames > 0).all())
                # An age below 0 would be remembered for longer than the door is told to.
                and bool((np.isfinite(ages) & (ages >= 0.0)).all())
            )
            if not whole:
                raise ValueError("the lengths do not fit each other")
            kept = [
                Remembered(
                    Print(packed[end - count : end], sounding[end - count : end]),
                    now_seconds - max(0.0, away_seconds) - float(age),
                    bool(flag),
                )
                for end, count, age, flag in zip(ends, frames, ages, opened, strict=True)
            ]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StateError(
                "the replay memory cannot be used",
                received=f"{type(error).__name__}: {error}",
                next_step="it starts empty; delete the file",
            ) from error
        self._kept = kept
