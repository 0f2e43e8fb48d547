"""Tones: as long, as high and as loud as asked, without a click."""

import numpy as np
import pytest

from device.sound.tones import Note, melody


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_note_is_as_long_and_as_high_as_asked(rate_hz: int) -> None:
    sound = melody([Note(440.0, 0.5)], rate_hz=rate_hz, volume=1.0)
    assert sound.dtype == np.int16
    assert len(sound) == rate_hz // 2
    loudest = np.argmax(np.abs(np.fft.rfft(sound.astype(float))))
    assert loudest * 2.0 == pytest.approx(440.0, abs=2.0)


def test_the_volume_is_linear_and_limited() -> None:
    peaks = [
        int(np.abs(melody([Note(440.0, 0.2)], rate_hz=48_000, volume=each)).max()) for each in (0.0, 0.5, 1.0, 9.0)
    ]
    assert peaks[0] == 0
    assert peaks[1] == pytest.approx(8192, abs=5)
    assert peaks[2] == peaks[3] == pytest.approx(16384, abs=5)


def test_a_note_begins_and_ends_without_a_click_and_a_rest_is_silent() -> None:
    sound = melody([Note(440.0, 0.1), Note(0.0, 0.1), Note(440.0, 0.1)], rate_hz=48_000, volume=1.0).astype(int)
    assert sound[0] == sound[-1] == 0
    assert np.abs(np.diff(sound)).max() < 1200
    assert not sound[4800:9600].any()


def test_a_note_that_is_shorter_than_its_fade_is_still_one() -> None:
    assert len(melody([Note(440.0, 0.001)], rate_hz=48_000, volume=1.0)) == 48
