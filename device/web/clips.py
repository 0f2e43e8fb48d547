"""Kept clips as the page needs them: to hear them, and to say who it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device.ports import Clock
from device.service.config import Config
from device.service.kept_clips import KeptClip, Label, clip_path, delete_clip, label_clip, list_clips, people_of


@dataclass(frozen=True, slots=True)
class Clips:
    """The clips below the daemon's state directory; ``config`` names the bundle, whose residents can be said.

    Raises :class:`~device.errors.DataError` for what is no clip or no such person, and
    :class:`~device.errors.StateError` where the folder cannot be read or written.
    """

    config: Config
    state: Path
    clock: Clock

    @property
    def are_kept(self) -> bool:
        return self.config.privacy.keep_clips

    def people(self) -> tuple[str, ...]:
        """Whom a clip may be said to be."""
        return people_of(self.config, self.state)

    def waiting(self, people: Sequence[str]) -> Sequence[KeptClip]:
        """Those that nobody has labelled yet, newest first."""
        return list_clips(self.state, people)[::-1]

    def path(self, name: str) -> Path:
        return clip_path(self.state, name)

    def label(self, name: str, label: Label) -> None:
        """Say who it was; the clip goes to the recordings, where the next training finds it."""
        label_clip(self.state, name, label, people=self.people(), now=self.clock.wall_time())

    def delete(self, name: str) -> None:
        delete_clip(self.state, name)
