"""Clips that are kept because the configuration asks for it, and files that belong to somebody.

Everything lies in the daemon's state directory, in folders that only its user can open. A clip's name says when it was
heard, whose voice it was most like and what was decided, so that a person's clips can be found and forgotten.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from device.names import normalise, same_name
from device.ports import Clock
from device.service.background import Background
from device.service.clip_ages import ClipAges
from device.service.elapsed import DAY_SECONDS, moment_of
from device.service.guard_settings import PrivacyConfig
from device.sound.pcm import Clip
from device.sound.wavfile import write_wav
from device.verdict.values import Decision

CLIPS = "clips"
# Recordings made at the door: one folder a person, at any depth below this one.
RECORDINGS = "recordings"


@dataclass(slots=True, kw_only=True)
class ClipKeeper:
    """A :class:`~device.verdict.guards.Keeper` in ``folder``; the writing is done in the background.

    The oldest clips go when there are more than the configured megabytes or days of them, by the time that has passed
    and not by their dates.
    """

    folder: Path
    config: PrivacyConfig
    clock: Clock
    background: Background
    _count: int = field(default=0, init=False)
    _ages: ClipAges = field(init=False)

    def __post_init__(self) -> None:
        self._ages = ClipAges(self.folder.with_name(f"{self.folder.name}.ages.json"))

    def keep(self, clip: Clip, decision: Decision) -> str:
        now, moment = self.clock.wall_time(), moment_of(self.clock)
        self._count += 1
        # The count keeps two clips of one instant apart, whatever the calendar does.
        name = f"{now:%Y%m%dT%H%M%S.%f}-{self._count}-{safe(decision.resident)}-{decision.outcome.value}.wav"
        samples = clip.samples.copy()

        def write() -> None:
            make_private(self.folder)
            # Nobody else can enter the folder, so that the file is private from its first moment.
            write_wav(self.folder / name, samples)
            (self.folder / name).chmod(0o600)
            ages = self._ages.ages_of((path.name for path in self.folder.glob("*.wav")), moment)
            thin_out(self.folder, ages, max_bytes=round(self.config.max_megabytes * 1e6),
                     keep_seconds=DAY_SECONDS * self.config.keep_days)  # fmt: skip

        return name if self.background.submit(write) else ""


def safe(person: str) -> str:
    """A person's name as part of a file's name; different names stay different, and one name is one."""
    person = normalise(person)
    return "".join(letter if letter.isalnum() else f"%{ord(letter):x}" for letter in person)


def make_private(folder: Path) -> None:
    """Make ``folder`` for its owner alone, also where it exists."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def thin_out(folder: Path, ages: Mapping[str, float], *, max_bytes: int, keep_seconds: float) -> None:
    """Delete clips of more than ``keep_seconds`` by ``ages`` (seconds, by name), then the oldest until ``max_bytes``
    are left. Of one age, the later name is the newer one."""
    sizes = {name: (folder / name).stat().st_size for name in ages}
    total = sum(sizes.values())
    for name in sorted(ages, key=lambda each: (-ages[each], each)):
        if ages[name] > keep_seconds or total > max_bytes:
            (folder / name).unlink()
            total -= sizes[name]


def files_of(state: Path, person: str) -> list[Path]:
    """Kept clips most like ``person``, and the folders of their recordings, below the state directory."""
    pattern = re.compile(rf"[^-]+-\d+-{re.escape(safe(person))}-[a-z_]+\.wav")
    clips = [path for path in sorted((state / CLIPS).glob("*.wav")) if pattern.fullmatch(path.name)]
    # Not the roles' own folders, such as `allowed`: nobody is called that.
    below = sorted((state / RECORDINGS).glob("*/**/*"))
    folders = [path for path in below if path.is_dir() and same_name(path.name, person)]
    return clips + folders


def remove(path: Path) -> None:
    """A file, or a folder with all that is in it. A link is removed, not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
