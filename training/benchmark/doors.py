"""Doors to be judged at, and the conditions in which strangers are shipped: two lists without a sound in common.

A door is a change that everybody goes through: residents when they are enrolled, residents when they come, strangers.
Bands, the colour of microphones, noise floors and codecs are made; rooms and noises are those of the pack, and an
equal number of made-up rooms where it has none. A door says whether it may choose anything (``to_choose_on``): the
others only judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

from device.sound.pcm import SAMPLE_RATE_HZ
from training.clips import SpokenClip
from training.effects import (
    Sound,
    at_level,
    coloured_noise,
    in_room,
    made_up_room,
    through_mu_law,
    to_int16,
    to_sound,
    with_noise,
)

Filter = Callable[[Sound, np.random.Generator], Sound]
# Every microphone is turned up until speech has this level: a door is no matter of loudness.
LEVEL = 0.05
MEASURED_ROOMS = 4
_EQUALIZER_HZ = (0.0, 400.0, 1000.0, 1600.0, 2800.0, 4000.0, 6400.0, 8000.0)


@dataclass(frozen=True, slots=True)
class Door:
    """``change`` is what everybody goes through; ``to_choose_on`` doors may choose a method, the others only judge."""

    name: str
    steps: tuple[Filter, ...]
    to_choose_on: bool = False

    def heard(self, clips: Sequence[SpokenClip], *, seed: int) -> list[SpokenClip]:
        """The same clips through this door; deterministic for a seed."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        return [_through(clip, self.steps, rng) for clip in clips]


def band(low_hz: float, high_hz: float, *, order: int = 4) -> Filter:
    """A Butterworth band-pass: telephone lines, door stations, small loudspeakers."""
    sections = signal.butter(order, (low_hz, high_hz), btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")

    def change(sound: Sound, _rng: np.random.Generator) -> Sound:
        filtered: Sound = signal.sosfilt(sections, sound).astype(np.float32)
        return filtered

    return change


def colour(*gains_db: float) -> Filter:
    """A microphone's frequency response: gains in dB at 0, 400, 1000, 1600, 2800, 4000, 6400 and 8000 Hz."""
    taps = signal.firwin2(255, _EQUALIZER_HZ, 10 ** (np.asarray(gains_db) / 20.0), fs=SAMPLE_RATE_HZ)

    def change(sound: Sound, _rng: np.random.Generator) -> Sound:
        coloured: Sound = np.convolve(sound, taps, "same").astype(np.float32)
        return coloured

    return change


def floor(snr_db: float, *, exponent: float = 0.0) -> Filter:
    """A steady noise floor: 0 white (an amplifier), 1 pink, 2 brown (wind, traffic far away)."""
    return lambda sound, rng: with_noise(sound, coloured_noise(exponent=exponent, rng=rng)[: len(sound)], snr_db=snr_db)


def place(noise: Sound, snr_db: float) -> Filter:
    """A recorded noise that is always there, from a random point on."""

    def change(sound: Sound, rng: np.random.Generator) -> Sound:
        return with_noise(sound, np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(sound)), snr_db=snr_db)

    return change


def room(response: Sound) -> Filter:
    """A room by its response."""
    return lambda sound, _rng: in_room(sound, response)


def overdriven(sound: Sound, _rng: np.random.Generator) -> Sound:
    """A microphone amplifier at its limit: soft clipping at three times the RMS level."""
    limit = 3.0 * max(float(np.sqrt(np.mean(np.square(sound)))), 1e-9)
    driven: Sound = (np.tanh(1.5 * sound / limit) * limit).astype(np.float32)
    return driven


def shipped_conditions(rooms: Sequence[Sound], noises: Sequence[Sound]) -> dict[str, Door]:
    """The conditions in which strangers are stored, by name, the first as recorded. ``rooms`` and ``noises`` may not
    be those of any door; made-up rooms stand in where there are fewer than two."""
    first, second = (*rooms, *_made_up(seed=1))[:2]
    found = [
        Door("as recorded", ()),
        Door("300 to 3400 Hz", (band(300, 3400),)),
        Door("150 to 5000 Hz", (band(150, 5000, order=2),)),
        Door("room", (room(first),)),
        Door("another room", (room(second),)),
        Door("hiss at 15 dB", (floor(15.0),)),
        Door("room, 300 to 3400 Hz", (room(first), band(300, 3400))),
        Door("another room, 200 to 4000 Hz", (room(second), band(200, 4000, order=3))),
        Door("bright", (colour(-15, -12, -8, -4, 0, 3, 6, 6),)),
        Door("dull", (colour(3, 3, 3, 0, -3, -7, -15, -24),)),
        Door("noise at 12 dB", (place(noises[0], 12.0) if noises else floor(12.0, exponent=1.0),)),
        Door("hiss at 12 dB, 300 to 3400 Hz", (band(300, 3400), floor(12.0))),
    ]
    return {door.name: door for door in found}


def doors(rooms: Sequence[Sound], noises: Sequence[Sound]) -> list[Door]:
    """Sixteen doors: four to choose on, twelve that only judge. ``rooms`` and ``noises`` may not be shipped ones."""
    measured = (*rooms, *_made_up(seed=2))[:MEASURED_ROOMS]
    steady = place(noises[0], 15.0) if noises else floor(15.0, exponent=2.0)
    return [
        Door("as recorded, again", (), to_choose_on=True),
        Door("250 to 3600 Hz", (band(250, 3600, order=3),), to_choose_on=True),
        Door("200 to 6000 Hz, hiss at 20 dB", (band(200, 6000, order=2), floor(20.0)), to_choose_on=True),
        Door("made-up room, 200 to 5500 Hz", (room(_made_up(seed=3)[0]), band(200, 5500, order=2)), to_choose_on=True),
        *(Door(f"hall {n}", (room(response),)) for n, response in enumerate(measured, start=1)),
        Door("350 to 3300 Hz", (band(350, 3300, order=5),)),
        Door("400 to 2800 Hz, pink at 25 dB", (band(400, 2800, order=3), floor(25.0, exponent=1.0))),
        Door("180 to 4500 Hz, a noise at 15 dB", (steady, band(180, 4500, order=3))),
        Door("horn", (colour(-20, -14, -4, 4, 8, -2, 6, -10),)),
        Door("hall 1, 300 to 3500 Hz", (room(measured[0]), band(300, 3500, order=3))),
        Door("hall 2, 280 to 3100 Hz, brown at 20 dB", (room(measured[1]), floor(20.0, exponent=2.0), band(280, 3100))),
        Door("mu-law, 8 kHz", (lambda sound, _rng: through_mu_law(at_level(sound, gain_db=20.0)),)),
        Door("overdriven, 200 to 6500 Hz", (overdriven, band(200, 6500, order=2))),
    ]


def _made_up(*, seed: int) -> list[Sound]:
    rng = np.random.default_rng(seed)
    times = (0.35, 0.6, 0.85, 0.5)
    return [made_up_room(reverberation_seconds=time, tail_db=0.0, rng=rng) for time in times]


def _through(spoken: SpokenClip, steps: Sequence[Filter], rng: np.random.Generator) -> SpokenClip:
    sound = to_sound(spoken.clip.samples)
    for step in steps:
        sound = step(sound, rng)
    loudness = max(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))), 1e-9)
    samples = to_int16(at_level(sound * np.float32(LEVEL / loudness), gain_db=0.0))
    return replace(spoken, clip=replace(spoken.clip, samples=samples))
