"""Several channels to one: their mean, unless some are dead or they cancel one another. Pure, and the same everywhere.

A recorder that writes its one microphone twice, once with the sign turned, gives nothing at all when both are averaged;
a dead second channel costs half the level. Whatever is left out is put into words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import FULL_SCALE, Samples

# Quieter than the loudest by 40 dB: nothing that a microphone in the same room would give.
DEAD_SHARE = 1e-4
# Independent channels keep 1/n of their mean power; so much less than that is cancellation.
CANCELLED_SHARE = 0.25
Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The ``channels`` (from 0) whose mean is used, and a sentence where that is not all of them."""

    channels: tuple[int, ...]
    note: str = ""

    def mono(self, sound: Sound) -> Sound:
        """``(n, channels)`` to ``(n,)``."""
        picked = sound if len(self.channels) == sound.shape[1] else sound[:, list(self.channels)]
        return np.asarray(picked[:, 0] if picked.shape[1] == 1 else picked.mean(axis=1), dtype=np.float32)


def choose_channels(blocks: Iterable[Sound]) -> ChannelChoice:
    """Which channels to use of a whole recording, from its ``blocks`` ``(n, channels)``, full scale 1."""
    count, sums, products = 0, np.zeros(0), np.zeros((0, 0))
    for block in blocks:
        exact = block.astype(np.float64)
        if not count:
            sums, products = np.zeros(exact.shape[1]), np.zeros((exact.shape[1], exact.shape[1]))
        count += len(exact)
        sums += exact.sum(axis=0)
        products += exact.T @ exact
    # A constant offset is no sound.
    powers = products / count - np.outer(sums, sums) / count**2 if count else products
    return _choice(powers)


def _choice(powers: NDArray[np.float64]) -> ChannelChoice:
    total, own = len(powers), np.diagonal(powers)
    if total < 2 or own.max() <= 0.0:
        return ChannelChoice(tuple(range(total)))
    alive = np.flatnonzero(own >= DEAD_SHARE * own.max())
    mixed = float(powers[np.ix_(alive, alive)].sum()) / len(alive) ** 2
    if len(alive) > 1 and mixed < CANCELLED_SHARE / len(alive) * float(own[alive].mean()):
        # The first of equals, so that rounding does not decide.
        loudest = int(np.flatnonzero(own >= 0.99 * own.max())[0])
        return ChannelChoice((loudest,), f"its channels cancel one another: channel {loudest + 1} of {total} is used")
    if len(alive) < total:
        dead = ", ".join(str(each + 1) for each in range(total) if each not in alive)
        used = ", ".join(str(each + 1) for each in alive)
        return ChannelChoice(tuple(alive.tolist()), f"channel {dead} of {total} is silent: channel {used} is used")
    return ChannelChoice(tuple(range(total)))


def to_samples(mono: Sound) -> Samples:
    """float ``(n,)``, full scale 1, to int16. Float files may exceed full scale: it is clipped and does not wrap."""
    samples: Samples = np.clip(np.rint(mono * FULL_SCALE), -32768, 32767).astype(np.int16)
    return samples
