"""The microphone is chosen by what it hears, and named so that it is found again after the next boot."""

from collections.abc import Callable

import numpy as np
import pytest

from device.errors import MicrophoneError
from device.ports import Microphone
from device.service import cli
from device.service.microphone_choice import Heard, choose, heard, listen, stable_name
from device.simulated.clock import ManualClock
from device.simulated.microphone import SimulatedMicrophone, silence
from device.sound.pcm import Samples

SECONDS = 2.0


def noise(level: float, speech: float = 0.0) -> Samples:
    """Three seconds at ``level``, every other half second at ``speech`` (both as an amplitude, int16)."""
    samples = np.random.default_rng(1).normal(0.0, level, 48_000)
    for start in range(0, 48_000, 16_000):
        samples[start : start + 8_000] += np.random.default_rng(2).normal(0.0, speech, 8_000)
    return samples.clip(-32_768, 32_767).astype(np.int16)


@pytest.mark.parametrize(
    ("listed", "stable"),
    [
        ("USB PnP Sound Device: Audio (hw:2,0)", "USB PnP Sound Device: Audio"),
        ("seeed-2mic-voicecard: - (hw:1,0)", "seeed-2mic-voicecard"),
        ("default", "default"),
        ("Loud (hw:1) thing", "Loud (hw:1) thing"),
    ],
)
def test_the_card_s_number_is_no_part_of_a_name(listed: str, stable: str) -> None:
    assert stable_name(listed) == stable
    assert stable in listed


def test_the_input_in_which_speech_stands_out_is_chosen_not_the_loudest() -> None:
    clock = ManualClock()
    inputs = {"hum: (hw:0,0)": noise(6000.0), "door: (hw:1,0)": noise(30.0, 900.0), "far: (hw:2,0)": noise(30.0, 60.0)}

    def make(name: str) -> Microphone:
        return SimulatedMicrophone([inputs[name]], clock=clock)

    found = listen(list(inputs), SECONDS, clock, make)
    assert [each.problem for each in found] == ["", "", ""]
    assert choose(found).name == "door"


def test_what_is_mute_absent_or_dead_is_told_and_not_chosen() -> None:
    clock = ManualClock()

    def refuse() -> Microphone:
        raise MicrophoneError("the microphone cannot be opened")

    inputs: dict[str, Callable[[], Microphone]] = {
        "mute": lambda: SimulatedMicrophone([silence(3.0)], clock=clock),
        "gone": refuse,
        "dead": lambda: SimulatedMicrophone([], clock=clock),
        "fit": lambda: SimulatedMicrophone([noise(30.0, 40.0)], clock=clock),
    }
    found = listen(list(inputs), SECONDS, clock, lambda name: inputs[name]())
    assert [bool(each.problem) for each in found] == [True, True, True, False]
    assert choose(found).name == "fit"
    with pytest.raises(MicrophoneError, match="muted") as caught:
        choose(found[:3])
    assert "cannot be opened" in str(caught.value)
    with pytest.raises(MicrophoneError):
        choose([])


def test_a_real_device_is_chosen_before_another_name_of_the_default() -> None:
    real = Heard(name="USB Audio", quiet_dbfs=-60.0, loud_dbfs=-40.0)
    default = Heard(name="default", quiet_dbfs=-60.0, loud_dbfs=-20.0)
    assert choose([default, real]) is real
    assert choose([default]) is default


def test_two_of_one_name_are_refused_where_one_of_them_would_be_chosen() -> None:
    one = Heard(name="USB Audio", quiet_dbfs=-60.0, loud_dbfs=-40.0)
    with pytest.raises(MicrophoneError, match="same name"):
        choose([one, heard("USB Audio", [])])


def test_the_command_prints_the_name_alone_for_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from device.hardware.microphone import InputDevice

    inputs = [InputDevice("hum (hw:0,0)", 1, 16_000), InputDevice("door (hw:1,0)", 1, 16_000)]
    monkeypatch.setattr("device.hardware.microphone.list_microphones", lambda: inputs)
    monkeypatch.setattr("device.hardware.clock.SystemClock", ManualClock)
    monkeypatch.setattr(
        "device.hardware.microphone.SounddeviceMicrophone",
        lambda name, clock: SimulatedMicrophone([noise(30.0, 900.0 if "door" in name else 0.0)], clock=clock),
    )
    assert cli.main(["microphones", "--listen", "2", "--pick"]) == 0
    assert capsys.readouterr().out == "door\n"
    assert cli.main(["microphones", "--listen", "2"]) == 0
    assert "door  -" in capsys.readouterr().out
    monkeypatch.setattr("device.hardware.microphone.list_microphones", list)
    assert cli.main(["microphones", "--listen", "2", "--pick"]) == 69
