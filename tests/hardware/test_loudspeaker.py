"""Clips are played where there is something to play them on; elsewhere the reason is one message."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from device.errors import RuntimeMissingError
from device.hardware.loudspeaker import Loudspeaker


class PortAudioError(Exception):
    """As sounddevice has it."""


class Output:
    """What of sounddevice the loudspeaker uses."""

    def __init__(self, *, outputs: int = 1, fails: BaseException | None = None) -> None:
        self.played: list[tuple[int, float, bool]] = []
        self.stopped = False
        self._outputs, self._fails = outputs, fails

    def module(self) -> SimpleNamespace:
        return SimpleNamespace(PortAudioError=PortAudioError, query_devices=self.query, play=self.play, stop=self.stop)

    def query(self, *, kind: str) -> dict[str, str]:
        assert kind == "output"
        if not self._outputs:
            raise PortAudioError("Error querying device -1")
        return {"name": "a loudspeaker"}

    def play(self, samples: np.ndarray, rate: float, *, blocking: bool) -> None:
        if self._fails is not None:
            raise self._fails
        self.played.append((len(samples), rate, blocking))

    def stop(self) -> None:
        self.stopped = True


def use(patch: pytest.MonkeyPatch, output: Output | None) -> None:
    patch.setitem(sys.modules, "sounddevice", output.module() if output is not None else None)


def test_a_clip_is_played_to_its_end_at_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    use(monkeypatch, output)
    Loudspeaker().play(np.zeros(48_000, dtype=np.int16))
    assert output.played == [(48_000, 16_000, True)]


@pytest.mark.parametrize("output", [None, Output(outputs=0)])
def test_without_a_library_or_an_output_it_says_so(output: Output | None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, output)
    with pytest.raises(RuntimeMissingError, match="loudspeaker"):
        Loudspeaker()


def test_an_output_that_is_unplugged_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Output(fails=PortAudioError("Device unavailable")))
    with pytest.raises(RuntimeMissingError, match="Device unavailable"):
        Loudspeaker().play(np.zeros(160, dtype=np.int16))


def test_control_c_ends_the_sound_and_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(fails=KeyboardInterrupt())
    use(monkeypatch, output)
    with pytest.raises(KeyboardInterrupt):
        Loudspeaker().play(np.zeros(160, dtype=np.int16))
    assert output.stopped
