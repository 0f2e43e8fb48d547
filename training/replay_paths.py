"""What reaches the door: a person, a recording of that person played again, or that person once more.

Sound is float32 ``(n,)`` at 16 kHz. All draws come from the generator passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from device.sound.pcm import SAMPLE_RATE_HZ, Clip
from device.sound.segmenter import SegmenterSpec, cut_clips
from device.sound.vad import VadSpec
from training.effects import Sound, at_level, in_room, through_opus, to_int16, with_noise

_Float = NDArray[np.float64]
ROOM_SECONDS = 1.0
# A second take, by this model: how far pace and pitch wander, as standard deviations; anew after the seconds named, and
# once for the whole sentence. These are guesses on the careful side: people repeat themselves less exactly.
LOCAL_PACE, WHOLE_PACE, PACE_SECONDS = 0.15, 0.05, 0.1
LOCAL_SEMITONES, WHOLE_SEMITONES, PITCH_SECONDS = 0.4, 0.5, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where it is heard: rooms, each with one response or several, noises, and the range of signal-to-noise ratios in
    dB."""

    rooms: Sequence[Sequence[Sound]]
    noises: Sequence[Sound]
    snr_low_db: float
    snr_high_db: float


def at_the_door(voice: Sound, place: Place, rng: np.random.Generator, *, room: int) -> list[Clip]:
    """The clips the door cuts from ``voice``: in room number ``room``, with noise, at any usual level."""
    pause = np.zeros(int(rng.uniform(0.3, 0.8) * SAMPLE_RATE_HZ), np.float32)
    sound = np.concatenate([pause, voice, np.zeros(int(0.9 * SAMPLE_RATE_HZ), np.float32)])
    sound = in_room(sound, _response(place.rooms[room], rng, seconds=ROOM_SECONDS))
    noisy = with_noise(sound, _noise(place.noises, len(sound), rng), snr_db=rng.uniform(*_range(place)))
    loud = noisy / max(float(np.abs(noisy).max()), 1e-9)
    return cut_clips(to_int16(at_level(loud, gain_db=rng.uniform(-20.0, -3.0))), VadSpec(), SegmenterSpec())


def played_again(voice: Sound, place: Place, rng: np.random.Generator, *, speed: float = 1.0) -> Sound:
    """``voice`` recorded nearby and played by a small loudspeaker: a room half the time, noise, a codec half the time,
    up to a second missing at its beginning, the loudspeaker's band, and its overload by up to 12 dB."""
    sound = voice[int(rng.uniform(0.0, min(1.0, 0.3 * len(voice) / SAMPLE_RATE_HZ)) * SAMPLE_RATE_HZ) :]
    if rng.random() < 0.5:
        nearby = place.rooms[int(rng.integers(len(place.rooms)))]
        sound = in_room(sound, _response(nearby, rng, seconds=0.4))
    sound = with_noise(sound, _noise(place.noises, len(sound), rng), snr_db=rng.uniform(20.0, 35.0))
    if rng.random() < 0.5:
        sound = through_opus(sound, compression=rng.uniform(0.5, 1.0))
    band = rng.uniform(150.0, 400.0), rng.uniform(3500.0, 6500.0)
    sections = signal.butter(2, band, btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    sound = signal.sosfilt(sections, sound)
    driven = np.tanh(sound * 10.0 ** (rng.uniform(0.0, 12.0) / 20.0) / max(float(np.abs(sound).max()), 1e-9))
    places = np.arange(0.0, len(driven) - 1, speed)
    heard: Sound = np.interp(places, np.arange(len(driven)), driven).astype(np.float32)
    return heard


def said_again(voice: Sound, rng: np.random.Generator) -> Sound:
    """A second take of ``voice``, made of the first: pace and pitch wander as the constants above say.

    A phase vocoder of varying pace (Flanagan and Golden, 1966), then resampling by the varying pitch. Timbre and
    articulation stay those of the first take, which a living person's would not.
    """
    window, hop = 1024, 128
    spectrum = signal.stft(voice, nperseg=window, noverlap=window - hop)[2]
    seconds = len(voice) / SAMPLE_RATE_HZ
    pace = np.exp(rng.normal(0.0, LOCAL_PACE, int(seconds / PACE_SECONDS) + 4) + rng.normal(0.0, WHOLE_PACE))
    wander = rng.normal(0.0, LOCAL_SEMITONES, int(seconds / PITCH_SECONDS) + 4)
    pitch = 2.0 ** ((wander + rng.normal(0.0, WHOLE_SEMITONES)) / 12.0)
    places, steps = _walk(spectrum.shape[1], pace, pitch)
    stretched = signal.istft(_at(spectrum, places, window, hop), nperseg=window, noverlap=window - hop)[1]
    step = np.interp(np.arange(len(stretched)) / hop, np.arange(len(steps)), steps)
    source = np.concatenate([[0.0], np.cumsum(step)[:-1]])
    source = source[source < len(stretched) - 1]
    again: Sound = np.interp(source, np.arange(len(stretched)), stretched).astype(np.float32)
    return again


def _walk(frames: int, pace: _Float, pitch: _Float) -> tuple[_Float, _Float]:
    """Where in the first take each frame of the second is read, and the pitch factor there."""
    places, steps, place = [], [], 0.0
    while place < frames - 2:
        share = place / frames
        step = float(np.interp(share * (len(pitch) - 1), np.arange(len(pitch)), pitch))
        places.append(place)
        steps.append(step)
        # What the resampling by the pitch factor will take away in time is added here.
        place += float(np.interp(share * (len(pace) - 1), np.arange(len(pace)), pace)) / step
    return np.array(places), np.array(steps)


def _at(spectrum: NDArray[np.complexfloating], places: _Float, window: int, hop: int) -> NDArray[np.complexfloating]:
    """The phase vocoder: magnitudes between frames, phases that advance as they did there."""
    whole = places.astype(int)
    part = places - whole
    size = (1.0 - part) * np.abs(spectrum[:, whole]) + part * np.abs(spectrum[:, whole + 1])
    expected = (2.0 * np.pi * hop / window) * np.arange(spectrum.shape[0])[:, None]
    beyond = np.angle(spectrum[:, whole + 1]) - np.angle(spectrum[:, whole]) - expected
    advance = expected + np.angle(np.exp(1j * beyond))
    phase = np.angle(spectrum[:, :1]) + np.pad(np.cumsum(advance, axis=1)[:, :-1], ((0, 0), (1, 0)))
    made: NDArray[np.complexfloating] = size * np.exp(1j * phase)
    return made


def _range(place: Place) -> tuple[float, float]:
    return place.snr_low_db, place.snr_high_db


def _response(room: Sequence[Sound], rng: np.random.Generator, *, seconds: float) -> Sound:
    response = room[int(rng.integers(len(room)))]
    direct = int(np.argmax(np.abs(response)))
    return response[max(0, direct - 32) : direct + int(seconds * SAMPLE_RATE_HZ)]


def _noise(noises: Sequence[Sound], length: int, rng: np.random.Generator) -> Sound:
    noise = noises[int(rng.integers(len(noises)))]
    return np.resize(np.roll(noise, -int(rng.integers(len(noise)))), length).astype(np.float32)
