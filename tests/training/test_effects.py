"""What happens to a voice on its way: each effect does what it says, by how much, and nothing else."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from device.errors import AudioFormatError, ConfigError
from device.sound.wavfile import read_wav, write_wav
from training import effects
from training.augment import CHAIN, Surroundings, augment
from training.cli import main
from training.recipe import Augment

RATE_HZ = 16000
NOBODY = Surroundings((), (), np.zeros((0, 48000), dtype=np.int16))


def voice(pitch_hz: float = 140.0) -> np.ndarray:
    """3 s of a pulse train with a syllable's rhythm, float32, full scale 1."""
    times = np.arange(3 * RATE_HZ) / RATE_HZ
    sound = sum(np.cos(2 * np.pi * pitch_hz * k * times + k * k) / k for k in range(1, int(7000 / pitch_hz)))
    return (0.2 * sound / np.abs(sound).max() * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times))).astype(np.float32)


def power_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


def band_db(sound: np.ndarray, low_hz: float, high_hz: float) -> float:
    frequencies, power = signal.welch(sound, RATE_HZ, nperseg=4096)
    return float(10 * np.log10(power[(frequencies >= low_hz) & (frequencies < high_hz)].sum()))


def pitch_of(sound: np.ndarray) -> float:
    """The lag of the highest peak of the autocorrelation between 60 and 400 Hz, in Hz."""
    whole = np.correlate(sound[8000:16000], sound[8000:16000], "full")[7999:]
    lags = np.arange(40, 267)
    return RATE_HZ / float(lags[np.argmax(whole[lags])])


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_is_added_at_the_ratio_asked_for(snr_db: float) -> None:
    noise = effects.coloured_noise(exponent=1.0, rng=np.random.default_rng(1))
    added = effects.with_noise(voice(), noise, snr_db=snr_db) - voice()
    assert power_db(voice()) - power_db(added) == pytest.approx(snr_db, abs=0.05)


@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_a_made_up_room_decays_by_sixty_decibels_in_its_reverberation_time(seconds: float) -> None:
    room = effects.made_up_room(reverberation_seconds=seconds, tail_db=-6.0, rng=np.random.default_rng(2))
    assert room[0] == 1.0
    tail = room[1:]
    assert power_db(tail) + 10 * np.log10(len(tail)) == pytest.approx(-6.0, abs=0.1)
    # Schroeder's backward integral, between 5 and 25 dB down, extrapolated to 60 dB.
    decay = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    at_5, at_25 = (int(np.argmax(decay < level)) for level in (-5.0, -25.0))
    assert 3 * (at_25 - at_5) / RATE_HZ == pytest.approx(seconds, rel=0.15)


def test_a_room_keeps_the_level_and_is_aligned_to_its_direct_sound() -> None:
    late = np.zeros(4000, dtype=np.float32)
    late[1000] = 0.5
    assert np.allclose(effects.in_room(voice(), late), voice(), atol=1e-5)
    room = effects.made_up_room(reverberation_seconds=0.4, tail_db=-3.0, rng=np.random.default_rng(3))
    assert power_db(effects.in_room(voice(), room)) == pytest.approx(power_db(voice()), abs=0.01)


def test_pitch_changes_and_pace_does_not_and_the_other_way_round() -> None:
    assert pitch_of(effects.at_pitch(voice(), semitones=4.0)) == pytest.approx(140 * 2 ** (4 / 12), rel=0.03)
    fast = effects.at_pace(voice(), rate=1.25)
    assert len(fast) == 48000
    assert pitch_of(fast) == pytest.approx(140, rel=0.03)


def test_a_door_phone_leaves_its_band_alone_and_takes_the_rest() -> None:
    through = effects.through_door_phone(voice(), low_hz=300.0, high_hz=3400.0)
    assert band_db(through, 600, 2500) == pytest.approx(band_db(voice(), 600, 2500), abs=0.5)
    assert band_db(through, 5500, 7500) < band_db(voice(), 5500, 7500) - 15


