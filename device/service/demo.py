"""``voicelatch demo``: a short evening of recorded visits through the real door, told as a timeline."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from device.errors import ConfigError
from device.ports import Event
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.pipeline import Door
from device.simulated.clock import ManualClock
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import FRAME_SAMPLES, Samples
from device.sound.wavfile import read_wav

EVENING = Path(__file__).resolve().parent.parent / "simulated" / "evening" / "evening.toml"
QUIET_SECONDS = 40.0
OPEN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: whose door-opening, if any, is expected, in order."""

    title: str
    sound: Samples
    expected: tuple[str, ...]


def read_evening(path: Path) -> list[Visit]:
    """The visits of an ``evening.toml``. Raises :class:`ConfigError` when there are none or one is incomplete."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("visit", [])
        visits = [Visit(row["title"], read_wav(path.parent / row["file"]), tuple(row["expected"])) for row in rows]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("the evening cannot be read", where=str(path), received=repr(error)) from error
    if not visits:
        raise ConfigError("the evening has no visits", where=str(path), allowed="at least one [[visit]]")
    return visits


class Timeline:
    """:class:`~device.ports.EventSink` that tells events to a person, one line each, and remembers openings."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.opened: list[str] = []

    def record(self, event: Event) -> None:
        line = describe(event)
        if event.kind == "relay_on":
            self.opened.append(str(event.details["resident"]))
        if line:
            self._say(f"  {event.wall_time:%H:%M:%S}.{event.wall_time.microsecond // 100_000}  {line}")

    def close(self) -> None:
        """Nothing to release."""


def describe(event: Event) -> str:
    """An event in words; empty for those a person need not see."""
    told = event.details
    match event.kind:
        case "speech":
            return "speech heard"
        case "decision":
            scores = told["scores"]
            assert isinstance(scores, dict)
            each = "  ".join(f"{name} {llr:+.1f}" for name, llr in scores.items())
            filled = ", repeated to 3 s" if told["filled"] else ""
            outcome = str(told["outcome"]).replace("_", " ")
            return (
                f"clip ({told['speech_seconds']} s of speech{filled})  {each}\n"
                f"{'':14s}{outcome.upper()}: {told['reason']}"
            )
        case "too_short":
            return f"only {told['speech_seconds']} s of speech: too little to judge"
        case "relay_on":
            return f"relay ON for {told['open_seconds']} s"
        case "relay_off":
            return "relay off"
        case "gap":
            return f"sound was lost ({told['reason']}): nothing heard before counts"
        case "stale":
            return "the answer came too late: the door stays shut"
        case _:
            return ""


def play(visits: Sequence[Visit], make_door: Callable[[Hardware], Door], say: Callable[[str], None]) -> int:
    """All visits through one door, in order; return how many went as expected.

    The clock is simulated, so an evening takes seconds; ``make_door`` builds the door on the simulated hardware.
    """
    clock = ManualClock(wall_start=datetime(2026, 11, 20, 18, 0, tzinfo=UTC))
    timeline, relay = Timeline(say), SimulatedRelay(clock)
    microphone = SimulatedMicrophone(_evening_sound(visits), clock=clock)
    hardware = Hardware(microphone=microphone, relay=relay, clock=clock, supervisor=RecordedSupervisor(),
                        events=timeline)  # fmt: skip
    door = make_door(hardware)
    as_expected = 0
    for count, visit in enumerate(visits, start=1):
        say(f"{count}. {visit.title}")
        before, pulses = len(timeline.opened), len(relay.history)
        for _ in range(_frames(visit.sound) + round(QUIET_SECONDS * 50)):
            door.step()
        opened = tuple(timeline.opened[before:])
        # What counts is the relay itself, not what the door says of it.
        clicks = sum(on for _, on in relay.history[pulses:])
        good = opened == visit.expected and clicks == len(visit.expected) and not relay.is_on
        as_expected += good
        result = f"opened for {', '.join(opened)}" if opened else "stayed shut"
        say(f"  -> {result}: {'as expected' if good else 'NOT as expected'}\n")
    relay.close()
    return as_expected


def _frames(sound: Samples) -> int:
    return -(-len(sound) // FRAME_SAMPLES)


def _evening_sound(visits: Sequence[Visit]) -> list[Samples]:
    rng = np.random.default_rng(1)
    sounds: list[Samples] = []
    for visit in visits:
        murmur = rng.normal(0, 20, round(QUIET_SECONDS * 16_000)).astype(np.int16)
        sounds += [visit.sound, murmur]
    return [*sounds, silence(1.0)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``demo``."""
    parser.add_argument("--bundle", type=Path, default=Path("models"), help="bundle or models folder (default: models)")
    parser.add_argument("--evening", type=Path, default=EVENING, help="another evening.toml")
    parser.add_argument("--source", choices=("wav", "microphone"), default="wav", help="where the voices come from")


def run(arguments: argparse.Namespace) -> int:
    """Play the evening; 0 only when every visit went as expected."""
    config = Config(
        relay=RelayConfig(pin=17, open_seconds=OPEN_SECONDS), model=ModelConfig(bundle=str(arguments.bundle))
    )
    if arguments.source == "microphone":
        return _live(config)
    visits = read_evening(arguments.evening)
    good = play(visits, lambda hardware: build_door(config, hardware), print)
    print(f"{len(visits)} visits, {good} as expected")
    return 0 if good == len(visits) else 1


def _live(config: Config) -> int:
    """The same door on the real microphone, with a simulated relay, until Ctrl-C."""
    from device.hardware.clock import SystemClock
    from device.hardware.microphone import SounddeviceMicrophone

    clock, wishes = SystemClock(), Wishes()
    microphone = SounddeviceMicrophone(config.microphone.device or None, clock=clock)
    hardware = Hardware(microphone=microphone, relay=SimulatedRelay(clock), clock=clock,
                        supervisor=RecordedSupervisor(), events=Timeline(print))  # fmt: skip
    wishes.install()
    print("listening; speak for three seconds. Ctrl-C ends.")
    serve(build_door(config, hardware), hardware, wishes, lambda: None)
    return 0
