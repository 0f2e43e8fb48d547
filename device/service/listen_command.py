"""``voicelatch listen``: see what the door hears and would decide. It never drives the relay.

While the daemon runs, its own hearing and decisions are shown, from the live feed. Otherwise the door's pipeline runs
here, on the same bundle and thresholds, with a simulated relay and without guards (replay, hours, button).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from device.errors import LiveError, MicrophoneError
from device.live.reader import LiveReader, frame_of
from device.ports import Clock, Event, SpeechDetector
from device.service.config import ModelConfig, PolicyConfig, policy_for, read_config
from device.service.ears import STOP, Ears, add_arguments, config_path, opened
from device.service.listen_view import Listening, decision_line, listening_lines
from device.service.pipeline import Door
from device.service.status import DEFAULT_FOLDER, look, runtime_folder
from device.service.trust import trust_of
from device.service.verified import verify
from device.service.where import live_socket
from device.simulated.relay import SimulatedRelay
from device.sound.meter import Levels, Meter
from device.sound.pcm import Frame, Gap
from device.sound.segmenter import Segmenter
from device.sound.vad import WebRtcDetector
from device.terminal.screen import Screen, is_terminal

EXIT_CODES = (
    "Exit codes: 0 done, 2 wrong command line, 65 unusable bundle or sound, 69 no microphone or the daemon is gone, "
    "78 wrong configuration."
)


@dataclass(slots=True)
class Observer:
    """Between a door and a screen: takes frames and events, shows what there is to be seen. Also an
    :class:`~device.ports.EventSink`."""

    screen: Screen
    clock: Clock
    as_json: bool
    seen: Listening = field(default_factory=lambda: Listening(levels=Levels()))
    _meter: Meter = field(default_factory=Meter)

    def frame(self, frame: Frame, speech: bool) -> None:
        self.seen = replace(self.seen, levels=self._meter.push(frame, speech))
        now = self.clock.monotonic_seconds()
        if self.screen.live and self.screen.due(now_seconds=now):
            self.screen.show(listening_lines(self.seen, self.screen.width), "", now_seconds=now)

    def forming(self, seconds: float) -> None:
        self.seen = replace(self.seen, forming_seconds=seconds)

    def gap(self) -> None:
        self._meter.reset()

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        if kind == "decision":
            opened = details.get("outcome") == "open"
            self.seen = replace(self.seen, decision=details, decisions=self.seen.decisions + 1,
                                openings=self.seen.openings + opened)  # fmt: skip
        if self.as_json:
            self.screen.say(json.dumps({"kind": kind, **details}, ensure_ascii=False, default=str))
        elif not self.screen.live and kind in ("decision", "gap"):
            missing = f"sound is missing: {details.get('reason')}"
            self.screen.say(decision_line(details) if kind == "decision" else missing)

    def record(self, event: Event) -> None:
        # The simulated relay's pulses are no news of this door.
        if event.kind not in ("relay_on", "relay_off"):
            self.event(event.kind, event.details)

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class Remembering:
    """:class:`~device.ports.SpeechDetector` that remembers the inner one's last word."""

    inner: SpeechDetector
    last: bool = False

    def is_speech(self, frame: Frame) -> bool:
        self.last = self.inner.is_speech(frame)
        return self.last

    def reset(self) -> None:
        self.inner.reset()


def watch_own(ears: Ears, observer: Observer, model: ModelConfig, policy: PolicyConfig) -> None:
    """Run the door here until the input ends. Raises a :class:`~device.errors.BundleError` for a bundle that is not
    fit, and what the microphone raises."""
    verified = verify(Path(model.bundle), runtime=model.runtime, trust=trust_of(model).where_nothing_opens())
    bundle, scorer = verified.bundle, verified.scorer
    detector, segmenter = Remembering(WebRtcDetector(bundle.vad)), Segmenter(bundle.segmenter)
    door = Door(
        microphone=ears.microphone, detector=detector, segmenter=segmenter, scorer=scorer,
        policy=policy_for(bundle, policy), relay=SimulatedRelay(ears.clock), clock=ears.clock, events=observer,
        open_seconds=3.0,
    )  # fmt: skip
    while (item := door.step()) is not None:
        if isinstance(item, Gap):
            observer.gap()
            continue
        observer.forming(segmenter.forming_seconds)
        observer.frame(item, detector.last)


def watch_daemon(messages: Iterator[Mapping[str, Any]], observer: Observer) -> None:
    """Show what the daemon tells, until ``messages`` end."""
    for message in messages:
        match message["kind"]:
            case "audio":
                observer.frame(frame_of(message), message.get("speech") is True)
            case "audio_gap":
                observer.gap()
            case "level":
                observer.forming(float(message.get("clip_seconds", 0.0)))
            case "event":
                told = dict(message["event"])
                observer.event(str(told.pop("kind", "?")), told)


def _messages(folder: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with LiveReader(live_socket(folder), topics=("audio", "level", "event")) as reader:
            while True:
                yield reader.read()
    except LiveError as error:
        raise MicrophoneError("the daemon does not tell what it hears", where=error.where, received=error.what,
                              next_step=STOP) from error  # fmt: skip


def _command(arguments: argparse.Namespace) -> int:
    from device.hardware.clock import SystemClock

    screen = Screen(out=sys.stdout, live=is_terminal(sys.stdout) and not arguments.json)
    folder = runtime_folder(arguments.runtime_dir) or DEFAULT_FOLDER
    try:
        if not arguments.simulate and look(folder).listening:
            _say(arguments, f"The running daemon ({folder}): what it hears and decides. This command opens nothing.")
            watch_daemon(_messages(folder), Observer(screen, SystemClock(), arguments.json))
        else:
            _watch_own(arguments, screen)
    except KeyboardInterrupt:
        # How it is meant to end.
        print("", file=sys.stderr)
    return 0


def _watch_own(arguments: argparse.Namespace, screen: Screen) -> None:
    path = config_path(arguments)
    config = read_config(path) if path is not None else None
    model = config.model if config is not None else ModelConfig(bundle="models")
    if arguments.bundle is not None:
        model = replace(model, bundle=str(arguments.bundle))
    policy = config.policy if config is not None else PolicyConfig()
    with opened(arguments) as ears:
        _say(arguments, f"Microphone: {ears.name}\nBundle: {model.bundle}\n"
                        "The relay is simulated: nothing opens. Not asked: replay, hours, button.")  # fmt: skip
        watch_own(ears, Observer(screen, ears.clock, arguments.json), model, policy)


def _say(arguments: argparse.Namespace, text: str) -> None:
    if not arguments.json:
        print(text)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``listen`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "See live what the door hears and would decide: level, clip, scores against the threshold. Opens nothing."
    parser: argparse.ArgumentParser = commands.add_parser(
        "listen", help=text, description=text,
        epilog=f"Example: python -m device listen. {EXIT_CODES}",
    )  # fmt: skip
    add_arguments(parser)
    parser.add_argument("--bundle", type=Path, default=None, help="another bundle than the configured one")
    parser.add_argument("--json", action="store_true", help="one JSON object an event")
    parser.set_defaults(action=_command)
    return parser
