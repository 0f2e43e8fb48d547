"""The microphone, through sounddevice (PortAudio): one reader thread of ours, a bounded queue, gaps instead of silence.

Blocking reads, not a callback: a callback needs writable executable memory, which the unit's sandbox forbids. The
reader never decides anything; overflow, a full queue, silence of the driver and a lost device all become a Gap. A lost
device is opened again with growing patience; its absence at the start is an error, and so is a defect of the reader.
"""

from __future__ import annotations

import atexit
import importlib
import queue
import re
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from device.errors import MicrophoneError, RuntimeMissingError
from device.ports import Clock
from device.sound.pcm import FRAME_SECONDS, SAMPLE_RATE_HZ, Frame, Gap
from device.sound.resample import FrameCutter, StreamResampler

BLOCK_SECONDS = 0.02
# The door must hear again within 5 s of a device's return, and opening it takes a while.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 2.0
# ALSA's card number, which another boot may give to another card.
_CARD = re.compile(r":?\s*(?:-\s*)?\(hw:\d+,\d+\)\s*$")


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A microphone that PortAudio knows: its stable ``name``, channels and native rate."""

    name: str
    channels: int
    rate_hz: int


def load_sounddevice() -> Any:
    """The sounddevice module. Raises :class:`RuntimeMissingError` where it or PortAudio is absent."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise RuntimeMissingError(
            "sounddevice is not installed", where="microphone", received=error, next_step="pip install sounddevice"
        ) from error
    except OSError as error:
        raise RuntimeMissingError(
            "PortAudio is not installed", where="microphone", received=error, next_step="sudo apt install libportaudio2"
        ) from error


def list_microphones() -> list[InputDevice]:
    """Every device that can record."""
    sounddevice = load_sounddevice()
    return [
        InputDevice(str(each["name"]), int(each["max_input_channels"]), round(each["default_samplerate"]))
        for each in sounddevice.query_devices()
        if each["max_input_channels"] > 0
    ]


