"""A level meter: what the last seconds were like, frame by frame, for whoever looks at a screen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from device.sound.measures import CLIPPED_FROM, HIGHEST_SNR_DB, LOWEST_SNR_DB, SILENT_DBFS, noise_power, peak_dbfs
from device.sound.pcm import FRAME_SECONDS, Frame, level_dbfs

FLOOR_SECONDS = 5.0
# A clipped sample lasts 60 microseconds: the lamp stays on long enough to be seen.
HOLD_SECONDS = 1.5
_CLIPPED_DBFS = 20.0 * float(np.log10(CLIPPED_FROM))


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Of the last frame: ``level_dbfs`` (RMS), ``speech`` or not. Of the last 1.5 s: ``peak_dbfs``, ``clipped``. Of the
    last 5 s: ``floor_dbfs`` (the quietest tenth), ``snr_db`` of its speech, None where nobody spoke."""

    level_dbfs: float = SILENT_DBFS
    peak_dbfs: float = SILENT_DBFS
    floor_dbfs: float = SILENT_DBFS
    snr_db: float | None = None
    clipped: bool = False
    speech: bool = False


class Meter:
    """Push every frame with the detector's word; ``reset`` after a Gap."""

    def __init__(self) -> None:
        self._powers: deque[tuple[float, bool]] = deque(maxlen=round(FLOOR_SECONDS / FRAME_SECONDS))
        self._peaks: deque[float] = deque(maxlen=round(HOLD_SECONDS / FRAME_SECONDS))

    def reset(self) -> None:
        self._powers.clear()
        self._peaks.clear()

    def push(self, frame: Frame, is_speech: bool) -> Levels:
        level = level_dbfs(frame.samples)
        self._powers.append((10.0 ** (level / 10.0), is_speech))
        self._peaks.append(peak_dbfs(frame.samples))
        powers = np.array([power for power, _ in self._powers])
        spoken = np.array([power for power, voiced in self._powers if voiced])
        noise, peak = noise_power(powers), max(self._peaks)
        return Levels(
            level_dbfs=level, peak_dbfs=peak, floor_dbfs=10.0 * float(np.log10(noise)),
            snr_db=_ratio_db(float(spoken.mean()), noise) if len(spoken) else None,
            clipped=peak >= _CLIPPED_DBFS, speech=is_speech,
        )  # fmt: skip


def _ratio_db(signal: float, noise: float) -> float:
    ratio = max(signal - noise, 1e-12) / noise
    return float(np.clip(10.0 * np.log10(ratio), LOWEST_SNR_DB, HIGHEST_SNR_DB))
