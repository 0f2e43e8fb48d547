"""A microphone that delivers nothing: muted, stuck, or repeating itself. The door lives on, hears nobody, says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from device.service.status import StatusFile
from device.sound.novelty import Novelty
from device.sound.pcm import Frame

# A pause in which a clever microphone sends zeros is shorter.
SILENT_SECONDS = 60.0


@dataclass(slots=True)
class MicrophoneHealth:
    """``problem``: what has been wrong with the sound for ``silent_seconds``, in words; empty while it is right."""

    silent_seconds: float = SILENT_SECONDS
    problem: str = ""
    _novelty: Novelty = field(default_factory=Novelty)
    _was_silent_seconds: float = 0.0

    def look(self, frame: Frame, *, tell: Callable[..., None], status: StatusFile) -> None:
        """Take the next frame. The beginning of a silence and its end are told as events and in the status."""
        self._novelty.push(frame)
        stale_seconds = self._novelty.stale_seconds
        if self.problem and stale_seconds == 0.0:
            # First the file: whoever hears the event may look at it.
            status.microphone("")
            tell("microphone_back", reason=f"after: {self.problem}", silent_seconds=round(self._was_silent_seconds, 1))
            self.problem = ""
        elif not self.problem and stale_seconds >= self.silent_seconds:
            self.problem = self._novelty.reason
            status.microphone(self.problem)
            tell("microphone_silent", reason=self.problem, silent_seconds=round(stale_seconds, 1))
        self._was_silent_seconds = stale_seconds
