"""Which microphone? Listen to every input while somebody speaks, and take the one in which speech stands out most."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from device.errors import MicrophoneError
from device.ports import Clock, Microphone
from device.sound.pcm import Frame, level_dbfs

# Below this there is not even a microphone's own noise: muted, or a loopback.
SILENT_DBFS = -100.0
# PortAudio appends ALSA's card number, which another boot may give to another card.
_CARD = re.compile(r":?\s*(?:-\s*)?\(hw:\d+,\d+\)\s*$")
# ALSA's names for whatever is the default, and things that are not microphones.
_NOT_A_DEVICE = ("default", "sysdefault", "pulse", "pipewire", "jack", "dmix", "front", "surround", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One input: its stable ``name``, and the levels of its quiet and loud moments (10th and 95th percentile, dBFS);
    ``problem`` says why nothing was heard."""

    name: str
    quiet_dbfs: float = -120.0
    loud_dbfs: float = -120.0
    problem: str = ""

    @property
    def contrast_db(self) -> float:
        """How far speech stands out; 0 where nothing was heard."""
        return 0.0 if self.problem else self.loud_dbfs - self.quiet_dbfs


def stable_name(name: str) -> str:
    """A device's name without its card number: what to write into the configuration."""
    return _CARD.sub("", name).strip()


def listen(names: Sequence[str], seconds: float, clock: Clock, make: Callable[[str], Microphone]) -> list[Heard]:
    """Listen to each input in turn for ``seconds``; ``make`` opens one by its name. What cannot be opened is told."""
    return [_listen(name, seconds, clock, make) for name in names]


def _listen(name: str, seconds: float, clock: Clock, make: Callable[[str], Microphone]) -> Heard:
    short = stable_name(name)
    try:
        microphone = make(name)
    except MicrophoneError as error:
        return Heard(name=short, problem=error.what)
    try:
        levels: list[float] = []
        until_seconds = clock.monotonic_seconds() + seconds
        while clock.monotonic_seconds() < until_seconds:
            item = microphone.read()
            if item is None:
                break
            if isinstance(item, Frame):
                levels.append(level_dbfs(item.samples))
    except MicrophoneError as error:
        return Heard(name=short, problem=error.what)
    finally:
        microphone.close()
    return heard(short, levels)


def heard(name: str, levels_dbfs: Sequence[float]) -> Heard:
    """From the levels of its frames."""
    if not levels_dbfs:
        return Heard(name=name, problem="it delivers no sound")
    ordered = sorted(levels_dbfs)
    quiet, loud = (ordered[round(share * (len(ordered) - 1))] for share in (0.10, 0.95))
    if loud < SILENT_DBFS:
        return Heard(name=name, quiet_dbfs=quiet, loud_dbfs=loud, problem="digital silence: is it muted?")
    return Heard(name=name, quiet_dbfs=quiet, loud_dbfs=loud)


def choose(found: Sequence[Heard]) -> Heard:
    """The input in which speech stands out most; a real device before one of ALSA's names for the default one.

    Raises :class:`MicrophoneError` where none heard anything, or where two real devices share the chosen name, since
    a name is all the configuration has.
    """
    fit = [each for each in found if not each.problem]
    if not fit:
        raise MicrophoneError(
            "no microphone hears anything",
            received="; ".join(f"{each.name}: {each.problem}" for each in found) or "no input at all",
            next_step="plug one in, unmute it (alsamixer), and check group audio",
        )
    best = max(fit, key=lambda each: (_is_device(each.name), each.contrast_db))
    if sum(each.name == best.name for each in found) > 1:
        raise MicrophoneError(
            "two microphones have the same name", received=best.name, next_step="unplug one, or name one in asound.conf"
        )
    return best


def _is_device(name: str) -> bool:
    return name.split(":")[0].strip().lower() not in _NOT_A_DEVICE
