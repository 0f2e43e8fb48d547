"""Lines that change in place in a terminal, and plain lines, less often, where there is none (a pipe, a file)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from device.terminal.bars import fitted

REDRAW_SECONDS = 0.1
PLAIN_SECONDS = 1.0
_UP_AND_CLEAR = "\x1b[{rows}F\x1b[J"


def is_terminal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the cursor can be moved there."""
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb")


@dataclass(slots=True, kw_only=True)
class Screen:
    """``live``: redraw in place; else :meth:`show` prints its plain line. No line is longer than the terminal is wide,
    so that what is to be cleared is as many rows as there are lines."""

    out: TextIO
    live: bool
    columns: int = 0
    _rows: int = field(default=0, init=False)
    _shown_at_seconds: float = field(default=float("-inf"), init=False)

    @property
    def width(self) -> int:
        """In characters; one less than there are columns: the last one makes some terminals begin a new line."""
        return max(20, (self.columns or shutil.get_terminal_size((80, 24)).columns) - 1)

    def due(self, *, now_seconds: float) -> bool:
        """Whether it is time to draw again."""
        return now_seconds - self._shown_at_seconds >= (REDRAW_SECONDS if self.live else PLAIN_SECONDS) - 1e-9

    def show(self, lines: Sequence[str], plain: str, *, now_seconds: float) -> None:
        """Replace what was shown before by ``lines``, or print ``plain`` (nothing for an empty one)."""
        self._shown_at_seconds = now_seconds
        if not self.live:
            if plain:
                print(plain, file=self.out, flush=True)
            return
        self._clear()
        for line in lines:
            self.out.write(fitted(line, self.width) + "\n")
        self._rows = len(lines)
        self.out.flush()

    def say(self, text: str) -> None:
        """A line that stays, above what changes."""
        self._clear()
        print(text, file=self.out, flush=True)
        self._shown_at_seconds = float("-inf")

    def _clear(self) -> None:
        if self._rows:
            self.out.write(_UP_AND_CLEAR.format(rows=self._rows))
        self._rows = 0
