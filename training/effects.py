"""What can happen to a voice between mouth and model, one pure function each.

Sound is float32 ``(n,)`` at 16 kHz, full scale 1; what comes back has the same length. Training draws from these at
random (``augment``), the evaluation applies them to its test clips (``evaluate``).
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from device.sound.pcm import CLIP_SAMPLES, FULL_SCALE, SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import repeat_to_clip

Sound = NDArray[np.float32]
TELEPHONE_RATE_HZ = 8_000


def to_sound(samples: Samples) -> Sound:
    """int16 to float32, full scale 1."""
    return (samples / FULL_SCALE).astype(np.float32)


def to_int16(sound: Sound) -> Samples:
    """Back again; what exceeds full scale is clipped."""
    return np.clip(np.rint(sound * FULL_SCALE), -32768, 32767).astype(np.int16)


def few_words(sound: Sound, *, seconds: float, rng: np.random.Generator) -> Sound:
    """Only ``seconds`` of a clip ``(48000,)``, from a random place, repeated as the door fills a short utterance."""
    length = int(seconds * SAMPLE_RATE_HZ)
    start = int(rng.integers(0, CLIP_SAMPLES - length + 1))
    return to_sound(repeat_to_clip(to_int16(sound[start : start + length])))


def at_pitch(sound: Sound, *, semitones: float) -> Sound:
    """Higher (> 0) or lower at the same pace (librosa's phase vocoder)."""
    import librosa

    return librosa.effects.pitch_shift(sound, sr=SAMPLE_RATE_HZ, n_steps=semitones).astype(np.float32)


def at_pace(sound: Sound, *, rate: float) -> Sound:
    """``rate`` times as fast at the same pitch (librosa's phase vocoder); a slow voice is cut, a fast one repeated."""
    import librosa

    return np.resize(librosa.effects.time_stretch(sound, rate=rate), len(sound)).astype(np.float32)


def in_room(sound: Sound, response: Sound) -> Sound:
    """Heard through a room response ``(m,)``, aligned to its direct sound, at the level it had before."""
    direct = int(np.argmax(np.abs(response)))
    wet = signal.fftconvolve(sound, response[direct:])[: len(sound)]
    return (wet * (_rms(sound) / max(_rms(wet), 1e-9))).astype(np.float32)


def made_up_room(*, reverberation_seconds: float, tail_db: float, rng: np.random.Generator) -> Sound:
    """A room response: the direct sound, and noise that has decayed by 60 dB after ``reverberation_seconds``, with an
    energy of ``tail_db`` relative to the direct sound."""
    times = np.arange(int(reverberation_seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    # 60 dB down after the reverberation time: exp(-6.9 t / T60) in amplitude.
    tail = rng.standard_normal(len(times)) * np.exp(-6.908 * times / reverberation_seconds)
    response = tail * 10 ** (tail_db / 20.0) / np.sqrt(np.sum(tail**2))
    response[0] = 1.0
    return response.astype(np.float32)


def with_noise(sound: Sound, noise: Sound, *, snr_db: float) -> Sound:
    """With ``noise`` (same length) at a signal-to-noise ratio in dB over the whole sound."""
    wanted = _rms(sound) * 10 ** (-snr_db / 20.0)
    return (sound + noise * (wanted / max(_rms(noise), 1e-9))).astype(np.float32)


def coloured_noise(*, exponent: float, rng: np.random.Generator) -> Sound:
    """3 s of noise whose power falls as 1 / frequency ** exponent (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(CLIP_SAMPLES))
    shape = np.maximum(np.arange(len(spectrum)), 20) ** (-exponent / 2.0)
    return np.fft.irfft(spectrum * shape, CLIP_SAMPLES).astype(np.float32)


def clipped(sound: Sound, *, gain_db: float) -> Sound:
    """Recorded too loud: ``gain_db`` beyond full scale is cut off, then the level is as before."""
    peak = max(float(np.abs(sound).max()), 1e-9)
    gain = 10 ** (gain_db / 20.0) / peak
    return (np.clip(sound * gain, -1.0, 1.0) / gain).astype(np.float32)


def through_door_phone(sound: Sound, *, low_hz: float, high_hz: float) -> Sound:
    """The band of a door phone: a fourth-order Butterworth band-pass."""
    sections = signal.butter(4, (low_hz, high_hz), btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return signal.sosfilt(sections, sound).astype(np.float32)


def through_mu_law(sound: Sound) -> Sound:
    """A telephone line: 8 kHz, 8 bits by the mu-law of ITU-T G.711 (mu 255)."""
    narrow = np.clip(signal.resample_poly(sound, TELEPHONE_RATE_HZ, SAMPLE_RATE_HZ), -1.0, 1.0)
    pressed = np.sign(narrow) * np.log1p(255.0 * np.abs(narrow)) / np.log(256.0)
    coded = np.rint(pressed * 127.5 - 0.5) + 0.5
    opened = np.sign(coded) * np.expm1(np.abs(coded) / 127.5 * np.log(256.0)) / 255.0
    return signal.resample_poly(opened, SAMPLE_RATE_HZ, TELEPHONE_RATE_HZ)[: len(sound)].astype(np.float32)


def through_opus(sound: Sound, *, compression: float) -> Sound:
    """Coded and decoded by Opus (RFC 6716); ``compression`` 0 (256 kbit/s) to 1 (6 kbit/s)."""
    coded = io.BytesIO()
    soundfile.write(coded, sound, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS", compression_level=compression)
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    return np.resize(decoded, len(sound))


def at_level(sound: Sound, *, gain_db: float) -> Sound:
    """Louder or quieter by ``gain_db``, held below full scale."""
    gain = 10 ** (gain_db / 20.0)
    return sound * min(gain, 0.99 / max(float(np.abs(sound).max()), 1e-9))


def _rms(sound: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
