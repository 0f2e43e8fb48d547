"""What the page needs of the door, as a port: the page has no file of the daemon's, and asks for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Protocol

from device.enrolment.progress import Progress, Role
from device.ports import Microphone
from device.service.kept_clips import KeptClip, Label
from device.sound.pcm import Samples
from device.web.words import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipList:
    """``clips`` that wait for a label, newest first, of ``count``; ``are_kept``: the door keeps new ones; ``people``:
    whom a clip may be said to be."""

    are_kept: bool
    people: tuple[str, ...]
    clips: tuple[KeptClip, ...]
    count: int


class DoorClient(Protocol):
    """Events, clips and recordings of the door. Every method may take seconds, and raises
    :class:`~device.errors.DataError` for what is not there or not allowed, :class:`~device.errors.StateError` for what
    cannot be read or written, :class:`~device.errors.LiveError` where the daemon is away."""

    def events(self, *, kinds: Sequence[str], since: datetime, until: datetime, most: int) -> Sequence[Told]:
        """The newest ``most`` of ``kinds`` (none: any) between two times, newest first."""
        ...

    def event(self, n: int) -> Told | None: ...

    def clips(self) -> ClipList: ...

    def clip_audio(self, name: str) -> bytes:
        """A kept clip, a WAV file."""
        ...

    def label_clip(self, name: str, label: Label) -> None: ...

    def delete_clip(self, name: str) -> None: ...

    def progress(self) -> Sequence[Progress]: ...

    def of(self, role: Role, person: str) -> Progress: ...

    def save_take(self, samples: Samples, role: Role, person: str) -> PurePosixPath:
        """Keep a recording, int16 ``(n,)`` at 16 kHz, with those of today; its place below the recordings."""
        ...

    def listen(self) -> Microphone:
        """The door's microphone; no voice opens the door as long as it is open."""
        ...