def test_a_telephone_line_has_no_upper_half_and_the_noise_of_eight_bits() -> None:
    narrow = signal.sosfilt(signal.butter(8, 3000, fs=RATE_HZ, output="sos"), voice()).astype(np.float32)
    through = effects.through_mu_law(narrow)
    assert len(through) == len(narrow)
    assert 30 < power_db(narrow) - power_db(through - narrow) < 42
    assert band_db(effects.through_mu_law(voice()), 4500, 7500) < band_db(voice(), 4500, 7500) - 30


def test_opus_keeps_the_length_and_loses_more_the_harder_it_presses() -> None:
    lost = [power_db(effects.through_opus(voice(), compression=each) - voice()) for each in (0.0, 1.0)]
    assert len(effects.through_opus(voice(), compression=0.9)) == 48000
    assert lost[0] < power_db(voice()) - 12
    assert lost[0] < lost[1] - 3


def test_clipping_cuts_the_peaks_and_leaves_the_rest() -> None:
    cut = effects.clipped(voice(), gain_db=6.0)
    limit = np.abs(voice()).max() / 10 ** (6 / 20)
    assert np.abs(cut).max() == pytest.approx(limit, rel=1e-4)
    inside = np.abs(voice()) < 0.99 * limit
    assert np.allclose(cut[inside], voice()[inside], atol=1e-6)


def test_every_transform_has_a_probability_and_a_range_in_the_recipe() -> None:
    names = {each.name for each in CHAIN}
    assert names == {"short", "pitch", "pace", "room", "noise", "clipping", "phone", "codec", "gain"}
    spec = asdict(Augment())
    assert sum(key.endswith("_probability") for key in spec) == len(CHAIN) - 1
    told = [each.told(Augment()) for each in CHAIN]
    ranges = [f"{value:g}" for key, value in spec.items() if not key.endswith("_probability") and "gain" not in key]
    assert all(any(value in text for text in told) for value in ranges)


@pytest.mark.parametrize("name", [each.name for each in CHAIN])
def test_a_transform_changes_the_clip_keeps_its_form_and_hangs_on_the_generator_alone(name: str) -> None:
    chosen = next(each for each in CHAIN if each.name == name)
    first, again, other = (chosen.apply(voice(), NOBODY, Augment(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (48000,)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert not np.allclose(first, voice(), atol=1e-4)
    assert not np.array_equal(first, other) or name == "codec"


def test_what_comes_out_of_the_chain_is_a_clip_below_full_scale_and_repeatable() -> None:
    always = Augment(**{key: 1.0 for key in asdict(Augment()) if key.endswith("_probability")})
    clip = effects.to_int16(4 * voice())
    first, again = (augment(clip, NOBODY, always, np.random.default_rng(4)) for _ in range(2))
    assert first.dtype == np.int16
    assert first.shape == (48000,)
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int)).max() < 32767
    never = replace(always, **{key: 0.0 for key in asdict(always) if key.endswith("_probability")},
                    gain_low_db=0.0, gain_high_db=0.0)  # fmt: skip
    assert np.array_equal(augment(effects.to_int16(voice()), NOBODY, never, np.random.default_rng(4)),
                          effects.to_int16(voice()))  # fmt: skip


def test_a_range_upside_down_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"augment\.snr_high_db"):
        Augment(snr_low_db=10.0, snr_high_db=5.0)
    with pytest.raises(ConfigError, match=r"augment\.codec_probability"):
        Augment(codec_probability=1.5)


def test_every_transform_can_be_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lead = np.zeros(8000, dtype=np.int16)
    write_wav(tmp_path / "clip.wav", np.concatenate([lead, effects.to_int16(voice()), lead]))
    assert main(["augment", "--listen", str(tmp_path / "clip.wav"), str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    made = sorted((tmp_path / "out").glob("*.wav"))
    assert len(made) == 1 + 3 * len(CHAIN) + 3
    clean = read_wav(tmp_path / "out" / "0-clean.wav")
    for each in CHAIN:
        assert each.name in told
        assert any(each.name in path.name and not np.array_equal(read_wav(path), clean) for path in made)


def test_a_recording_without_speech_cannot_be_listened_to(tmp_path: Path) -> None:
    from training.listen import read_clip

    write_wav(tmp_path / "hum.wav", np.zeros(48000, dtype=np.int16))
    with pytest.raises(AudioFormatError, match="hears no speech"):
        read_clip(tmp_path / "hum.wav")
