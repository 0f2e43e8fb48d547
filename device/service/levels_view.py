"""The level line that `record`, `levels` and `listen` share. Pure: levels in, text out."""

from __future__ import annotations

from device.sound.meter import Levels
from device.terminal.bars import level_bar

BAR_WIDTH = 30


def level_line(levels: Levels) -> str:
    """Bar with the peak's mark, level, noise floor, ratio, speech, clipping: at most 78 characters."""
    ratio = "" if levels.snr_db is None else f"  snr {levels.snr_db:3.0f}"
    lamp = "  CLIPPED" if levels.clipped else "  speech" if levels.speech else ""
    drawn = level_bar(levels.level_dbfs, BAR_WIDTH, peak_dbfs=levels.peak_dbfs)
    return f"[{drawn}] {levels.level_dbfs:4.0f} dBFS  noise {levels.floor_dbfs:4.0f}{ratio}{lamp}"


def levels_table(levels: Levels) -> dict[str, object]:
    """The same, ready for JSON."""
    return {
        "level_dbfs": round(levels.level_dbfs, 1), "peak_dbfs": round(levels.peak_dbfs, 1),
        "noise_floor_dbfs": round(levels.floor_dbfs, 1),
        "snr_db": None if levels.snr_db is None else round(levels.snr_db, 1),
        "clipped": levels.clipped, "speech": levels.speech,
    }  # fmt: skip
