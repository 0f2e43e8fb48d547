"""The front-end against an independent oracle, and alone."""

import numpy as np
import pytest

from device.errors import AudioFormatError, ConfigError
from device.sound import slaney
from device.sound.logmel import FrontendSpec, LogMel, band_edges_hz
from device.sound.pcm import CLIP_SAMPLES


def clip(seed: int, level: float = 3000.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tone = np.sin(np.cumsum(rng.uniform(0.02, 0.4, CLIP_SAMPLES)))
    return np.rint(level * (tone + 0.1 * rng.standard_normal(CLIP_SAMPLES))).clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("remove_band_mean", [True, False])
@pytest.mark.parametrize("bands", [40, 64])
def test_equals_librosa_with_the_matching_settings(bands: int, remove_band_mean: bool) -> None:
    librosa = pytest.importorskip("librosa")
    spec = FrontendSpec(mel_bands=bands, remove_band_mean=remove_band_mean)
    for samples in (clip(1), clip(2, 20.0), np.zeros(CLIP_SAMPLES, dtype=np.int16)):
        power = librosa.feature.melspectrogram(
            y=samples / 32768.0, sr=16000, n_fft=512, win_length=400, hop_length=160, center=False, n_mels=bands,
            fmin=50.0, fmax=7600.0, window="hann", power=2.0,
        )  # fmt: skip
        expected = librosa.power_to_db(power, ref=1.0, amin=1e-8, top_db=None).T
        if remove_band_mean:
            expected = expected - expected.mean(axis=0)
        features = LogMel(spec)(samples)
        assert features.shape == spec.shape
        assert features.dtype == np.float32
        assert np.abs(features - expected).max() < 1e-4


def test_does_not_depend_on_what_was_computed_before() -> None:
    used, fresh = LogMel(FrontendSpec()), LogMel(FrontendSpec())
    used(clip(5, 30000.0))
    assert np.array_equal(used(clip(6)), fresh(clip(6)))


def test_band_mean_removal_takes_away_gain() -> None:
    log_mel = LogMel(FrontendSpec(log_floor=1e-14))
    assert np.abs(log_mel(clip(3, 8000.0)) - log_mel((clip(3, 8000.0) // 2).astype(np.int16))).max() < 1.0


def test_the_mel_scale_inverts() -> None:
    frequencies = np.array([0.0, 200.0, 999.0, 1000.0, 4000.0, 8000.0])
    assert np.allclose(slaney.mel_to_hz(slaney.hz_to_mel(frequencies)), frequencies)


def test_another_length_or_dtype_is_refused() -> None:
    with pytest.raises(AudioFormatError, match=r"int16\[48000\]"):
        LogMel(FrontendSpec())(np.zeros(100, dtype=np.int16))
    with pytest.raises(AudioFormatError):
        LogMel(FrontendSpec())(np.zeros(CLIP_SAMPLES, dtype=np.float32))  # type: ignore[arg-type]


def test_powers_of_a_lifted_and_centred_clip_equal_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    spec = FrontendSpec(fft_samples=400, mel_bands=40, low_hz=0.0, high_hz=8000.0, remove_band_mean=False,
                        decibels=False, centred=True, lift_to_dbfs=-30.0)  # fmt: skip
    for samples, lifted in ((clip(1, 100.0), True), (clip(2, 9000.0), False)):
        sound = samples / 32768.0
        if lifted:
            sound = sound * 10 ** (-30 / 20) / np.sqrt(np.mean(sound**2))
        expected = librosa.feature.melspectrogram(
            y=sound, sr=16000, n_fft=400, hop_length=160, center=True, pad_mode="constant", n_mels=40, power=2.0
        ).T
        features = LogMel(spec)(samples)
        assert features.shape == spec.shape == (301, 40)
        assert np.abs(features - expected).max() < 1e-5 * expected.max()


@pytest.mark.parametrize("scale", ["mel", "linear"])
def test_a_tone_in_the_middle_of_a_band_is_loudest_there(scale: str) -> None:
    spec = FrontendSpec(scale=scale, mel_bands=40, remove_band_mean=False)
    log_mel = LogMel(spec)
    for band, hz in enumerate(band_edges_hz(spec)[1:-1]):
        tone = np.rint(9000.0 * np.sin(2 * np.pi * hz * np.arange(CLIP_SAMPLES) / 16000.0)).astype(np.int16)
        assert log_mel(tone).mean(axis=0).argmax() == band


def test_linear_bands_are_equally_wide_in_hz_and_catch_all_of_white_noise() -> None:
    spec = FrontendSpec(scale="linear", mel_bands=32, low_hz=0.0, high_hz=8000.0, remove_band_mean=False)
    edges = band_edges_hz(spec)
    assert np.allclose(np.diff(edges), 8000.0 / 33)
    noise = np.random.default_rng(3).normal(0, 3000.0, CLIP_SAMPLES).clip(-32768, 32767).astype(np.int16)
    bands = LogMel(spec)(noise).mean(axis=0)
    assert np.ptp(bands) < 1.0


def test_a_sound_of_another_length_has_its_own_number_of_frames() -> None:
    log_mel = LogMel(FrontendSpec(remove_band_mean=False))
    whole = log_mel(clip(4))
    assert np.array_equal(log_mel.of_any_length(clip(4)[:16000]), whole[: 1 + (16000 - 512) // 160])


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ConfigError, match="mel, linear"):
        FrontendSpec(scale="bark")


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match="do not go together"):
        FrontendSpec(decibels=False)
    with pytest.raises(ConfigError, match="do not go together"):
        FrontendSpec(lift_to_dbfs=10.0)


def test_every_constant_changes_the_fingerprint() -> None:
    changed = [
        FrontendSpec(),
        FrontendSpec(fft_samples=1024),
        FrontendSpec(window_samples=320),
        FrontendSpec(hop_samples=200),
        FrontendSpec(mel_bands=40),
        FrontendSpec(low_hz=60.0),
        FrontendSpec(high_hz=7000.0),
        FrontendSpec(log_floor=1e-9),
        FrontendSpec(remove_band_mean=False),
        FrontendSpec(remove_band_mean=False, decibels=False),
        FrontendSpec(centred=True),
        FrontendSpec(lift_to_dbfs=-30.0),
        FrontendSpec(scale="linear"),
    ]
    assert len({spec.fingerprint() for spec in changed}) == len(changed)


def test_impossible_band_edges_are_refused() -> None:
    with pytest.raises(ConfigError, match="band edges"):
        FrontendSpec(low_hz=8000.0)
