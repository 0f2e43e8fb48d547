"""Sounds that nobody speaks must not open: what no single number of a bundle shows is tried on the whole of it.

White and pink noise, mains hum, clicks, silence and two made-up voices, at several levels and always the same (made
from a seed, stored nowhere), and the bundle's golden clips, which are made-up voices too. Whoever goes on making such a
sound gives the policy its evidence clip after clip, so what counts is the sum over ``max_clips`` of them, for the
resident it suits best, as a whole clip and as one with the least speech that is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.sound.pcm import CLIP_SAMPLES, CLIP_SECONDS, FULL_SCALE, SAMPLE_RATE_HZ, Samples
from device.verdict.files import REPUBLISH
from device.verdict.head import Head
from device.verdict.interpreter import Embedding

SEED = 4711
LEVELS_DBFS = (-60.0, -35.0, -10.0)
MAINS_HZ = (50.0, 60.0)
# Pitch and resonances of the made-up voices, in Hz.
VOICES_HZ = ((105.0, (650.0, 1100.0, 2500.0)), (215.0, (450.0, 1900.0, 2800.0)))
_Sound = NDArray[np.float64]


@cache
def unspoken_sounds() -> Mapping[str, Samples]:
    """The sounds by name, int16 ``(48000,)`` each."""
    rng = np.random.default_rng(SEED)
    bins = np.maximum(np.fft.rfftfreq(CLIP_SAMPLES, 1.0 / SAMPLE_RATE_HZ), 1.0)
    white = rng.standard_normal(CLIP_SAMPLES)
    kinds: dict[str, _Sound] = {
        "white noise": white,
        "pink noise": np.fft.irfft(np.fft.rfft(rng.standard_normal(CLIP_SAMPLES)) / np.sqrt(bins), CLIP_SAMPLES),
        **{f"hum of {mains:.0f} Hz": _harmonics(mains, 20) for mains in MAINS_HZ},
        "clicks": (np.arange(CLIP_SAMPLES) % (SAMPLE_RATE_HZ // 4) == 0).astype(np.float64),
    }
    sounds = {
        f"{name} at {level_dbfs:.0f} dBFS": _at_level(sound, level_dbfs)
        for name, sound in kinds.items()
        for level_dbfs in LEVELS_DBFS
    }
    for pitch_hz, formants_hz in VOICES_HZ:
        resonances = sum(1.0 / (1.0 + np.square((bins - each) / 80.0)) for each in formants_hz)
        spectrum = np.fft.rfft(_harmonics(pitch_hz, int(7000 / pitch_hz)) + 0.01 * white) * resonances
        syllables = 0.55 + 0.45 * np.sin(2.0 * np.pi * 3.1 * _times())
        voice = np.fft.irfft(spectrum, CLIP_SAMPLES) * syllables
        sounds[f"a made-up voice of {pitch_hz:.0f} Hz"] = _at_level(voice, -25.0)
    return {"silence": np.zeros(CLIP_SAMPLES, dtype=np.int16), **sounds}


def highest_evidence(head: Head, embeddings: Embedding, *, max_clips: int, min_speech_seconds: float) -> _Sound:
    """float32 ``(n, d)``, one of each sound, to the highest sum ``(n,)`` that any resident reaches while the policy
    hears up to ``max_clips`` clips of that sound (natural-log likelihood ratio)."""
    shares = (1.0, min_speech_seconds / CLIP_SECONDS)
    ratios = np.stack([head.log_likelihood_ratios(embeddings, np.full(len(embeddings), share)) for share in shares])
    best: _Sound = ratios.max(axis=(0, 2))
    return np.where(best > 0.0, best * max_clips, best)


def noise_evidence(
    head: Head, embed: Callable[[Samples], Embedding], *, max_clips: int, min_speech_seconds: float
) -> dict[str, float]:
    """:func:`highest_evidence` of every sound of :func:`unspoken_sounds`, by its name. ``embed``: int16 ``(48000,)`` to
    float32 ``(d,)``."""
    sounds = unspoken_sounds()
    embeddings = np.stack([embed(each) for each in sounds.values()])
    sums = highest_evidence(head, embeddings, max_clips=max_clips, min_speech_seconds=min_speech_seconds)
    return dict(zip(sounds, sums.tolist(), strict=True))


def refuse_opening_to_noise(evidence: Mapping[str, float], *, open_llr: float, where: str) -> None:
    """Raise :class:`BundleError` where the ``evidence`` of a sound that nobody speaks, by its name, reaches
    ``open_llr``."""
    # Not ">=": what is not a number must not pass.
    opening = {name: reached for name, reached in evidence.items() if not reached < open_llr}
    if opening:
        name, reached = next(iter(opening.items()))
        raise BundleError(
            "the bundle would open to a sound that nobody speaks",
            where=where,
            received=f"{name} reaches {reached:+.4g} ({len(opening)} of {len(evidence)} sounds open)",
            allowed=f"less than its open_llr, {open_llr:+.4g}",
            next_step=f"do not use it, and find out who made it; {REPUBLISH}",
        )


def _times() -> _Sound:
    return np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ


def _harmonics(fundamental_hz: float, count: int) -> _Sound:
    phase = 2.0 * np.pi * fundamental_hz * _times()
    total = np.zeros(CLIP_SAMPLES)
    for number in range(1, count + 1):
        total += np.sin(number * phase) / number
    return total


def _at_level(sound: _Sound, level_dbfs: float) -> Samples:
    """At that RMS level; peaks beyond full scale are cut, as a microphone would."""
    scaled = sound * (10.0 ** (level_dbfs / 20.0) / np.sqrt(np.mean(np.square(sound)))) * FULL_SCALE
    samples: Samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    return samples
