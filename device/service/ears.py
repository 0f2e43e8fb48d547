"""How the tools at the door hear: the door's own microphone while no daemon has it, or files in its stead."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigError, LiveError, MicrophoneError
from device.ports import Clock, Microphone
from device.service.config import read_config
from device.service.status import DEFAULT_FOLDER, look, runtime_folder
from device.service.where import DEFAULT_CONFIG, live_socket

STOP = "run it as root or as the daemon's user; or stop the daemon: sudo systemctl stop voicelatch, afterwards start"


@dataclass(frozen=True, slots=True)
class Ears:
    """A microphone, the clock its frames are dated by, and its ``name`` for people."""

    microphone: Microphone
    clock: Clock
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--config``, ``--microphone``, ``--simulate``, ``--wav`` and ``--runtime-dir``."""
    parser.add_argument("--config", type=Path, default=None,
                        help=f"the daemon's configuration (default: {DEFAULT_CONFIG} where there is one)")  # fmt: skip
    parser.add_argument("--microphone", default=None, metavar="NAME", help="part of its name (default: the configured)")
    parser.add_argument("--simulate", action="store_true", help="no microphone: play --wav, or silence, in real time")
    parser.add_argument("--wav", type=Path, nargs="*", default=[], help="what the simulated microphone hears")
    parser.add_argument("--runtime-dir", type=Path, default=None,
                        help="folder of the daemon's status.json (default: systemd's)")  # fmt: skip


def config_path(arguments: argparse.Namespace) -> Path | None:
    """The configuration asked for, or the installed one, or None."""
    asked: Path | None = arguments.config
    return asked if asked is not None else DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def open_ears(arguments: argparse.Namespace, *, hold: bool = False) -> Ears:
    """The simulated microphone, the running daemon's (``hold``: no voice opens the door meanwhile), or the door's own.

    Raises :class:`MicrophoneError` where there is none, or the daemon has it and does not share it.
    """
    from device.hardware.clock import SystemClock

    clock = SystemClock()
    if arguments.wav and not arguments.simulate:
        raise ConfigError("files are heard by a simulated microphone alone", where="--wav", next_step="add --simulate")
    if arguments.simulate:
        return simulated(arguments.wav, clock)
    folder = runtime_folder(arguments.runtime_dir) or DEFAULT_FOLDER
    if look(folder).listening:
        return _of_the_daemon(folder, clock, hold=hold)
    from device.hardware.microphone import SounddeviceMicrophone

    path = config_path(arguments)
    device = arguments.microphone
    if device is None:
        device = read_config(path).microphone.device if path is not None else ""
    return Ears(SounddeviceMicrophone(device or None, clock=clock), clock, device or "the system's default input")


@contextmanager
def opened(arguments: argparse.Namespace, *, hold: bool = False) -> Iterator[Ears]:
    """:func:`open_ears`, closed again however it ends: PortAudio does not survive a process that ends without."""
    ears = open_ears(arguments, hold=hold)
    try:
        yield ears
    finally:
        ears.microphone.close()


def simulated(wavs: Sequence[Path], clock: Clock) -> Ears:
    """The files one after another, silence around each; a minute of silence without any."""
    from device.simulated.microphone import Segment, SimulatedMicrophone, silence

    segments: list[Segment] = [silence(1.0 if wavs else 60.0)]
    for path in wavs:
        segments += [path, silence(2.0)]
    return Ears(SimulatedMicrophone(segments, clock=clock), clock, "a simulated one")


def _of_the_daemon(folder: Path, clock: Clock, *, hold: bool) -> Ears:
    from device.service.live_ears import LiveMicrophone

    try:
        microphone = LiveMicrophone(live_socket(folder), clock=clock, hold=hold)
    except LiveError as error:
        raise MicrophoneError(
            "the daemon has the microphone, and does not share its sound", where=error.where, received=error.what,
            next_step=STOP,
        ) from error  # fmt: skip
    return Ears(microphone, clock, "the running daemon's" + (" (no voice opens the door meanwhile)" if hold else ""))
