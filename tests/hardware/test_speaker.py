"""The loudspeaker's process, and what it plays."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import IndicatorError
from device.hardware.speaker import RATE_HZ, TUNES, Speaker, find_output, play
from device.ports import Signal
from tests.benches import virtual_microphone

NOTES = "import sys\nfor line in sys.stdin:\n open(sys.argv[1], 'a').write(line)\n"


class Output:
    """Stands for sounddevice: notes what is written to an output."""

    def __init__(self) -> None:
        self.opened: list[dict[str, Any]] = []
        self.played: list[bytes] = []

    def RawOutputStream(self, **asked: Any) -> "Output":  # noqa: N802
        self.opened.append(asked)
        return self

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def write(self, content: bytes) -> None:
        self.played.append(content)


def test_each_line_that_names_a_signal_is_played_and_nothing_else() -> None:
    output = Output()
    play(["granted\n", "nonsense\n", "\n", "refused\n"], "USB", 0.5, output)
    assert len(output.played) == 2
    assert output.opened[0] == {"samplerate": RATE_HZ, "channels": 1, "dtype": "int16", "device": "USB"}
    granted = np.frombuffer(output.played[0], np.int16)
    assert len(granted) == round(0.3 * RATE_HZ)
    assert 7000 < np.abs(granted).max() <= 8192


def test_no_two_signals_sound_the_same_and_all_are_short() -> None:
    assert len(set(TUNES.values())) == len(Signal)
    assert max(sum(note.seconds for note in notes) for notes in TUNES.values()) <= 0.4, "less than speech to be judged"


def test_signals_reach_the_process_and_it_ends_with_the_speaker(tmp_path: Path) -> None:
    speaker = Speaker(command=[sys.executable, "-u", "-c", NOTES, str(tmp_path / "played")])
    speaker.show(Signal.GRANTED)
    speaker.show(Signal.REFUSED)
    player = speaker._player
    assert player is not None
    assert player.stdin is not None
    player.stdin.close()
    player.wait(30.0)
    assert (tmp_path / "played").read_text() == "granted\nrefused\n"
    speaker.close()
    assert speaker._player is None


def test_a_player_that_died_is_started_anew_for_the_next_signal(tmp_path: Path) -> None:
    speaker = Speaker(command=[sys.executable, "-u", "-c", NOTES, str(tmp_path / "played")])
    speaker.show(Signal.GRANTED)
    first = speaker._player
    assert first is not None
    first.kill()
    first.wait()
    speaker.show(Signal.SAY_MORE)
    second = speaker._player
    assert second is not None
    assert second is not first
    assert second.stdin is not None
    second.stdin.close()
    second.wait(30.0)
    assert (tmp_path / "played").read_text().endswith("say_more\n")
    speaker.close()


def test_a_player_that_hangs_is_killed_at_the_end(tmp_path: Path) -> None:
    stubborn = "import signal, sys, time\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(600)"
    speaker = Speaker(command=[sys.executable, "-c", stubborn])
    speaker.show(Signal.GRANTED)
    player = speaker._player
    assert player is not None
    speaker.close()
    assert player.returncode is not None


def test_a_player_that_cannot_be_started_is_an_error() -> None:
    speaker = Speaker(command=["/nonexistent/player"])
    with pytest.raises(IndicatorError):
        speaker.show(Signal.GRANTED)
    speaker.close()


@pytest.mark.skipif(virtual_microphone.why_not() is not None, reason=virtual_microphone.why_not() or "")
def test_a_real_sound_server_plays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real process, sounddevice and PortAudio; what the server plays is recorded and looked at."""
    with virtual_microphone.virtual_microphone() as ears:
        for name, value in ears.environment.items():
            monkeypatch.setenv(name, value)
        recorder = subprocess.Popen(["parec", "--raw", "--format=s16le", "--rate=16000", "--channels=1"],
                                    env=ears.environment, stdout=subprocess.PIPE)  # fmt: skip
        speaker = Speaker("pulse", volume=1.0)
        try:
            assert recorder.stdout is not None
            recorder.stdout.read(3200)
            speaker.show(Signal.GRANTED)
            heard = b""
            # It has begun, and half a second more: the whole tune.
            while not np.frombuffer(heard, np.int16)[:-8000].any():
                heard += recorder.stdout.read(3200)
                assert len(heard) < 32_000 * 60, "nothing was played within a minute of sound"
        finally:
            speaker.close()
            recorder.kill()
            recorder.communicate()
    sound = np.frombuffer(heard, np.int16)
    sound = sound[np.argmax(sound != 0) :]
    second = sound[round(0.15 * 16_000) : round(0.25 * 16_000)].astype(float)
    assert np.argmax(np.abs(np.fft.rfft(second))) * 10.0 == pytest.approx(990.0, abs=15.0)


class Outputs:
    """Stands for sounddevice on a machine with one output."""

    PortAudioError = OSError

    def query_devices(self, device: str | None, kind: str) -> dict[str, str]:
        assert kind == "output"
        if device is not None and device not in "USB Audio: - (hw:1,0)":
            raise ValueError(f"No output device matching {device!r}")
        return {"name": "USB Audio: - (hw:1,0)"}


@pytest.mark.parametrize("asked", ["", "USB"])
def test_the_output_is_found_by_part_of_its_name_without_a_tone(asked: str) -> None:
    assert find_output(asked, Outputs()) == "USB Audio: - (hw:1,0)"


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(IndicatorError, match="sound_device = HDMI"):
        find_output("HDMI", Outputs())
