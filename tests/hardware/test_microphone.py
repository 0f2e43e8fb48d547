"""The real microphone on a scripted PortAudio."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

from device.errors import MicrophoneError, RuntimeMissingError
from device.hardware.microphone import SounddeviceMicrophone, load_sounddevice
from device.simulated.clock import ManualClock
from device.sound.pcm import Frame, Gap


class PortAudioError(Exception):
    pass


class FakePortAudio:
    """A sounddevice whose reads follow ``script``: a number of good blocks, an error, an overflow, or a freeze."""

    PortAudioError = PortAudioError

    def __init__(self, script: list[Any], *, native_hz: int = 16000, refuse: tuple[int, ...] = ()) -> None:
        self.script, self.native_hz, self.refuse = script, native_hz, refuse
        self.opened: list[int] = []
        self.thaw = threading.Event()
        self.frozen = threading.Event()

    def RawInputStream(self, *, samplerate: int, **_: Any) -> FakeStream:  # noqa: N802
        if samplerate in self.refuse:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        self.opened.append(samplerate)
        return FakeStream(self)

    def query_devices(self, *_: Any) -> dict[str, Any]:
        return {"default_samplerate": float(self.native_hz)}

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...


class FakeStream:
    def __init__(self, library: FakePortAudio) -> None:
        self.library = library

    def start(self) -> None: ...

    def close(self) -> None:
        raise PortAudioError("already gone")

    def read(self, count: int) -> tuple[bytes, bool]:
        step = self.library.script.pop(0) if self.library.script else "freeze"
        if step == "freeze":
            self.library.frozen.set()
            self.library.thaw.wait(10.0)
            if not self.library.script:
                raise PortAudioError("stopped")
            step = self.library.script.pop(0)
        if step == "lost":
            raise PortAudioError("Unanticipated host error [PaErrorCode -9999]")
        return np.full(count, 7, dtype=np.int16).tobytes(), step == "overflow"


def read(script: list[Any], items: int, **options: Any) -> tuple[list[Frame | Gap | None], FakePortAudio]:
    library = FakePortAudio(script, **options)
    microphone = SounddeviceMicrophone(None, clock=ManualClock(), read_timeout_seconds=0.2, library=library)
    try:
        return [microphone.read() for _ in range(items)], library
    finally:
        library.thaw.set()
        microphone.close()
        microphone.close()


def test_blocks_become_frames_in_order() -> None:
    items, _ = read(["ok"] * 3, 3)
    assert all(isinstance(item, Frame) and (item.samples == 7).all() for item in items)


def test_an_overflow_is_a_gap_before_the_frame_that_follows_it() -> None:
    items, _ = read(["ok", "overflow"], 3)
    assert [type(item) for item in items] == [Frame, Gap, Frame]


def test_a_frozen_sound_server_is_a_gap_and_not_a_wait_for_ever() -> None:
    (item,) = read(["freeze"], 1)[0]
    assert isinstance(item, Gap)
    assert item.reason == "no sound arrived"


def test_a_lost_device_is_a_gap_and_is_opened_again() -> None:
    library = FakePortAudio(["ok", "lost", "ok"])
    microphone = SounddeviceMicrophone(None, clock=ManualClock(), read_timeout_seconds=5.0, library=library)
    items = [microphone.read() for _ in range(3)]
    library.thaw.set()
    microphone.close()
    assert [type(item) for item in items] == [Frame, Gap, Frame]
    assert len(library.opened) == 2


def test_a_refused_rate_falls_to_the_native_one_and_is_resampled() -> None:
    items, library = read(["ok"] * 8, 4, native_hz=48000, refuse=(16000,))
    assert library.opened == [48000]
    assert all(isinstance(item, Frame) for item in items)


def test_a_door_that_is_too_slow_finds_a_gap_in_its_place() -> None:
    library = FakePortAudio(["ok"] * 40)
    microphone = SounddeviceMicrophone(
        None, clock=ManualClock(), queue_seconds=0.1, read_timeout_seconds=0.2, library=library
    )
    # The reader runs ahead until it freezes; the queue holds five frames and loses the rest.
    assert library.frozen.wait(10.0)
    held = [microphone.read() for _ in range(5)]
    library.script += ["ok", "ok"]
    library.thaw.set()
    after = [microphone.read() for _ in range(2)]
    microphone.close()
    assert [type(item) for item in held] == [Frame] * 5
    assert isinstance(after[0], Gap)
    assert after[0].reason == "the door was too slow"
    assert isinstance(after[1], Frame)


def test_no_device_at_all_is_an_error_with_the_next_step() -> None:
    with pytest.raises(MicrophoneError, match="voicelatch microphones"):
        SounddeviceMicrophone("desk", clock=ManualClock(), library=FakePortAudio([], refuse=(16000,)))


def test_a_missing_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def fail(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeMissingError, match="libportaudio2"):
        load_sounddevice()


def test_a_missing_sounddevice_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(RuntimeMissingError, match="pip install sounddevice"):
        load_sounddevice()
