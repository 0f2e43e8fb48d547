"""One voice from a few clips: pitch, long-term average spectrum, and an example spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import Features, FrontendSpec, LogMel
from device.sound.pcm import FULL_SCALE, SAMPLE_RATE_HZ, Samples
from training.clips import SpokenClip

HOP_SAMPLES = 160
PITCH_WINDOW_SAMPLES = 1024
PITCH_SECONDS = 20.0
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 60.0, 500.0
FEWEST_VOICED_FRAMES = 20
# Mains hum (50 or 60 Hz) is voiced, steady and no voice: it is filtered, and quiet frames do not count.
HUM_BELOW_HZ = 70.0
QUIET_BELOW_LOUD_DB = 25.0
# Sixth-octave bands from 80 Hz: fine enough to tell voices and microphones apart, smooth enough to compare.
BANDS_HZ: tuple[float, ...] = tuple(round(80.0 * 2.0 ** (step / 6.0), 1) for step in range(40))
# Long windows show the single harmonics, so that the eye can check the pitch drawn over them.
LINEAR_WINDOW_SAMPLES = 1024
LINEAR_TOP_HZ = 2500.0
_FLOOR = 1e-10
_Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How values are spread: their 5 %, 25 %, 50 %, 75 % and 95 % quantiles, and how many there are."""

    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float] | _Float) -> Spread:
        """Of one value or more."""
        low, quarter, median, three, high = (
            round(float(each), 3) for each in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
        )
        return cls(low=low, quarter=quarter, median=median, three_quarters=three, high=high, count=len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pitch:
    """Fundamental frequency by pYIN (Mauch and Dixon, 2014) over the voiced frames of ``seconds`` of sound."""

    hz: Spread
    voiced_share: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Long-term average spectrum: ``level_db`` in sixth-octave bands at ``bands_hz``, relative to their mean."""

    bands_hz: tuple[float, ...]
    level_db: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Example:
    """A clip to look at: ``linear_db`` ``(frequencies, frames)`` from 0 to 2.5 kHz in frames of 10 ms, ``mel_db``
    ``(bands, frames)`` by the door's own front-end before it removes the bands' means, ``pitch_hz`` ``(frames,)``
    with NaN where nothing is voiced."""

    session: str
    linear_db: _Float
    mel_db: Features
    pitch_hz: _Float
    frontend: FrontendSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What one person sounds like. ``pitch`` is None where too little was voiced to tell."""

    person: str
    pitch: Pitch | None
    spectrum: Spectrum
    example: Example


def listen(person: str, clips: Sequence[SpokenClip], frontend: FrontendSpec) -> Voice:
    """Describe a voice by its ``clips`` (one or more); pitch is followed over at most 20 s of them."""
    sounds = [as_recorded(each) for each in clips]
    followed = _evenly([len(each) / SAMPLE_RATE_HZ for each in sounds], PITCH_SECONDS)
    tracks = {row: follow_pitch(sounds[row]) for row in followed}
    # The example is the clip with the most voice in it, so that there is something to see.
    best = max(followed, key=lambda row: (int(np.isfinite(tracks[row]).sum()), -row))
    return Voice(
        person=person,
        pitch=pitch_of(list(tracks.values()), seconds=sum(len(sounds[row]) for row in followed) / SAMPLE_RATE_HZ),
        spectrum=long_term_spectrum(sounds),
        example=_example(clips[best], tracks[best], frontend),
    )


def as_recorded(spoken: SpokenClip) -> Samples:
    """The clip's sound without the repetition that fills short ones: int16 ``(n,)``, n up to 48000."""
    clip = spoken.clip
    return clip.samples[: round((clip.ended_at_seconds - clip.started_at_seconds) * SAMPLE_RATE_HZ)]


def follow_pitch(samples: Samples) -> _Float:
    """Fundamental frequency in Hz, 60 to 500, every 10 ms; NaN where nothing is voiced or all is quiet. float64
    ``(frames,)`` for int16 ``(n,)``, n of a second or more."""
    from librosa import pyin
    from librosa.feature import rms
    from scipy.signal import butter, sosfiltfilt

    high_pass = butter(4, HUM_BELOW_HZ, "high", fs=SAMPLE_RATE_HZ, output="sos")
    sound = sosfiltfilt(high_pass, samples.astype(np.float64) / FULL_SCALE)
    pitch, voiced, _ = pyin(
        sound,
        fmin=LOWEST_PITCH_HZ,
        fmax=HIGHEST_PITCH_HZ,
        sr=SAMPLE_RATE_HZ,
        frame_length=PITCH_WINDOW_SAMPLES,
        hop_length=HOP_SAMPLES,
    )
    loudness = rms(y=sound, frame_length=PITCH_WINDOW_SAMPLES, hop_length=HOP_SAMPLES)[0]
    loud = loudness > np.quantile(loudness, 0.95) * 10.0 ** (-QUIET_BELOW_LOUD_DB / 20.0)
    followed: _Float = np.where(voiced & loud, pitch, np.nan)
    return followed


def pitch_of(tracks: Sequence[_Float], *, seconds: float) -> Pitch | None:
    """The pitch of several tracks together, or None with too few voiced frames."""
    joined = np.concatenate(tracks)
    voiced = joined[np.isfinite(joined)]
    if len(voiced) < FEWEST_VOICED_FRAMES:
        return None
    return Pitch(hz=Spread.of(voiced), voiced_share=round(len(voiced) / len(joined), 4), seconds=round(seconds, 2))


def long_term_spectrum(sounds: Sequence[Samples]) -> Spectrum:
    """The mean power of all sounds in sixth-octave bands; loudness is taken out, the colour is left."""
    window = 2048
    power = np.concatenate([_power(each, window, window // 2) for each in sounds]).mean(axis=0)
    bins_hz = np.arange(len(power)) * SAMPLE_RATE_HZ / window
    levels = []
    for centre in BANDS_HZ:
        inside = (bins_hz >= centre * 2 ** (-1 / 12)) & (bins_hz < centre * 2 ** (1 / 12))
        density = power[inside].mean() if inside.any() else np.interp(centre, bins_hz, power)
        levels.append(10.0 * np.log10(density + _FLOOR))
    centred = np.array(levels) - np.mean(levels)
    return Spectrum(bands_hz=BANDS_HZ, level_db=tuple(round(float(each), 2) for each in centred))


def _example(spoken: SpokenClip, pitch_hz: _Float, frontend: FrontendSpec) -> Example:
    power = _power(spoken.clip.samples, LINEAR_WINDOW_SAMPLES, HOP_SAMPLES)
    shown = round(LINEAR_TOP_HZ * LINEAR_WINDOW_SAMPLES / SAMPLE_RATE_HZ) + 1
    return Example(
        session=spoken.session,
        linear_db=10.0 * np.log10(power[:, :shown].T + _FLOOR),
        mel_db=LogMel(frontend).to_look_at(spoken.clip.samples).T,
        pitch_hz=pitch_hz,
        frontend=frontend,
    )


def _power(samples: Samples, window: int, hop: int) -> _Float:
    """Power spectra of Hann-windowed frames centred on every ``hop`` samples, float64 ``(frames, window / 2 + 1)``."""
    sound = np.pad(samples.astype(np.float64) / FULL_SCALE, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop] * np.hanning(window)
    spectrum = np.fft.rfft(frames, axis=1)
    power: _Float = np.square(np.abs(spectrum)) / (np.square(np.hanning(window)).sum() * window)
    return power


def _evenly(seconds: Sequence[float], most: float) -> list[int]:
    """Rows spread evenly over all, of no more than ``most`` seconds together (at least one row)."""
    for count in range(len(seconds), 1, -1):
        rows = [int(each) for each in np.linspace(0, len(seconds) - 1, count).round()]
        if sum(seconds[row] for row in rows) <= most:
            return rows
    return [0]
