"""Clips that the front-end and its oracle are both given: made up, the same on every machine."""

import numpy as np

from training.publish import golden_clips

FRAME_STEP = 12


def clips() -> list[np.ndarray]:
    """int16 ``(48000,)`` each: made-up voices, loud and quiet noise, a tone on a steady offset, silence."""
    rng = np.random.default_rng(80)
    times = np.arange(48_000) / 16_000
    # With some noise: beside a bare tone the library's float32 is the larger error.
    tone = 9000.0 * np.sin(2 * np.pi * 1234.5 * times) + 3000.0 + rng.normal(0, 100.0, 48_000)
    loud = rng.integers(-32768, 32768, 48_000)
    quiet = rng.integers(-2, 3, 48_000)
    half = np.where(times < 1.5, rng.normal(0, 2000, 48_000), 0.0)
    made = [tone, loud, quiet, half, np.zeros(48_000)]
    return [*golden_clips(), *(np.rint(each).clip(-32768, 32767).astype(np.int16) for each in made)]
