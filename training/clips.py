"""Recordings to clips, cut by the door's own detector and segmenter.

All recordings of one speaker and session are joined before cutting, so that short ones count too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Samples
from device.sound.resample import resample
from device.sound.segmenter import SegmenterSpec, cut_clips
from device.sound.vad import VadSpec
from training.corpus.index import Progress, Recording, load_samples, silent


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
        groups: dict[tuple[str, str], list[Recording]] = defaultdict(list)
        for each in recordings:
            groups[each.speaker, each.session].append(each)
        found: list[SpokenClip] = []
        for count, ((speaker, session), members) in enumerate(sorted(groups.items()), start=1):
            sound = np.concatenate([load_samples(self.root, each) for each in members])
            sound = at_speed(sound, speed)
            found += [SpokenClip(speaker, session, clip) for clip in cut_clips(sound, self.vad, self.segmenter)]
            progress(label, count, len(groups))
        return found


def at_speed(samples: Samples, speed: float) -> Samples:
    """Played ``speed`` times as fast: shorter and higher for > 1, as a tape would be."""
    return samples if speed == 1.0 else resample(samples, from_hz=round(SAMPLE_RATE_HZ * speed))


def stack(clips: Sequence[SpokenClip]) -> NDArray[np.int16]:
    """The samples of all clips, int16 ``(n, 48000)``."""
    if not clips:
        return np.zeros((0, CLIP_SAMPLES), dtype=np.int16)
    return np.stack([each.clip.samples for each in clips])
