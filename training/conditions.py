"""What is done to the test clips: noise, rooms, a door phone's band, few words. By name, from a passed generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.clips import SpokenClip
from training.effects import Sound, at_level, few_words, in_room, through_door_phone, to_int16, to_sound, with_noise

Change = Callable[[SpokenClip, np.random.Generator], SpokenClip]
SNRS_DB = (20.0, 10.0, 5.0)
SPEECH_SECONDS = (2.0, 1.5, 1.0)


def conditions(noises: Sequence[Sound], rooms: Sequence[Sound]) -> dict[str, Change]:
    """The changes by name. Pass noises and rooms that training never used; without any, those conditions are absent."""
    found: dict[str, Change] = {}
    if noises:
        found |= {f"noise {snr_db:g} dB": _noisy(noises, snr_db) for snr_db in SNRS_DB}
    if rooms:
        found["in a room"] = _in_a_room(rooms)
    found["door phone"] = _door_phone
    return found | {f"{seconds} s of speech": _short(seconds) for seconds in SPEECH_SECONDS}


def _noisy(noises: Sequence[Sound], snr_db: float) -> Change:
    def change(spoken: SpokenClip, rng: np.random.Generator) -> SpokenClip:
        noise = noises[int(rng.integers(len(noises)))]
        sound = to_sound(spoken.clip.samples)
        placed = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(sound))
        return _sounding(spoken, with_noise(sound, placed, snr_db=snr_db))

    return change


def _in_a_room(rooms: Sequence[Sound]) -> Change:
    def change(spoken: SpokenClip, rng: np.random.Generator) -> SpokenClip:
        return _sounding(spoken, in_room(to_sound(spoken.clip.samples), rooms[int(rng.integers(len(rooms)))]))

    return change


def _door_phone(spoken: SpokenClip, _rng: np.random.Generator) -> SpokenClip:
    return _sounding(spoken, through_door_phone(to_sound(spoken.clip.samples), low_hz=300.0, high_hz=3400.0))


def _short(seconds: float) -> Change:
    return lambda spoken, rng: shortened(spoken, seconds, rng)


def shortened(spoken: SpokenClip, seconds: float, rng: np.random.Generator) -> SpokenClip:
    """Only ``seconds`` of the clip, filled and marked as the door does it, so that it is judged as it is there."""
    cut = _sounding(spoken, few_words(to_sound(spoken.clip.samples), seconds=seconds, rng=rng))
    speech_seconds = min(seconds, spoken.clip.speech_seconds)
    return replace(cut, clip=replace(cut.clip, filled=True, speech_seconds=speech_seconds))


def _sounding(spoken: SpokenClip, sound: Sound) -> SpokenClip:
    """The same clip with another sound, held below full scale."""
    return replace(spoken, clip=replace(spoken.clip, samples=to_int16(at_level(sound, gain_db=0.0))))
