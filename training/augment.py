"""What the world does to a voice, on the waveform, train side only: noise, rooms, a door phone's band, few words.

Every draw comes from the generator that is passed in. Sound is float32 at 16 kHz, full scale 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from device.sound.pcm import CLIP_SAMPLES, FULL_SCALE, SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import repeat_to_clip
from training.recipe import Augment

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What may be mixed in: recorded noises and room responses (any may be empty), and clips for babble."""

    noises: Sequence[Sound]
    rooms: Sequence[Sound]
    babble: NDArray[np.int16]


def augment(samples: Samples, surroundings: Surroundings, spec: Augment, rng: np.random.Generator) -> Samples:
    """One randomly changed copy of a clip, int16 ``(48000,)``. Never louder than full scale."""
    sound = (samples / FULL_SCALE).astype(np.float32)
    if rng.random() < spec.short_probability:
        sound = few_words(sound, seconds=rng.uniform(1.0, 2.5), rng=rng)
    if rng.random() < spec.room_probability:
        sound = in_room(sound, draw_room(surroundings.rooms, rng))
    if rng.random() < spec.noise_probability:
        sound = with_noise(sound, draw_noise(surroundings, rng), snr_db=rng.uniform(spec.snr_low_db, spec.snr_high_db))
    if rng.random() < spec.telephone_probability:
        sound = through_door_phone(sound, low_hz=rng.uniform(150, 400), high_hz=rng.uniform(3000, 4000))
    return to_int16(at_level(sound, gain_db=rng.uniform(spec.gain_low_db, spec.gain_high_db)))


def few_words(sound: Sound, *, seconds: float, rng: np.random.Generator) -> Sound:
    """Only ``seconds`` of the clip, repeated as the door fills a short utterance."""
    length = int(seconds * SAMPLE_RATE_HZ)
    start = int(rng.integers(0, CLIP_SAMPLES - length + 1))
    piece = np.rint(sound[start : start + length] * FULL_SCALE).clip(-32768, 32767).astype(np.int16)
    return (repeat_to_clip(piece) / FULL_SCALE).astype(np.float32)


def in_room(sound: Sound, response: Sound) -> Sound:
    """The clip heard through a room response, aligned to its direct sound, at the level it had before."""
    direct = int(np.argmax(np.abs(response)))
    wet = signal.fftconvolve(sound, response[direct:])[: len(sound)]
    return (wet * (_rms(sound) / max(_rms(wet), 1e-9))).astype(np.float32)


def draw_room(rooms: Sequence[Sound], rng: np.random.Generator) -> Sound:
    """A measured response, or one of exponentially decaying noise with 0.1 to 0.7 s of reverberation time."""
    if rooms and rng.random() < 0.5:
        return rooms[int(rng.integers(len(rooms)))]
    reverberation_seconds = rng.uniform(0.1, 0.7)
    times = np.arange(int(reverberation_seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    # 60 dB down after the reverberation time: exp(-6.9 t / T60) in amplitude.
    tail = rng.standard_normal(len(times)) * np.exp(-6.908 * times / reverberation_seconds)
    response = tail * 10 ** (rng.uniform(-15.0, -3.0) / 20.0) / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    return response.astype(np.float32)


def with_noise(sound: Sound, noise: Sound, *, snr_db: float) -> Sound:
    """The clip with ``noise`` (same length) at a signal-to-noise ratio in dB over the whole clip."""
    wanted = _rms(sound) * 10 ** (-snr_db / 20.0)
    return (sound + noise * (wanted / max(_rms(noise), 1e-9))).astype(np.float32)


def draw_noise(surroundings: Surroundings, rng: np.random.Generator) -> Sound:
    """3 s of recorded noise, of babble (3 to 6 other clips), or of coloured noise."""
    choice = rng.random()
    if choice < 0.5 and surroundings.noises:
        noise = surroundings.noises[int(rng.integers(len(surroundings.noises)))]
        start = int(rng.integers(len(noise)))
        return np.resize(np.roll(noise, -start), CLIP_SAMPLES)
    if choice < 0.8 and len(surroundings.babble):
        voices = rng.integers(len(surroundings.babble), size=int(rng.integers(3, 7)))
        return (surroundings.babble[voices].astype(np.float32) / FULL_SCALE).mean(axis=0)
    return coloured_noise(exponent=rng.uniform(0.0, 2.0), rng=rng)


def coloured_noise(*, exponent: float, rng: np.random.Generator) -> Sound:
    """3 s of noise whose power falls as 1 / frequency ** exponent (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(CLIP_SAMPLES))
    shape = np.maximum(np.arange(len(spectrum)), 20) ** (-exponent / 2.0)
    return np.fft.irfft(spectrum * shape, CLIP_SAMPLES).astype(np.float32)


def through_door_phone(sound: Sound, *, low_hz: float, high_hz: float) -> Sound:
    """The band of a door phone: a fourth-order Butterworth band-pass."""
    sections = signal.butter(4, (low_hz, high_hz), btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfilt(sections, sound).astype(np.float32)


def at_level(sound: Sound, *, gain_db: float) -> Sound:
    """Louder or quieter by ``gain_db``, held below full scale."""
    gain = 10 ** (gain_db / 20.0)
    return sound * min(gain, 0.99 / max(float(np.abs(sound).max()), 1e-9))


def to_int16(sound: Sound) -> Samples:
    return np.clip(np.rint(sound * FULL_SCALE), -32768, 32767).astype(np.int16)


def _rms(sound: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
