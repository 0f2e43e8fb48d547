"""Recordings to clips, cut by the door's own detector and segmenter.

All recordings of one speaker and session are joined before cutting, so that short ones count too.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import StateError
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Samples
from device.sound.resample import resample
from device.sound.segmenter import SegmenterSpec, cut_blocks
from device.sound.vad import VadSpec
from training.corpus.index import Progress, Recording, load_blocks, silent


@dataclass(frozen=True, slots=True, eq=False)
class SpokenClip:
    """A clip and whose it is."""

    speaker: str
    session: str
    clip: Clip


@dataclass(frozen=True, slots=True)
class Cutter:
    """Where the recordings are and how they are cut."""

    root: Path
    vad: VadSpec
    segmenter: SegmenterSpec

    def cut(
        self, recordings: Iterable[Recording], *, speed: float = 1.0, progress: Progress = silent, label: str = "clips"
    ) -> list[SpokenClip]:
        """Every clip of ``recordings``, in order of speaker and session. ``speed`` 0.5..2 also shifts the pitch."""
        groups = self.each(recordings, speed=speed, progress=progress, label=label)
        return [spoken for group in groups for spoken in group]

    def each(
        self, recordings: Iterable[Recording], *, speed: float = 1.0, progress: Progress = silent, label: str = "clips"
    ) -> Iterator[list[SpokenClip]]:
        """The same, one speaker's session at a time: for a corpus that does not fit into memory."""
        groups: dict[tuple[str, str], list[Recording]] = defaultdict(list)
        for each in recordings:
            groups[each.speaker, each.session].append(each)
        for count, ((speaker, session), members) in enumerate(sorted(groups.items()), start=1):
            blocks: Iterator[Samples] = (block for each in members for block in load_blocks(self.root, each))
            if speed != 1.0:
                blocks = iter([at_speed(np.concatenate(list(blocks)), speed)])
            yield [SpokenClip(speaker, session, clip) for clip in cut_blocks(blocks, self.vad, self.segmenter)]
            progress(label, count, len(groups))


class ClipFile:
    """Clips appended to a ``.npy`` file of int16 ``(n, 48000)``, whose header is put right at the end.

    Only a file that was closed without an error appears at ``path``.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._fresh, self._count = path, path.with_suffix(".new"), 0
        self._file = self._fresh.open("wb")
        self._header_bytes = self._write_header()

    def append(self, clips: Sequence[SpokenClip]) -> None:
        self._file.write(stack(clips).tobytes())
        self._count += len(clips)

    def close(self) -> None:
        self._file.seek(0)
        if self._write_header() != self._header_bytes:
            raise StateError(
                "the clips cannot be written",
                where=str(self._path),
                received="a header of another length",
                next_step="install numpy 1.26 or newer",
            )
        self._file.close()
        os.replace(self._fresh, self._path)

    def _write_header(self) -> int:
        # numpy leaves room in the header for the first axis to grow.
        form = {"descr": "<i2", "fortran_order": False, "shape": (self._count, CLIP_SAMPLES)}
        np.lib.format.write_array_header_1_0(self._file, form)
        return self._file.tell()


def at_speed(samples: Samples, speed: float) -> Samples:
    """Played ``speed`` times as fast: shorter and higher for > 1, as a tape would be."""
    return samples if speed == 1.0 else resample(samples, from_hz=round(SAMPLE_RATE_HZ * speed))


def stack(clips: Sequence[SpokenClip]) -> NDArray[np.int16]:
    """The samples of all clips, int16 ``(n, 48000)``."""
    if not clips:
        return np.zeros((0, CLIP_SAMPLES), dtype=np.int16)
    return np.stack([each.clip.samples for each in clips])
