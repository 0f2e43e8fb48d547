"""The prints of what the door heard lately, bounded in age and number. Times are of the calendar, in seconds, so that a
memory can outlive the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.errors import StateError
from device.replay.prints import Print


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """One clip's print, when it was heard (seconds of the calendar), and whether its visit opened the door."""

    heard: Print
    at_seconds: float
    opened: bool


class ReplayMemory:
    """At most ``most_clips`` prints, none older than ``keep_seconds``.

    A full memory forgets its oldest print of a visit that did not open first, so that nobody can talk until the prints
    worth stealing are forgotten; these may fill half of it.
    """

    def __init__(self, *, keep_seconds: float, most_clips: int) -> None:
        self.keep_seconds, self.most_clips = keep_seconds, most_clips
        self._kept: list[Remembered] = []

    def __len__(self) -> int:
        return len(self._kept)

    def prints(self, *, now_seconds: float) -> list[Print]:
        """What is young enough, oldest first; the rest is forgotten."""
        # A calendar that was set back must not make a print immortal, nor a small correction forget it.
        self._kept = [each for each in self._kept if abs(now_seconds - each.at_seconds) <= self.keep_seconds]
        return [each.heard for each in self._kept]

    def add(self, heard: Print, *, now_seconds: float) -> None:
        """Remember one more; a print without frames says nothing and is not kept."""
        if heard.frames == 0:
            return
        self._kept.append(Remembered(heard, now_seconds, opened=False))
        while len(self._kept) > self.most_clips:
            opened = sum(each.opened for each in self._kept)
            spare = opened > self.most_clips // 2
            self._kept.pop(next(i for i, each in enumerate(self._kept) if each.opened == spare))

    def mark_opened(self, *, since_seconds: float) -> None:
        """What was heard from ``since_seconds`` on belongs to a visit that opened the door."""
        self._kept = [replace(each, opened=True) if each.at_seconds >= since_seconds else each for each in self._kept]

    def forget(self) -> None:
        """Forget everything."""
        self._kept = []

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """For a file (npz): no names, no audio."""
        width = self._kept[0].heard.packed.shape[1] if self._kept else 0
        return {
            "packed": np.concatenate([np.zeros((0, width), np.uint8), *(each.heard.packed for each in self._kept)]),
            "sounding": np.concatenate([np.zeros(0, np.bool_), *(each.heard.sounding for each in self._kept)]),
            "frames": np.array([each.heard.frames for each in self._kept], dtype=np.int64),
            "at_seconds": np.array([each.at_seconds for each in self._kept], dtype=np.float64),
            "opened": np.array([each.opened for each in self._kept], dtype=np.bool_),
        }

    def take_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Replace what is remembered by what :meth:`to_arrays` gave. Raises :class:`StateError` and changes nothing."""
        try:
            packed, sounding = np.asarray(arrays["packed"]), np.asarray(arrays["sounding"])
            frames, opened = np.asarray(arrays["frames"]), np.asarray(arrays["opened"])
            times = np.asarray(arrays["at_seconds"])
            ends = np.cumsum(frames)
            whole = (
                packed.dtype == np.uint8
                and sounding.dtype == np.bool_
                and len(packed) == len(sounding) == (int(ends[-1]) if len(ends) else 0)
                and len(frames) == len(times) == len(opened) <= self.most_clips
                and bool((frames > 0).all())
                and bool(np.isfinite(times).all())
            )
            if not whole:
                raise ValueError("the lengths do not fit each other")
            kept = [
                Remembered(Print(packed[end - count : end], sounding[end - count : end]), float(at), bool(flag))
                for end, count, at, flag in zip(ends, frames, times, opened, strict=True)
            ]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise StateError(
                "the replay memory cannot be used",
                received=f"{type(error).__name__}: {error}",
                next_step="it starts empty; delete the file",
            ) from error
        self._kept = kept
