"""What is seen of a recording session: in place in a terminal, plain lines in a pipe, JSON lines for a program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from device.enrolment.prompts import Prompt
from device.enrolment.takes import Judged
from device.service.levels_view import level_line
from device.service.record import View
from device.terminal.bars import bar, folded
from device.terminal.screen import Screen

PROMPT_LINES = 4


def session_lines(view: View, width: int) -> list[str]:
    """The whole view, each line at most ``width`` characters."""
    if view.prompt is not None:
        lines = ["", *folded(f"“{view.prompt.text}”", width - 2, indent="  ")]
        lines += folded(f"{view.prompt.manner.name}: {view.prompt.manner.hint}", width - 4, indent="    ")
    else:
        lines = ["", "  Background: nobody speaks, the door does what it does."]
    lines += [""] * (PROMPT_LINES - len(lines)) + ["", level_line(view.levels)]
    state = "recording" if view.speaking else "waiting for a voice"
    share = view.today_seconds / view.target_seconds
    lines.append(
        f"today [{bar(share, 20)}] {min(99 if share < 1 else 100, int(100 * share)):3d} %  "
        f"{view.today_seconds:.0f} of {view.target_seconds:.0f} s   in all {view.progress.percent} % of enough"
    )
    lines.append(f"{state}; kept {view.kept}, refused {view.refused}; Ctrl-C ends it, what was kept stays")
    return lines + folded(view.said, width)


@dataclass(slots=True)
class TerminalDisplay:
    """A :class:`~device.service.record.Display` for people."""

    screen: Screen
    _asked: tuple[int, str] = (-1, "")

    def show(self, view: View, *, now_seconds: float) -> None:
        if not self.screen.live:
            self._ask(view)
        elif self.screen.due(now_seconds=now_seconds):
            self.screen.show(session_lines(view, self.screen.width), "", now_seconds=now_seconds)

    def _ask(self, view: View) -> None:
        """Without a terminal, each prompt is a line; so is each take."""
        asked = (view.number, view.prompt.text if view.prompt is not None else "the background; nobody speaks")
        if asked != self._asked:
            self._asked = asked
            how = f" ({view.prompt.manner.hint})" if view.prompt is not None else ""
            self.screen.say(f"please say: {asked[1]}{how}" if view.prompt is not None else f"recording {asked[1]}")

    def took(self, judged: Judged, prompt: Prompt | None, path: Path | None) -> None:
        if self.screen.live:
            # The view itself says so, until the next take.
            return
        figures = f"{judged.speech_seconds:.1f} s of speech, {judged.snr_db:.0f} dB above the noise"
        self.screen.say(f"kept {path}: {figures}" if path is not None else f"refused, {judged.problem}")

    def lost(self, reason: str) -> None:
        if not self.screen.live:
            self.screen.say(f"lost, sound is missing: {reason}")


@dataclass(slots=True)
class JsonDisplay:
    """One JSON object a take."""

    screen: Screen

    def show(self, view: View, *, now_seconds: float) -> None:
        """Levels are for people."""

    def took(self, judged: Judged, prompt: Prompt | None, path: Path | None) -> None:
        told = {
            "kept": str(path) if path is not None else "",
            "prompt": prompt.text if prompt is not None else "",
            "manner": prompt.manner.name if prompt is not None else "",
            **asdict(judged),
        }
        self.screen.say(json.dumps(told, ensure_ascii=False))

    def lost(self, reason: str) -> None:
        self.screen.say(json.dumps({"kept": "", "problem": f"sound is missing: {reason}"}))
