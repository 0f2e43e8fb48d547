"""Kaldi's front-end against the library that others use for it, and alone."""

import time
from dataclasses import replace

import numpy as np
import pytest

from device.errors import ConfigError
from device.sound.logmel import KALDI, KALDI_FLOOR, FrontendSpec, LogMel, band_edges_hz
from device.sound.pcm import CLIP_SAMPLES
from tests.sound.fbank_clips import FRAME_STEP, clips
from tests.sound.make_kaldi_fbank import STORED

# The library computes in float32.
CLOSE = 2e-3


def test_equals_kaldis_own_filter_bank_before_and_after_the_mean_is_taken_away() -> None:
    stored = np.load(STORED)
    plain, centred = LogMel(replace(KALDI, remove_band_mean=False)), LogMel(KALDI)
    for samples, frames, mean in zip(clips(), stored["frames"], stored["means"], strict=True):
        assert centred(samples).shape == KALDI.shape == (298, 80)
        assert centred(samples).dtype == np.float32
        assert np.abs(plain(samples)[::FRAME_STEP] - frames).max() < CLOSE
        assert np.abs(centred(samples)[::FRAME_STEP] - (frames - mean)).max() < CLOSE


def test_every_frame_equals_the_librarys_where_it_is_installed() -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither, options.mel_opts.num_bins = 0.0, 80
    for samples in clips():
        oracle = kaldi.OnlineFbank(options)
        oracle.accept_waveform(16000, (samples / 32768.0).tolist())
        oracle.input_finished()
        expected = np.stack([oracle.get_frame(index) for index in range(oracle.num_frames_ready)])
        assert np.abs(LogMel(KALDI)(samples) - (expected - expected.mean(axis=0))).max() < CLOSE


def test_a_clip_takes_a_few_milliseconds() -> None:
    """Wide of what was measured (1.4 ms on one core here), so that a busy machine passes and a wrong way does not."""
    log_mel, samples = LogMel(KALDI), clips()[0]
    seconds = []
    for _ in range(30):
        before = time.perf_counter()
        log_mel(samples)
        seconds.append(time.perf_counter() - before)
    assert min(seconds) < 0.010


def test_silence_is_the_floor_and_no_infinity() -> None:
    silence = np.zeros(CLIP_SAMPLES, dtype=np.int16)
    assert np.allclose(LogMel(replace(KALDI, remove_band_mean=False))(silence), np.log(KALDI_FLOOR))
    assert np.abs(LogMel(KALDI)(silence)).max() < 1e-9


def test_a_steady_offset_changes_nothing() -> None:
    log_mel, samples = LogMel(KALDI), clips()[0] // 2
    assert np.abs(log_mel(samples) - log_mel((samples + 4000).astype(np.int16))).max() < 1e-3


def test_a_tone_in_the_middle_of_a_band_is_loudest_there() -> None:
    log_mel, times = LogMel(KALDI), np.arange(CLIP_SAMPLES) / 16000.0
    # Below, bands are narrower than the transform's bins.
    for band, hz in list(enumerate(band_edges_hz(KALDI)[1:-1]))[20:]:
        tone = np.rint(9000.0 * np.sin(2 * np.pi * hz * times)).astype(np.int16)
        assert log_mel.to_look_at(tone).mean(axis=0).argmax() == band


def test_what_is_looked_at_is_in_decibels_with_the_bands_means_left_in() -> None:
    """Ten times the amplitude is 20 dB more, in either front-end."""
    for spec in (KALDI, FrontendSpec()):
        log_mel, samples = LogMel(spec), np.rint(clips()[0] / 10).astype(np.int16)
        apart = log_mel.to_look_at((samples * 10).astype(np.int16)) - log_mel.to_look_at(samples)
        assert np.median(apart) == pytest.approx(20.0, abs=0.01)


def test_the_two_front_ends_have_different_fingerprints_and_each_constant_counts() -> None:
    changed = [
        KALDI,
        FrontendSpec(),
        replace(KALDI, kind="slaney"),
        replace(KALDI, mel_bands=64),
        replace(KALDI, low_hz=30.0),
        replace(KALDI, high_hz=7000.0),
        replace(KALDI, hop_samples=200),
        replace(KALDI, window_samples=320),
        replace(KALDI, fft_samples=1024),
        replace(KALDI, log_floor=1e-9),
        replace(KALDI, remove_band_mean=False),
    ]
    assert len({spec.fingerprint() for spec in changed}) == len(changed)


def test_what_only_the_older_front_end_has_is_refused() -> None:
    for wrong in ({"scale": "linear"}, {"centred": True}, {"lift_to_dbfs": -30.0}):
        with pytest.raises(ConfigError, match="do not go together"):
            replace(KALDI, **wrong)
    with pytest.raises(ConfigError, match="kaldi, slaney"):
        FrontendSpec(kind="htk")
