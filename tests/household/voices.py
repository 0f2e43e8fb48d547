"""Synthetic voices: a person, a door that adds its own direction, and noise. What is true of them is known."""

import numpy as np

from device.household.conditions import StrangersByCondition
from device.verdict.interpreter import unit_length

SIZE = 96


class World:
    """Embeddings are ``person + strength * door + noise``, scaled to length 1; people and doors by number."""

    def __init__(self, *, seed: int = 1, strength: float = 2.0, noise: float = 0.5) -> None:
        self.strength, self.noise = strength, noise
        self._rng = np.random.default_rng(seed)
        self._people = np.random.default_rng(seed + 1).standard_normal((4000, SIZE)) / np.sqrt(SIZE)
        # Doors differ along a few directions, as microphones do.
        basis = np.linalg.qr(np.random.default_rng(seed + 2).standard_normal((SIZE, 6)))[0].T
        self._doors = np.random.default_rng(seed + 3).standard_normal((40, 6)) @ basis / np.sqrt(6)

    def clips(self, people: np.ndarray, door: int | None) -> np.ndarray:
        """One clip of each of ``people`` (numbers), float32 ``(n, SIZE)``; ``door`` None adds nothing."""
        shift = 0.0 if door is None else self.strength * self._doors[door]
        noise = self.noise * self._rng.standard_normal((len(people), SIZE)) / np.sqrt(SIZE)
        return unit_length((self._people[people] + shift + noise).astype(np.float32))

    def strangers(
        self, *, people: int = 120, conditions: int = 8, clips: int = 2, first: int = 0
    ) -> StrangersByCondition:
        """``people`` from number ``first`` on, without a door and at the doors 0, 1, ..."""
        owners = np.repeat(np.arange(people), clips)
        doors = [None, *range(conditions - 1)]
        vectors = np.stack([self.clips(owners + first, door) for door in doors])
        return StrangersByCondition(tuple(f"door {door}" for door in doors), vectors, owners)
