"""A line that moves while a scan listens; nothing where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from device.terminal.bars import bar
from device.terminal.screen import Screen


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the scan is. ``done_seconds`` and ``all_seconds`` are of recordings; ``clock`` gives real seconds."""

    screen: Screen
    all_seconds: float
    clock: Callable[[], float]
    started_at_seconds: float
    done_seconds: float = 0.0

    def heard(self, seconds: float, file: str) -> None:
        """That much more, of this file."""
        self.done_seconds += seconds
        now = self.clock()
        if self.screen.live and self.screen.due(now_seconds=now):
            self.screen.show([self.line(), file], "", now_seconds=now)

    def line(self) -> str:
        """A bar, the share that is done, speed and what is left of it."""
        share, speed = self.done_seconds / max(self.all_seconds, 1e-9), self.speed()
        left = f"{(self.all_seconds - self.done_seconds) / speed / 60.0:.1f} min left" if speed else ""
        return f"{bar(share, 30)} {share:4.0%}  {speed:.0f} x real time  {left}"

    def speed(self) -> float:
        """Seconds of recordings in a second."""
        return self.done_seconds / max(self.clock() - self.started_at_seconds, 1e-9)

    def clear(self) -> None:
        """Take the line away."""
        if self.screen.live:
            self.screen.show([], "", now_seconds=self.clock())
