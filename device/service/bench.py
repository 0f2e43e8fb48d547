"""``voicelatch bench``: what each stage costs on this machine."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device.service.config import PolicyConfig, policy_for
from device.sound.pcm import CLIP_SAMPLES, Clip, Samples
from device.sound.segmenter import Segmenter, frames_of
from device.sound.vad import WebRtcDetector
from device.sound.wavfile import read_wav
from device.verdict.bundle import load_bundle
from device.verdict.policy import PolicyState, judge
from device.verdict.scorer import Scorer

LISTEN_SECONDS = 30


def bench(bundle_path: Path, *, wav: Path, repeats: int = 50) -> dict[str, float]:
    """Milliseconds a clip (median and 95th percentile) of each stage, start time, memory, share of one core.

    ``wav`` is speech; it is repeated for half a minute.
    """
    started = time.perf_counter()
    bundle = load_bundle(bundle_path)
    scorer = Scorer(bundle)
    told = {"start_ms": 1000 * (time.perf_counter() - started)}
    speech = np.resize(read_wav(wav), LISTEN_SECONDS * 16_000)
    clip = Clip(speech[:CLIP_SAMPLES], 3.0, False, 0, 0.0, 3.0)
    frames = list(frames_of(clip.samples))
    detector = WebRtcDetector(bundle.vad)
    spec = policy_for(bundle, PolicyConfig())
    score = scorer.score(clip)

    told |= _time("vad", lambda: [detector.is_speech(frame) for frame in frames], repeats)
    timings = [scorer.score_timed(clip)[1] for _ in range(repeats)]
    told |= _summary("features", [each.features_seconds for each in timings])
    told |= _summary("inference", [each.inference_seconds for each in timings])
    told |= _time("policy", lambda: judge(spec, PolicyState(), score, now_seconds=0.0), repeats)
    told["core_share_silence"] = _share(scorer, np.zeros_like(speech))
    told["core_share_speech"] = _share(scorer, speech)
    told["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


def _share(scorer: Scorer, sound: Samples) -> float:
    """CPU seconds per second of ``sound`` through detector, segmenter, features and model."""
    detector, segmenter = WebRtcDetector(scorer.bundle.vad), Segmenter(scorer.bundle.segmenter)
    before = time.process_time()
    for frame in frames_of(sound):
        for heard in segmenter.push(frame, detector.is_speech(frame)):
            if isinstance(heard, Clip):
                scorer.score(heard)
    return (time.process_time() - before) / (len(sound) / 16_000)


def _time(name: str, action: Callable[[], object], repeats: int) -> dict[str, float]:
    seconds = []
    for _ in range(repeats):
        before = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - before)
    return _summary(name, seconds)


def _summary(name: str, seconds: list[float]) -> dict[str, float]:
    ranked = sorted(seconds)
    p95 = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
    return {f"{name}_ms": 1000 * statistics.median(ranked), f"{name}_p95_ms": 1000 * p95}
