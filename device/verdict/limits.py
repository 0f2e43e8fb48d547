"""The range of every number in a manifest, with the reason: what lies outside no enrolment or calibration makes.

A signature says who made a bundle, not that its numbers make sense. Whether the numbers together keep the door shut is
tried with sounds that nobody speaks (:mod:`device.verdict.noise_check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from device.errors import BundleError
from device.sound.pcm import CLIP_FRAMES, CLIP_SAMPLES, CLIP_SECONDS, SAMPLE_RATE_HZ
from device.verdict.files import REPUBLISH

BAD = "a field is missing or not acceptable"
LARGEST = 10**9
MAX_MEL_BANDS = 1024


@dataclass(frozen=True, slots=True)
class Range:
    """``low`` and ``high`` are both allowed."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


ANY = Range(-LARGEST, LARGEST)
NYQUIST_HZ = SAMPLE_RATE_HZ / 2
LIMITS: Mapping[str, Range] = {
    # A workshop counts its bundles up from 1.
    "sequence": Range(0, LARGEST),
    # Natural-log likelihood ratio for each deviation from the cohort. The shipped bundle has 2.2; a fit on people who
    # do not overlap at all grows to about 20, and one that hardly tells people apart is no calibration.
    "calibration.slope": Range(0.01, 50.0),
    # The evidence at the cohort's own level. The middle between "same" and "other" people is 1 to 10 deviations above
    # it, so this is the negative of that times the slope; above 0 only where a network hardly tells people apart.
    "calibration.intercept": Range(-500.0, 10.0),
    # What a clip without any speech would change about both: the slope shrinks, and the intercept comes nearer to 0.
    "calibration.short_slope": Range(-50.0, 50.0),
    "calibration.short_intercept": Range(-100.0, 500.0),
    # A deviation needs two; the shipped bundle looks at 50 of 398.
    "calibration.cohort_top": Range(2, 10_000),
    # Calibration never goes below 0.5: evidence for nobody opens nothing. Three clips of certainty give about 100.
    "thresholds.open_llr": Range(0.5, 5000.0),
    # Refused is who sounds like nobody here: never on evidence that speaks for a resident.
    "thresholds.refuse_llr": Range(-5000.0, 0.0),
    # A visit lasts 30 s and a clip 3 s.
    "thresholds.max_clips": Range(1, 10),
    # What a recipe may aim at.
    "thresholds.target_far": Range(1e-5, 0.2),
    "thresholds.far_upper_bound": Range(0.0, 1.0),
    # Nobody has more recordings of strangers than this; without one stranger there is no threshold.
    "thresholds.validation_speakers": Range(1, 10_000_000),
    "thresholds.validation_visits": Range(1, 100_000_000),
    # Lengths that fit into a clip, in samples; how many values that makes is limited in manifest.py.
    "frontend.spec.fft_samples": Range(2, CLIP_SAMPLES),
    "frontend.spec.window_samples": Range(1, CLIP_SAMPLES),
    "frontend.spec.hop_samples": Range(1, CLIP_SAMPLES),
    "frontend.spec.mel_bands": Range(1, MAX_MEL_BANDS),
    "frontend.spec.low_hz": Range(0.0, NYQUIST_HZ),
    "frontend.spec.high_hz": Range(1.0, NYQUIST_HZ),
    # A power relative to full scale: above 1 everything would count as silent.
    "frontend.spec.log_floor": Range(1e-30, 1.0),
    # Sixteen bits hold 96 dB.
    "frontend.spec.lift_to_dbfs": Range(-100.0, 0.0),
    # The detector has these four.
    "vad.spec.mode": Range(0, 3),
    # Frames of 20 ms, at most a clip of them; their order is the segmenter's to judge.
    "segmenter.spec.onset_frames": Range(1, 50),
    "segmenter.spec.onset_window_frames": Range(1, 50),
    "segmenter.spec.pre_roll_frames": Range(1, CLIP_FRAMES),
    "segmenter.spec.hangover_frames": Range(1, CLIP_FRAMES),
    "segmenter.spec.min_speech_seconds": Range(0.2, CLIP_SECONDS),
    # A step of int8: decibels at the input, a share of a vector of any length at the output.
    "tensors.scale": Range(1e-9, 1e4),
    "tensors.zero_point": Range(-128, 127),
    "tensors.shape": Range(1, 1_000_000),
    # Steps of int8 beyond which a golden output proves nothing.
    "golden.tolerance_steps": Range(0, 8),
    # Of embeddings of length 1: two processors differ by 0.0084 at most in a network with int8 weights.
    "golden.least_cosine": Range(0.999, 1.0),
    "golden.largest_difference": Range(0.0, 0.02),
}


def require_within(key: str, number: float, *, where: str) -> None:
    """Raise :class:`BundleError` unless ``number`` lies in the range of ``key``; what is not a number never does."""
    limit = LIMITS.get(key, ANY)
    if not limit.low <= number <= limit.high:
        raise BundleError(BAD, where=where, received=f"{number:g}" if abs(number) < 2**64 else "a huge number",
                          allowed=str(limit), next_step=REPUBLISH)  # fmt: skip
