"""The level meter, and the measures that it shares with the workshop."""

import numpy as np
import pytest

from device.sound.measures import clipped_share, peak_dbfs
from device.sound.meter import HOLD_SECONDS, Levels, Meter
from device.sound.pcm import FRAME_SECONDS, Frame

RNG = np.random.default_rng(3)


def frame(level_dbfs: float) -> Frame:
    return Frame(RNG.normal(0.0, 32768 * 10 ** (level_dbfs / 20), 320).astype(np.int16), 0.0)


def after(meter: Meter, frames: int, level_dbfs: float, *, speech: bool) -> Levels:
    told = Levels()
    for _ in range(frames):
        told = meter.push(frame(level_dbfs), speech)
    return told


def test_the_ratio_is_that_of_speech_to_the_quiet_between() -> None:
    meter = Meter()
    assert after(meter, 100, -60.0, speech=False).snr_db is None
    told = after(meter, 100, -20.0, speech=True)
    assert told.level_dbfs == pytest.approx(-20.0, abs=1.5)
    assert told.floor_dbfs == pytest.approx(-60.0, abs=1.5)
    assert told.snr_db == pytest.approx(40.0, abs=2.0)
    assert told.speech


def test_clipping_stays_lit_long_enough_to_be_seen_and_then_goes_out() -> None:
    meter = Meter()
    meter.push(Frame(np.full(320, 32767, dtype=np.int16), 0.0), True)
    frames = round(HOLD_SECONDS / FRAME_SECONDS)
    told = after(meter, frames - 1, -40.0, speech=False)
    assert told.clipped
    assert told.peak_dbfs == pytest.approx(0.0, abs=0.1)
    assert not after(meter, 1, -40.0, speech=False).clipped


def test_a_gap_forgets_what_was_before() -> None:
    meter = Meter()
    after(meter, 50, -10.0, speech=True)
    meter.reset()
    told = meter.push(frame(-60.0), False)
    assert told.snr_db is None
    assert told.peak_dbfs < -40.0


def test_the_lowest_int16_counts_as_clipped_and_any_channel_does() -> None:
    assert clipped_share(np.array([-32768, 0, 0, 32767], dtype=np.int16)) == 0.5
    assert clipped_share(np.array([[0.0, 1.0], [0.0, 0.0]], dtype=np.float32)) == 0.5
    assert clipped_share(np.zeros(0, dtype=np.int16)) == 0.0
    assert peak_dbfs(np.array([-32768], dtype=np.int16)) == 0.0
    assert peak_dbfs(np.zeros(0, dtype=np.int16)) == -120.0
