"""Microphones that are absent, pulled out, frozen, renumbered or choosy: a scripted PortAudio, and a real one."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import MicrophoneError
from device.hardware import microphone as module
from device.hardware.microphone import SounddeviceMicrophone
from device.simulated.clock import ManualClock
from device.sound.pcm import Frame, Gap
from tests.benches.virtual_microphone import SERVER, why_not
from tests.conftest import ROOT

WITHIN_SECONDS = 5.0


class PortAudioError(Exception):
    pass


class Card:
    """A PortAudio with one card, ``name``, that is there or not; after its return only a new start finds it."""

    PortAudioError = PortAudioError

    def __init__(self, name: str = "Porch: USB Audio (hw:1,0)", rate_hz: int = 48_000) -> None:
        self.name, self.rate_hz, self.there, self.started = name, rate_hz, True, True
        self.known: tuple[str, ...] = (name,)
        self.opened: list[tuple[str | None, int]] = []
        self.starts_failing, self.held = 0, False
        self.pace = threading.Event()

    def _terminate(self) -> None:
        if not self.started:
            raise PortAudioError("PortAudio not initialized [PaErrorCode -10000]")
        self.started = False

    def _initialize(self) -> None:
        if self.starts_failing:
            self.starts_failing -= 1
            raise PortAudioError("Unanticipated host error")
        self.started, self.known = True, (self.name,) if self.there else ()

    def query_devices(self, *_: Any) -> dict[str, Any]:
        return {"default_samplerate": float(self.rate_hz)}

    def RawInputStream(self, *, device: str | None, samplerate: int, **_: Any) -> CardStream:  # noqa: N802
        if not any((device or "").lower() in each.lower() for each in self.known):
            raise ValueError(f"No input device matching {device!r}")
        if not self.there or self.held:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        if samplerate != self.rate_hz:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        self.opened.append((device, samplerate))
        return CardStream(self)


class CardStream:
    def __init__(self, card: Card) -> None:
        self.card = card

    def start(self) -> None:
        """It runs."""

    def close(self) -> None:
        self.card.held = False

    def read(self, count: int) -> tuple[bytes, bool]:
        self.card.pace.wait(0.002)
        if not self.card.there:
            raise PortAudioError("Unanticipated host error [PaErrorCode -9999]")
        return np.full(count, 7, dtype=np.int16).tobytes(), False


class Patience:
    """In place of the reader's event: its waits pass on the manual clock; at ``back_at`` the card is there again."""

    def __init__(self, clock: ManualClock, card: Card, back_at_seconds: float) -> None:
        self._clock, self._card, self._back_at = clock, card, back_at_seconds
        self._stopped, self.waits = threading.Event(), 0

    def is_set(self) -> bool:
        return self._stopped.is_set()

    def set(self) -> None:
        self._stopped.set()

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        self._clock.advance(seconds)
        if self._clock.monotonic_seconds() >= self._back_at:
            self._card.there = True
        return self._stopped.wait(0.0005)


def first_frame_after_gaps(microphone: SounddeviceMicrophone, *, been_deaf: bool = False) -> Frame:
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        item = microphone.read()
        been_deaf |= isinstance(item, Gap)
        if been_deaf and isinstance(item, Frame):
            return item
    raise AssertionError("no frame came")


@pytest.mark.parametrize("away_seconds", [10.0, 600.0])
def test_a_card_that_was_pulled_out_is_opened_within_5_s_of_its_return_under_another_number(
    away_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, card = ManualClock(), Card()
    made: list[Patience] = []

    def patience() -> Patience:
        made.append(Patience(clock, card, away_seconds))
        return made[-1]

    # The thread's own events must stay what they are.
    fake = type("threading", (), {"Event": staticmethod(patience), "Thread": threading.Thread})
    monkeypatch.setattr(module, "threading", fake)
    microphone = SounddeviceMicrophone("Porch: USB Audio (hw:1,0)", clock=clock, library=card)
    try:
        assert isinstance(microphone.read(), Frame)
        card.name, card.there = "Porch: USB Audio (hw:3,0)", False
        heard = first_frame_after_gaps(microphone)
    finally:
        microphone.close()
    assert 0 <= heard.ended_at_seconds - away_seconds <= WITHIN_SECONDS
    assert card.opened[-1] == ("Porch: USB Audio", 48_000)
    assert made[0].waits < away_seconds, "it does not hammer at the door either"


def test_a_card_number_that_another_boot_changed_does_not_matter() -> None:
    card = Card("Porch: USB Audio (hw:2,0)")
    card.known = (card.name,)
    SounddeviceMicrophone("Porch: USB Audio: - (hw:1,0)", clock=ManualClock(), library=card).close()
    SounddeviceMicrophone("USB Audio (hw:2,0)", clock=ManualClock(), library=card).close()
    assert [name for name, _ in card.opened] == ["Porch: USB Audio", "USB Audio (hw:2,0)"]


def test_a_sound_system_that_fails_to_start_once_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.01)
    card = Card()
    microphone = SounddeviceMicrophone(None, clock=ManualClock(), library=card, read_timeout_seconds=0.1)
    try:
        card.there, card.starts_failing = False, 2
        until = time.monotonic() + 10.0
        while card.starts_failing and time.monotonic() < until:
            microphone.read()
        card.there = True
        first_frame_after_gaps(microphone, been_deaf=True)
    finally:
        microphone.close()


