"""What the study of the spectrogram tries: each setting differs in one thing from the one it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from device.sound.logmel import FrontendSpec
from device.sound.pcm import CLIP_SECONDS

DOOR, SPEECH, BLIND = "door", "speech", "blind"
BANDS = (("mel", 20), ("mel", 40), ("mel", 64), ("mel", 96), ("mel", 128), ("linear", 64), ("linear", 128))
SECONDS = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Setting:
    """``cut``: ``door`` (the segmenter's clips, short ones filled), ``speech`` (the same sound joined and cut into
    ``seconds``) or ``blind`` (the recordings cut into ``seconds``, whatever they hold). ``against``: the name of the
    setting it is compared with, "" for one that others are compared with."""

    name: str
    axis: str
    frontend: FrontendSpec
    cut: str = DOOR
    seconds: float = CLIP_SECONDS
    against: str = ""


def settings(base: FrontendSpec) -> Sequence[Setting]:
    """All of them, those that others are compared with before those others."""
    shipped = f"{base.scale} {base.mel_bands}"
    joined = f"{CLIP_SECONDS:g} s"
    found = [Setting(shipped, "bands", base), Setting(joined, "length", base, SPEECH)]
    for scale, bands in BANDS:
        name = f"{scale} {bands}"
        if name != shipped:
            found.append(Setting(name, "bands", replace(base, scale=scale, mel_bands=bands), against=shipped))
    other = replace(base, remove_band_mean=not base.remove_band_mean)
    kept = "removed" if other.remove_band_mean else "kept"
    found.append(Setting(f"{shipped}, bands' means {kept}", "bands", other, against=shipped))
    found += [
        Setting(f"{each:g} s", "length", base, SPEECH, each, against=joined) for each in SECONDS if each != CLIP_SECONDS
    ]
    found.append(Setting("silence left in, cut blindly", "silence", base, BLIND, against=shipped))
    return found
