"""A loudspeaker through sounddevice, in a process of its own: a sound system that hangs or crashes takes that with it.

The microphone starts PortAudio anew when its device was lost, which would pull an open output from under another
thread; so the output lives elsewhere. The process reads one signal a line and plays it, and ends with its standard
input.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from device.errors import IndicatorError, RuntimeMissingError
from device.ports import Signal
from device.sound.tones import Note, melody

RATE_HZ = 48_000
CLOSE_SECONDS = 1.0
# Short: the microphone hears them. Rising for yes, falling for no, a question for more.
TUNES = {
    Signal.LISTENING: (Note(660.0, 0.08),),
    Signal.GRANTED: (Note(660.0, 0.1), Note(990.0, 0.2)),
    Signal.REFUSED: (Note(330.0, 0.15), Note(220.0, 0.25)),
    Signal.SAY_MORE: (Note(550.0, 0.08), Note(0.0, 0.06), Note(550.0, 0.08)),
}


class Speaker:
    """:class:`~device.ports.Indicator` on the output whose name contains ``device`` (empty: the default one).

    ``volume`` 0..1. A player that died is started anew for the next signal, and :meth:`show` raises
    :class:`IndicatorError` when it cannot be handed one.
    """

    audible = True

    def __init__(self, device: str = "", *, volume: float = 0.3, command: Iterable[str] = ()) -> None:
        self._command = [*command] or [sys.executable, "-m", "device.hardware.speaker", device, str(volume)]
        self._player: subprocess.Popen[bytes] | None = None
        self._closed = False

    def show(self, signal: Signal) -> None:
        if self._closed:
            return
        try:
            player = self._player
            if player is None or player.poll() is not None:
                self._end()
                player = self._player = subprocess.Popen(self._command, stdin=subprocess.PIPE)
            assert player.stdin is not None
            player.stdin.write(f"{signal.value}\n".encode())
            player.stdin.flush()
        except OSError as error:
            self._end()
            raise IndicatorError("the loudspeaker's process takes nothing", received=error) from error

    def close(self) -> None:
        self._closed = True
        self._end()

    def _end(self) -> None:
        player, self._player = self._player, None
        if player is None:
            return
        player.terminate()
        try:
            player.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            # It hangs in the sound system.
            player.kill()
            player.wait()
        finally:
            if player.stdin is not None:
                try:
                    player.stdin.close()
                except OSError:
                    # What it had not taken goes with it.
                    player.stdin = None


def find_output(device: str, library: Any | None = None) -> str:
    """The name of the output that :class:`Speaker` would use; nothing is played. Raises :class:`IndicatorError` where
    there is none, :class:`RuntimeMissingError` without PortAudio. ``library`` hands in another sounddevice (tests)."""
    try:
        library = importlib.import_module("sounddevice") if library is None else library
    except (ImportError, OSError) as error:
        raise RuntimeMissingError("PortAudio is not installed", where="signals.sound", received=error,
                                  next_step="sudo apt install libportaudio2") from error  # fmt: skip
    try:
        return str(library.query_devices(device or None, "output")["name"])
    except (library.PortAudioError, ValueError) as error:
        raise IndicatorError(
            "there is no such output for tones", where=f"signals.sound_device = {device or 'default'}", received=error,
            allowed="part of a name that `aplay -l` lists", next_step="plug it in, or name another output",
        ) from error  # fmt: skip


def play(lines: Iterable[str], device: str, volume: float, library: Any) -> None:
    """The player: each line of ``lines`` that names a signal is played, and waited for."""
    tunes = {each.value: melody(notes, rate_hz=RATE_HZ, volume=volume) for each, notes in TUNES.items()}
    for line in lines:
        tune = tunes.get(line.strip())
        if tune is None:
            continue
        # Opened for each tune: an output that is not open is nobody's burden, and one that came back is found.
        with library.RawOutputStream(samplerate=RATE_HZ, channels=1, dtype="int16", device=device or None) as stream:
            stream.write(tune.tobytes())


if __name__ == "__main__":
    play(sys.stdin, sys.argv[1], float(sys.argv[2]), importlib.import_module("sounddevice"))
