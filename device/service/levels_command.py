"""``voicelatch levels``: a live level meter at the door's microphone."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from device.ports import SpeechDetector
from device.service.ears import Ears, add_arguments, opened
from device.service.levels_view import level_line, levels_table
from device.settings import within
from device.sound.measures import SILENT_DBFS
from device.sound.meter import Levels, Meter
from device.sound.pcm import Frame
from device.sound.vad import VadSpec, WebRtcDetector
from device.terminal.screen import PLAIN_SECONDS, Screen, is_terminal

EXIT_CODES = (
    "Exit codes: 0 sound was heard, 1 nothing but digital silence or no sound at all, 2 wrong command line, "
    "69 no microphone, 78 wrong configuration."
)
# Beneath this there is not even a microphone's own noise: muted, or a loopback.
MUTE_DBFS = -100.0


class Watch:
    """Listens and shows, until the input ends, ``seconds`` are over or somebody interrupts."""

    def __init__(self, ears: Ears, detector: SpeechDetector, screen: Screen, *, as_json: bool) -> None:
        self._ears, self._detector, self._screen, self._as_json = ears, detector, screen, as_json
        self._meter = Meter()
        self.loudest_dbfs = SILENT_DBFS
        self.clipped = False
        self.gaps = 0

    def run(self, *, seconds: float) -> None:
        clock = self._ears.clock
        until_seconds = clock.monotonic_seconds() + seconds
        while clock.monotonic_seconds() < until_seconds:
            item = self._ears.microphone.read()
            if item is None:
                return
            if not isinstance(item, Frame):
                self.gaps += 1
                self._detector.reset()
                self._meter.reset()
                said = f"sound is missing: {item.reason}"
                self._screen.say(json.dumps({"gap": item.reason}) if self._as_json else said)
                continue
            levels = self._meter.push(item, self._detector.is_speech(item))
            self.loudest_dbfs = max(self.loudest_dbfs, levels.level_dbfs)
            self.clipped |= levels.clipped
            now = clock.monotonic_seconds()
            if self._screen.due(now_seconds=now):
                plain = json.dumps(levels_table(levels)) if self._as_json else level_line(levels)
                self._screen.show(self._lines(levels), plain, now_seconds=now)

    def _lines(self, levels: Levels) -> list[str]:
        return [
            level_line(levels),
            f"peak {levels.peak_dbfs:.0f} dBFS; loudest so far {self.loudest_dbfs:.0f}; "
            f"{'it HAS CLIPPED' if self.clipped else 'never clipped'}; {self.gaps} gaps; Ctrl-C ends",
        ]

    def told(self) -> str:
        """What it came to, in a sentence for whoever turns the knob."""
        if self.loudest_dbfs < MUTE_DBFS:
            return "Digital silence: is the microphone muted, or is it the wrong one (device microphones --listen 5)?"
        if self.clipped:
            return "It clipped: turn the microphone down (alsamixer, F4 for capture), or speak from further away."
        return f"Loudest {self.loudest_dbfs:.0f} dBFS, never clipped."


def _command(arguments: argparse.Namespace) -> int:
    within("--seconds", arguments.seconds, 1.0, 86_400.0)
    screen = Screen(out=sys.stdout, live=is_terminal(sys.stdout) and not arguments.json)
    watch: Watch | None = None
    try:
        with opened(arguments) as ears:
            watch = Watch(ears, WebRtcDetector(VadSpec()), screen, as_json=arguments.json)
            if not arguments.json:
                print(f"Microphone: {ears.name}")
            watch.run(seconds=arguments.seconds)
    except KeyboardInterrupt:
        # How it is meant to end.
        print("", file=sys.stderr)
    if watch is None:
        return 1
    if not arguments.json:
        print(watch.told())
    return 0 if watch.loudest_dbfs >= MUTE_DBFS else 1


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``levels`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "A live level meter: level, peak, clipping, noise floor, how far speech stands above it, speech or not."
    parser: argparse.ArgumentParser = commands.add_parser(
        "levels", help=text, description=text,
        epilog=f"Example: python -m device levels. {EXIT_CODES}",
    )  # fmt: skip
    add_arguments(parser)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (default: an hour)")
    parser.add_argument("--json", action="store_true", help=f"one JSON object every {PLAIN_SECONDS:g} s")
    parser.set_defaults(action=_command)
    return parser
