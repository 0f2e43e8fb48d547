"""The loudspeaker of whoever listens to clips, through sounddevice (PortAudio). The door itself has none."""

from __future__ import annotations

from device.errors import RuntimeMissingError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples


class Loudspeaker:
    """Plays sound on the system's default output. Raises :class:`RuntimeMissingError` where there is none."""

    def __init__(self) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:
            raise RuntimeMissingError(
                "sound cannot be played here", where="loudspeaker", received=error,
                next_step="pip install sounddevice, and sudo apt install libportaudio2",
            ) from error  # fmt: skip
        self._sounddevice = sounddevice
        try:
            sounddevice.query_devices(kind="output")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _silent(error) from error

    def play(self, samples: Samples) -> None:
        """Play int16 ``(n,)`` at 16 kHz to its end; Ctrl-C ends it before."""
        try:
            self._sounddevice.play(samples, SAMPLE_RATE_HZ, blocking=True)
        except (self._sounddevice.PortAudioError, ValueError) as error:
            raise _silent(error) from error
        except KeyboardInterrupt:
            self._sounddevice.stop()
            raise


def _silent(error: Exception) -> RuntimeMissingError:
    return RuntimeMissingError("there is no loudspeaker", where="loudspeaker", received=error,
                               next_step="copy the clip to a machine that has one, or plug one in")  # fmt: skip
