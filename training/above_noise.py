"""A threshold that noise does not reach: a bundle that a sound nobody speaks would open is refused by every door."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from device.sound.segmenter import SegmenterSpec
from device.verdict.bundle import Thresholds
from device.verdict.head import Head
from device.verdict.noise_check import highest_evidence, noise_evidence
from training.publish import golden_clips
from training.voices import Embedder

# Between runtimes an output may differ by two int8 steps; this is many times what that changes.
MARGIN_LLR = 0.5


def above_noise(thresholds: Thresholds, head: Head, embedder: Embedder, segmenter: SegmenterSpec) -> Thresholds:
    """The thresholds, ``open_llr`` raised above what the door's own trial sounds (:mod:`device.verdict.noise_check`)
    and the golden clips reach. A higher one lets no more strangers in, so the bound that was counted still holds."""
    max_clips, least_seconds = thresholds.max_clips, segmenter.min_speech_seconds

    noise = noise_evidence(head, embedder.embed_one, max_clips=max_clips, min_speech_seconds=least_seconds)
    made_up = np.stack([embedder.embed_one(each) for each in golden_clips()])
    golden = highest_evidence(head, made_up, max_clips=max_clips, min_speech_seconds=least_seconds)
    reached = max(*noise.values(), float(golden.max()))
    return replace(thresholds, open_llr=max(thresholds.open_llr, reached + MARGIN_LLR))