class SounddeviceMicrophone:
    """:class:`~device.ports.Microphone` on the device whose name contains ``device`` (None: the default input).

    A card number in ``device`` counts only while there is such a card. Opens at 16 kHz, or at the device's own rate
    with resampling. Raises :class:`RuntimeMissingError` without PortAudio and :class:`MicrophoneError` when no such
    device can be opened; ``read`` raises it when the reader has died of a defect.
    """

    def __init__(
        self,
        device: str | None,
        *,
        clock: Clock,
        queue_seconds: float = 2.0,
        read_timeout_seconds: float = 0.5,
        library: Any | None = None,
    ) -> None:
        self._library = library if library is not None else load_sounddevice()
        self._device, self._clock = device, clock
        self._timeout_seconds = read_timeout_seconds
        self._queue: queue.Queue[Frame | Gap] = queue.Queue(maxsize=max(2, round(queue_seconds / FRAME_SECONDS)))
        self._lost_since_seconds: float | None = None
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._stream, self.rate_hz = self._open()
        self._thread = threading.Thread(target=self._record, name="microphone", daemon=True)
        self._thread.start()

    def read(self) -> Frame | Gap | None:
        try:
            return self._queue.get(timeout=self._timeout_seconds)
        except queue.Empty:
            if self._failure is not None:
                raise MicrophoneError(
                    "the microphone's reader died", received=f"{type(self._failure).__name__}: {self._failure}"
                ) from self._failure
            return Gap("no sound arrived", self._clock.monotonic_seconds(), self._timeout_seconds)

    def close(self) -> None:
        self._stopping.set()
        # A frozen sound server never returns: do not wait for it for ever, the process is about to end.
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            _close_quietly(self._stream, self._library)
        else:
            # sounddevice would wait for that server when the process ends; so the process would never end.
            atexit.unregister(getattr(self._library, "_exit_handler", self.close))

    def _open(self) -> tuple[Any, int]:
        """A started stream and its rate."""
        problem: Exception | None = None
        stable = _CARD.sub("", self._device) if self._device else None
        for name in dict.fromkeys((self._device, stable)):
            for rate_hz in (SAMPLE_RATE_HZ, None):
                try:
                    return self._open_at(name, rate_hz)
                except (self._library.PortAudioError, ValueError) as error:
                    problem = error
        raise MicrophoneError(
            "the microphone cannot be opened",
            where=f"microphone.device = {self._device or 'default'}",
            received=problem,
            allowed="part of a name that `voicelatch microphones` lists",
            next_step="plug it in, check group audio, or name another device",
        ) from problem

    def _open_at(self, name: str | None, asked_hz: int | None) -> tuple[Any, int]:
        """At the rate asked for, or the device's own."""
        rate_hz = asked_hz or round(self._library.query_devices(name, "input")["default_samplerate"])
        stream = self._library.RawInputStream(
            samplerate=rate_hz, blocksize=round(rate_hz * BLOCK_SECONDS), device=name, channels=1, dtype="int16"
        )
        try:
            stream.start()
        except self._library.PortAudioError:
            # Left open it would hold the device against the next attempt.
            _close_quietly(stream, self._library)
            raise
        return stream, rate_hz

    def _record(self) -> None:
        try:
            self._read_on()
        except Exception as error:
            # A thread that died would look like a frozen server; this way it is said at the next read.
            self._failure = error

    def _read_on(self) -> None:
        resampler, cutter = StreamResampler(self.rate_hz), FrameCutter()
        while not self._stopping.is_set():
            try:
                content, overflowed = self._stream.read(round(self.rate_hz * BLOCK_SECONDS))
            except self._library.PortAudioError as error:
                self._put(Gap(f"the microphone was lost: {error}", self._clock.monotonic_seconds()))
                if not self._reopen():
                    return
                resampler, cutter = StreamResampler(self.rate_hz), FrameCutter()
                continue
            now = self._clock.monotonic_seconds()
            if overflowed:
                self._put(Gap("the sound driver overflowed", now))
                resampler, cutter = StreamResampler(self.rate_hz), FrameCutter()
            samples = np.frombuffer(content, dtype=np.int16)
            for frame in cutter.push(resampler.push(samples), now):
                self._put(frame)

    def _put(self, item: Frame | Gap) -> None:
        """Queue an item; when the door is too slow, what does not fit becomes one Gap, in its place in time."""
        if self._lost_since_seconds is not None:
            lost = self._clock.monotonic_seconds() - self._lost_since_seconds
            try:
                self._queue.put_nowait(Gap("the door was too slow", self._clock.monotonic_seconds(), lost))
            except queue.Full:
                return
            self._lost_since_seconds = None
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._lost_since_seconds = self._clock.monotonic_seconds()

    def _reopen(self) -> bool:
        """Open the device again; False when asked to stop meanwhile."""
        wait_seconds = FIRST_WAIT_SECONDS
        _close_quietly(self._stream, self._library)
        while not self._stopping.wait(wait_seconds):
            try:
                # PortAudio keeps its list of devices from its start: only a new start sees a device that came back.
                _end_quietly(self._library)
                self._library._initialize()
                self._stream, self.rate_hz = self._open()
            except (MicrophoneError, self._library.PortAudioError) as error:
                self._put(Gap(f"the microphone is absent: {error}", self._clock.monotonic_seconds(), wait_seconds))
                wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
            else:
                return True
        return False


def _close_quietly(stream: Any, library: Any) -> None:
    try:
        stream.close()
    except library.PortAudioError:
        # A stream whose device is gone may refuse even this; there is nothing left to release.
        return


def _end_quietly(library: Any) -> None:
    try:
        library._terminate()
    except library.PortAudioError:
        # Where the last start failed there is nothing to end, and the next start must not fail for that.
        return
