"""Enrolment clips as the door will hear them: in noise, in a room, through a door phone.

People are recorded in a quiet moment and come home in the rain. A clip enrolled in several conditions is met again in
each of them (multi-condition enrolment: Rao et al., Interspeech 2012), and the threshold chosen on clean speech goes on
meaning what it says. Only who is enrolled is copied; what is judged is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.augment import Surroundings, draw_noise, draw_room
from training.clips import SpokenClip
from training.effects import Sound, at_level, in_room, through_door_phone, to_int16, to_sound, with_noise
from training.recipe import Augment

SNR_LOW_DB, SNR_HIGH_DB = 5.0, 15.0
PHONE_LOW_HZ, PHONE_HIGH_HZ = (150.0, 400.0), (3000.0, 4000.0)
NOTHING_RECORDED = Surroundings([], [], np.zeros((0, 1), dtype=np.int16))


def door_copies(
    clips: Sequence[SpokenClip], surroundings: Surroundings, spec: Augment, rng: np.random.Generator
) -> list[list[SpokenClip]]:
    """The clips, in the same order, in each of three conditions. Recorded noises and rooms are used where there are
    any; else noise is coloured and rooms are made up, with the reverberation of ``spec``."""

    def noisy(sound: Sound) -> Sound:
        return with_noise(sound, draw_noise(surroundings, rng), snr_db=rng.uniform(SNR_LOW_DB, SNR_HIGH_DB))

    def roomy(sound: Sound) -> Sound:
        return in_room(sound, draw_room(surroundings.rooms, spec, rng))

    def phoned(sound: Sound) -> Sound:
        return through_door_phone(sound, low_hz=rng.uniform(*PHONE_LOW_HZ), high_hz=rng.uniform(*PHONE_HIGH_HZ))

    return [[_heard(each, change) for each in clips] for change in (noisy, roomy, phoned)]


def _heard(spoken: SpokenClip, change: Callable[[Sound], Sound]) -> SpokenClip:
    samples = to_int16(at_level(change(to_sound(spoken.clip.samples)), gain_db=0.0))
    return replace(spoken, clip=replace(spoken.clip, samples=samples))
