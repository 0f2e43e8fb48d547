"""The sound of what mattered holds that and nothing else."""

import numpy as np
import pytest

from device.sound.logmel import FrontendSpec, LogMel
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Samples, level_dbfs
from training.explain.grid import cut_evenly
from training.explain.listen import most_important, only
from training.explain.scales import band_of, bounds_hz, frame_seconds

SPEC = FrontendSpec()
GRID = cut_evenly(SPEC.shape, time_patches=15, band_patches=8)
LOW_HZ, HIGH_HZ = 400.0, 4000.0


def tones() -> Samples:
    at = np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ
    both = np.sin(2 * np.pi * LOW_HZ * at) + np.sin(2 * np.pi * HIGH_HZ * at)
    return np.rint(6000.0 * both).astype(np.int16)


def power(samples: Samples, frequency_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64)))
    return float(spectrum[round(frequency_hz * len(samples) / SAMPLE_RATE_HZ)])


def test_everything_kept_sounds_as_it_was() -> None:
    heard = only(tones(), np.ones(GRID.shape, dtype=bool), GRID, SPEC)
    difference = heard[1000:-1000].astype(int) - tones()[1000:-1000]
    assert heard.shape == (CLIP_SAMPLES,)
    assert np.abs(difference).max() <= 20


def test_nothing_kept_is_silence() -> None:
    assert not only(tones(), np.zeros(GRID.shape, dtype=bool), GRID, SPEC).any()


def test_only_the_bands_that_are_kept_are_heard() -> None:
    edges = bounds_hz(SPEC, GRID.band_edges)
    kept = np.zeros(GRID.shape, dtype=bool)
    kept[:, np.searchsorted(edges, HIGH_HZ) - 1] = True
    heard = only(tones(), kept, GRID, SPEC)
    assert power(heard, HIGH_HZ) == pytest.approx(power(tones(), HIGH_HZ), rel=0.05)
    assert power(heard, LOW_HZ) < 0.001 * power(tones(), LOW_HZ)


def test_only_the_moments_that_are_kept_are_heard() -> None:
    kept = np.zeros(GRID.shape, dtype=bool)
    kept[5] = True
    begin, end = frame_seconds(SPEC, GRID.time_edges)[5:7]
    heard = only(tones(), kept, GRID, SPEC)
    first, last = round(begin * SAMPLE_RATE_HZ), round(end * SAMPLE_RATE_HZ)
    assert level_dbfs(heard[first + 400 : last - 400]) == pytest.approx(level_dbfs(tones()), abs=0.5)
    assert not heard[: first - 600].any()
    assert not heard[last + 600 :].any()


def test_what_speaks_against_is_never_among_what_mattered() -> None:
    importance = np.array([[3.0, -1.0], [2.0, 0.0]])
    assert most_important(importance, 0.25).tolist() == [[True, False], [False, False]]
    assert most_important(importance, 1.0).tolist() == [[True, False], [True, False]]
    assert not most_important(-np.ones((2, 2)), 0.5).any()


@pytest.mark.parametrize("scale", ["mel", "linear"])
def test_frames_and_bands_stand_where_the_front_end_hears_them(scale: str) -> None:
    spec = FrontendSpec(remove_band_mean=False, scale=scale)
    log_mel = LogMel(spec)
    click = np.zeros(CLIP_SAMPLES, dtype=np.int16)
    click[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ + 16] = 20_000
    loudest = np.argmax(log_mel(click).sum(axis=1))
    begin, end = frame_seconds(spec, np.array([loudest, loudest + 1]))
    assert begin - 0.005 <= 1.0 <= end + 0.005
    tone = np.rint(8000.0 * np.sin(2 * np.pi * 1500.0 * np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ)).astype(np.int16)
    band = int(np.argmax(log_mel(tone).mean(axis=0)))
    low, high = bounds_hz(spec, np.array([band, band + 1]))
    assert low * 0.99 < 1500.0 < high * 1.01
    assert band_of(spec, np.array([1500.0]))[0] == pytest.approx(band, abs=0.6)