def test_a_rate_that_is_refused_is_not_asked_for_twice_and_sound_is_resampled() -> None:
    card = Card(rate_hz=44_100)
    microphone = SounddeviceMicrophone(None, clock=ManualClock(), library=card)
    try:
        assert [type(microphone.read()) for _ in range(20)] == [Frame] * 20
    finally:
        microphone.close()
    assert card.opened == [(None, 44_100)]


def test_a_stream_that_does_not_start_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card()

    def start(stream: CardStream) -> None:
        card.held = True
        raise PortAudioError("Device unavailable [PaErrorCode -9985]")

    monkeypatch.setattr(CardStream, "start", start)
    with pytest.raises(MicrophoneError):
        SounddeviceMicrophone(None, clock=ManualClock(), library=card)
    assert not card.held


def test_a_defect_of_the_reader_is_said_at_the_next_read_and_not_taken_for_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def defect(_stream: CardStream, _count: int) -> tuple[bytes, bool]:
        raise MemoryError

    monkeypatch.setattr(CardStream, "read", defect)
    microphone = SounddeviceMicrophone(None, clock=ManualClock(), library=Card(), read_timeout_seconds=0.05)
    try:
        microphone._thread.join(10.0)
        with pytest.raises(MicrophoneError, match="reader died"):
            microphone.read()
    finally:
        microphone.close()


class SoundServer:
    """A real PulseAudio that can be started, killed and frozen, and a daemon that listens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "server.pa").write_text(SERVER.format(folder=folder))
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder),
                            "PULSE_SERVER": f"unix:{folder}/pulse.sock"}  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.listener: subprocess.Popen[str] | None = None
        self.said: queue.Queue[tuple[float, str]] = queue.Queue()

    def start(self) -> None:
        (self.folder / "pulse.sock").unlink(missing_ok=True)
        command = ["pulseaudio", "-n", "-F", f"{self.folder}/server.pa", "--daemonize=no", "--exit-idle-time=-1",
                   "--use-pid-file=no"]  # fmt: skip
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20.0
        while not (self.folder / "pulse.sock").exists():
            assert time.monotonic() < until, "the sound server does not start"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10.0)

    def listen(self, deaf_seconds: float) -> None:
        command = [sys.executable, "-m", "tests.faults.listener", str(deaf_seconds)]
        self.listener = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        threading.Thread(target=self._take, args=(self.listener,), daemon=True).start()

    def _take(self, listener: subprocess.Popen[str]) -> None:
        assert listener.stdout is not None
        for line in listener.stdout:
            self.said.put((time.monotonic(), line))

    def until(self, word: str, *, seconds: float = 30.0) -> float:
        """Wait for a line that holds ``word``; when it came."""
        end = time.monotonic() + seconds
        while True:
            at, line = self.said.get(timeout=max(0.01, end - time.monotonic()))
            if word in line:
                return at

    def ends(self) -> int:
        assert self.listener is not None
        return self.listener.wait(30.0)

    def close(self) -> None:
        for each in (self.listener, self.process):
            if each is not None:
                each.kill()
                each.wait(10.0)


@contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    made = SoundServer(folder)
    try:
        yield made
    finally:
        made.close()


def test_a_real_sound_server_that_dies_and_comes_back_is_heard_within_5_s(tmp_path: Path) -> None:
    with sound_server(tmp_path) as server:
        server.start()
        server.listen(30.0)
        server.until("hears")
        server.signal(signal.SIGKILL)
        server.until('"gap"')
        time.sleep(3.0)
        server.start()
        back = time.monotonic()
        assert server.until("hears") - back <= WITHIN_SECONDS


def test_a_real_sound_server_that_freezes_ends_the_daemon_with_a_code_though_nothing_fails(tmp_path: Path) -> None:
    with sound_server(tmp_path) as server:
        server.start()
        server.listen(2.0)
        server.until("hears")
        server.signal(signal.SIGSTOP)
        server.until('"fault"')
        assert server.ends() == 69, "a process that waits for that server would never end"
        server.signal(signal.SIGCONT)


def test_a_real_sound_server_that_freezes_for_a_moment_is_heard_again_at_once(tmp_path: Path) -> None:
    with sound_server(tmp_path) as server:
        server.start()
        server.listen(30.0)
        server.until("hears")
        server.signal(signal.SIGSTOP)
        server.until('"gap"')
        server.signal(signal.SIGCONT)
        back = time.monotonic()
        assert server.until("hears") - back <= WITHIN_SECONDS


def test_no_real_sound_server_at_the_start_ends_with_a_code(tmp_path: Path) -> None:
    with sound_server(tmp_path) as server:
        server.listen(30.0)
        server.until("error")
        assert server.ends() == 69
