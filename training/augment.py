"""What the world does to a voice, drawn at random, on the waveform, train side only.

The transforms stand in :data:`CHAIN` in the order in which sound meets them: the speaker, the room, the street, the
microphone, the line. Each has a probability and a range in the recipe's ``[augment]``, and every draw comes from the
generator that is passed in. ``python -m training augment --listen`` lets each be heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import CLIP_SAMPLES, FULL_SCALE, Samples
from training.effects import (
    Sound,
    at_level,
    at_pace,
    at_pitch,
    clipped,
    coloured_noise,
    few_words,
    in_room,
    made_up_room,
    through_door_phone,
    through_mu_law,
    through_opus,
    to_int16,
    to_sound,
    with_noise,
)
from training.recipe import Augment


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What may be mixed in: recorded noises and room responses (any may be empty), and clips for babble."""

    noises: Sequence[Sound]
    rooms: Sequence[Sound]
    babble: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Transform:
    """One thing that may happen: with the probability ``chance`` finds in the recipe, ``apply`` does it; ``told`` is
    its range in words."""

    name: str
    chance: Callable[[Augment], float]
    told: Callable[[Augment], str]
    apply: Callable[[Sound, Surroundings, Augment, np.random.Generator], Sound]


def augment(samples: Samples, surroundings: Surroundings, spec: Augment, rng: np.random.Generator) -> Samples:
    """One randomly changed copy of a clip, int16 ``(48000,)``. Never louder than full scale."""
    sound = to_sound(samples)
    for each in CHAIN:
        if rng.random() < each.chance(spec):
            sound = each.apply(sound, surroundings, spec, rng)
    return to_int16(at_level(sound, gain_db=0.0))


def draw_room(rooms: Sequence[Sound], spec: Augment, rng: np.random.Generator) -> Sound:
    """A measured response, or one made up."""
    if rooms and rng.random() < 0.5:
        return rooms[int(rng.integers(len(rooms)))]
    return made_up_room(
        reverberation_seconds=rng.uniform(spec.room_low_seconds, spec.room_high_seconds),
        tail_db=rng.uniform(-15.0, -3.0),
        rng=rng,
    )


def draw_noise(surroundings: Surroundings, rng: np.random.Generator) -> Sound:
    """3 s of recorded noise, of babble (3 to 6 other clips), or of coloured noise."""
    choice = rng.random()
    if choice < 0.5 and surroundings.noises:
        noise = surroundings.noises[int(rng.integers(len(surroundings.noises)))]
        start = int(rng.integers(len(noise)))
        return np.resize(np.roll(noise, -start), CLIP_SAMPLES)
    if choice < 0.8 and len(surroundings.babble):
        voices = rng.integers(len(surroundings.babble), size=int(rng.integers(3, 7)))
        babble: Sound = (surroundings.babble[voices] / np.float32(FULL_SCALE)).mean(axis=0)
        return babble
    return coloured_noise(exponent=rng.uniform(0.0, 2.0), rng=rng)


def _short(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return few_words(sound, seconds=rng.uniform(spec.short_low_seconds, spec.short_high_seconds), rng=rng)


def _pitch(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return at_pitch(sound, semitones=rng.uniform(-spec.pitch_semitones, spec.pitch_semitones))


def _pace(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return at_pace(sound, rate=rng.uniform(spec.pace_low, spec.pace_high))


def _room(sound: Sound, surroundings: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return in_room(sound, draw_room(surroundings.rooms, spec, rng))


def _noise(sound: Sound, surroundings: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return with_noise(sound, draw_noise(surroundings, rng), snr_db=rng.uniform(spec.snr_low_db, spec.snr_high_db))


def _clipping(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return clipped(sound, gain_db=rng.uniform(spec.clipping_low_db, spec.clipping_high_db))


def _phone(sound: Sound, _: Surroundings, __: Augment, rng: np.random.Generator) -> Sound:
    return through_door_phone(sound, low_hz=rng.uniform(150, 400), high_hz=rng.uniform(3000, 4000))


def _codec(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    if rng.random() < 0.5:
        return through_mu_law(sound)
    return through_opus(sound, compression=rng.uniform(spec.opus_low_compression, spec.opus_high_compression))


def _gain(sound: Sound, _: Surroundings, spec: Augment, rng: np.random.Generator) -> Sound:
    return at_level(sound, gain_db=rng.uniform(spec.gain_low_db, spec.gain_high_db))


CHAIN = (
    Transform("short", lambda s: s.short_probability,
              lambda s: f"{s.short_low_seconds:g} to {s.short_high_seconds:g} s of speech, repeated", _short),
    Transform("pitch", lambda s: s.pitch_probability, lambda s: f"up to {s.pitch_semitones:g} semitones", _pitch),
    Transform("pace", lambda s: s.pace_probability, lambda s: f"{s.pace_low:g} to {s.pace_high:g} times", _pace),
    Transform("room", lambda s: s.room_probability, lambda s: "a measured room, or one made up with "
              f"{s.room_low_seconds:g} to {s.room_high_seconds:g} s of reverberation", _room),
    Transform("noise", lambda s: s.noise_probability, lambda s: "recorded, babble or coloured, at "
              f"{s.snr_low_db:g} to {s.snr_high_db:g} dB", _noise),
    Transform("clipping", lambda s: s.clipping_probability,
              lambda s: f"{s.clipping_low_db:g} to {s.clipping_high_db:g} dB beyond full scale", _clipping),
    Transform("phone", lambda s: s.telephone_probability, lambda s: "from 150-400 Hz to 3000-4000 Hz", _phone),
    Transform("codec", lambda s: s.codec_probability, lambda s: "mu-law at 8 kHz, or Opus at a compression of "
              f"{s.opus_low_compression:g} to {s.opus_high_compression:g}", _codec),
    Transform("gain", lambda s: 1.0, lambda s: f"{s.gain_low_db:g} to {s.gain_high_db:g} dB", _gain),
)  # fmt: skip
