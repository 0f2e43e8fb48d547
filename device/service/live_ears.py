"""The running daemon's microphone, through its live feed: the door goes on hearing while somebody records or looks."""

from __future__ import annotations

from pathlib import Path

from device.errors import LiveError, MicrophoneError
from device.live.reader import LiveReader, frame_of
from device.ports import Clock
from device.sound.pcm import Frame, Gap

WAIT_SECONDS = 0.5


class LiveMicrophone:
    """:class:`~device.ports.Microphone` over the daemon's feed at the socket ``path``.

    ``hold``: no voice opens the door as long as this is open. Raises :class:`LiveError` where no daemon answers,
    or does not give its sound to this user; ``read`` raises :class:`MicrophoneError` once the daemon is gone.
    """

    def __init__(self, path: Path, *, clock: Clock, hold: bool) -> None:
        self._reader = LiveReader(path, topics=("audio",), hold=hold)
        self._clock = clock
        self._next: int | None = None
        self._frame: Frame | None = None

    def read(self) -> Frame | Gap | None:
        if self._frame is not None:
            frame, self._frame = self._frame, None
            return frame
        try:
            message = self._reader.read(timeout_seconds=WAIT_SECONDS)
        except TimeoutError:
            return Gap("no sound arrived", self._clock.monotonic_seconds(), WAIT_SECONDS)
        except LiveError as error:
            raise MicrophoneError(
                "the daemon, whose microphone this is, is gone", received=error.what, next_step="see its journal"
            ) from error
        if message["kind"] == "audio_gap":
            return Gap("the daemon's sound has a gap", self._clock.monotonic_seconds())
        if message["kind"] != "audio":
            return Gap(f"the daemon said something else: {message['kind']}", self._clock.monotonic_seconds())
        frame, number = frame_of(message), int(message["number"])
        skipped = self._next is not None and number != self._next
        self._next = number + 1
        if skipped:
            # Numbers without a break mean sound without a break.
            self._frame = frame
            return Gap("the daemon's sound has a gap", self._clock.monotonic_seconds())
        return frame

    def close(self) -> None:
        self._reader.close()
