"""A long evening in a short time: real speech and noise through the whole daemon on a clock that runs faster.

    python -m tests.faults.soak --minutes 30 --speed 20

The household of the demo bundle visits in its own recorded voices, strangers of the speech pack come and go, noise of
the pack lies under everything. The shipped daemon, bundle, guards, event log and status file; simulated microphone,
relay and supervisor. Prints memory at the start and the end, and what was counted; exits with 1 where memory grew by
more than a twentieth, an event was lost, or a stranger was let in.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np

from device.errors import DataError
from device.ports import Event
from device.service.canary import Canary
from device.service.config import Config, ModelConfig, PolicyConfig, RelayConfig, ReplayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.events import FileEvents
from device.service.status import StatusFile
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE_HZ, Frame, Gap, Samples
from device.sound.wavfile import read_wav
from tests.conftest import ROOT

OPEN_SECONDS, GROWTH = 3.0, 0.05
SHORTEST_SLEEP_SECONDS = 0.005
# A microphone's queue: what the door does not take in time is lost, as at a real one.
QUEUE_SECONDS = 2.0


class FastClock:
    """:class:`~device.ports.Clock` on which work takes the time it takes, and waiting as little as is needed for the
    whole to go ``speed`` times as fast as real time, where the machine can.

    So a door that is too slow for its sound loses some, as at a real one, and a fast one lives ``speed`` hours in one.
    """

    def __init__(self, speed: float) -> None:
        self._speed, self._seconds = speed, 0.0
        self._began = self._mark = time.monotonic()
        self._wall = datetime.now().astimezone()

    def monotonic_seconds(self) -> float:
        return self._seconds + time.monotonic() - self._mark

    def wall_time(self) -> datetime:
        return self._wall + timedelta(seconds=self.monotonic_seconds())

    def sleep(self, seconds: float) -> None:
        self._seconds = self.monotonic_seconds() + max(0.0, seconds)
        ahead_seconds = self._seconds / self._speed - (time.monotonic() - self._began)
        # A shorter sleep takes longer than was asked for.
        if ahead_seconds > SHORTEST_SLEEP_SECONDS:
            time.sleep(ahead_seconds)
        self._mark = time.monotonic()


@dataclass
class Street:
    """:class:`~device.ports.Microphone` over endless sound, in time with the clock; ``lost`` counts frames dropped."""

    sound: Iterator[tuple[str, Samples]]
    clock: FastClock
    until_wall_seconds: float
    lost: int = 0
    frames: int = 0
    who: str = ""
    heard_seconds: float = 0.0
    _rest: Samples = field(default_factory=lambda: np.zeros(0, dtype=np.int16))

    def read(self) -> Frame | Gap | None:
        now = self.clock.monotonic_seconds()
        if time.monotonic() >= self.until_wall_seconds:
            return None
        late = now - self.heard_seconds
        if late > QUEUE_SECONDS:
            self.lost += round(late / FRAME_SECONDS)
            self.heard_seconds = now
            return Gap("the door was too slow", now, late)
        while len(self._rest) < FRAME_SAMPLES:
            self.who, self._rest = next(self.sound)
        samples, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
        self.heard_seconds += FRAME_SECONDS
        self.clock.sleep(self.heard_seconds - now)
        self.frames += 1
        return Frame(samples, self.heard_seconds)

    def close(self) -> None:
        """Nothing is held."""


class Counted:
    """The shipped event log, counting."""

    def __init__(self, inner: FileEvents, street: Street) -> None:
        self.inner, self._street = inner, street
        self.kinds: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.let_in: list[str] = []

    def record(self, event: Event) -> None:
        self.kinds[event.kind] += 1
        if event.kind == "decision":
            self.outcomes[str(event.details["outcome"])] += 1
        if event.kind == "relay_on":
            self.let_in.append(self._street.who)
        self.inner.record(event)

    def close(self) -> None:
        self.inner.close()


def visits(pack: Path, seed: int) -> Iterator[tuple[str, Samples]]:
    """Who is heard, and what, without end: one in three a resident, pauses between, noise under everything."""
    import soundfile

    with (pack / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    speech = [row for row in rows if row["kind"] == "speech"]
    noise = [row for row in rows if row["kind"] != "speech" and row["path"].endswith((".flac", ".wav", ".ogg"))]
    own = sorted((ROOT / "device/simulated/evening").glob("*.wav"))
    if not speech or not own:
        raise DataError("there is no speech to play", where=str(pack))
    rng = np.random.default_rng(seed)
    while True:
        if rng.random() < 1 / 3:
            path = own[int(rng.integers(len(own)))]
            who, voice = f"evening/{path.stem}", read_wav(path)
        else:
            row = speech[int(rng.integers(len(speech)))]
            sound, rate = soundfile.read(pack / row["path"], dtype="int16")
            if rate != SAMPLE_RATE_HZ or sound.ndim != 1:
                continue
            who, voice = f"stranger {row['speaker']}", np.asarray(sound[: 8 * SAMPLE_RATE_HZ], dtype=np.int16)
        voice = np.concatenate([voice, np.zeros(round(rng.uniform(2.0, 12.0) * SAMPLE_RATE_HZ), dtype=np.int16)])
        under = rng.normal(0.0, 20.0, len(voice))
        if noise and rng.random() < 0.5:
            sound, rate = soundfile.read(pack / noise[int(rng.integers(len(noise)))]["path"], dtype="int16")
            if rate == SAMPLE_RATE_HZ and sound.ndim == 1 and len(sound):
                # About 20 dB below the voice.
                under = under + 0.1 * np.resize(sound, len(voice))
        yield who, np.clip(voice + under, -32768, 32767).astype(np.int16)


def resident_kilobytes() -> int:
    """What of this process is in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def soak(pack: Path, *, minutes: float, speed: float, seed: int, folder: Path) -> dict[str, object]:
    """Run it; the figures."""
    clock = FastClock(speed)
    street = Street(visits(pack, seed), clock, time.monotonic() + 60.0 * minutes)
    events = Counted(FileEvents(folder / "events.db", max_bytes=2_000_000), street)
    relay, supervisor = SimulatedRelay(clock), RecordedSupervisor()
    alive = Counter[str]()
    supervisor.alive = lambda: alive.update(["fed"])  # type: ignore[method-assign]
    hardware = Hardware(microphone=street, relay=relay, clock=clock, supervisor=supervisor, events=events,
                        status=StatusFile(folder))  # fmt: skip
    # The same recordings come again and again: the guard against replays compares them all, but must hardly object.
    config = Config(relay=RelayConfig(pin=17, open_seconds=OPEN_SECONDS), replay=ReplayConfig(threshold=100.0),
                    model=ModelConfig(bundle=str(ROOT / "models"), allow_unsigned=True),
                    policy=PolicyConfig(refusals_before_lock_out=100))  # fmt: skip
    door = build_door(config, hardware)
    memory: list[int] = []
    wishes, over = Wishes(), threading.Event()

    def watch() -> None:
        while not over.wait(max(1.0, 0.6 * minutes)):
            memory.append(resident_kilobytes())

    threading.Thread(target=watch, daemon=True).start()
    try:
        serve(door, hardware, wishes, lambda: None, canary=Canary(clock))
    finally:
        over.set()
    lengths = [b[0] - a[0] for a, b in zip(relay.history[::2], relay.history[1::2], strict=True)]
    # Medians of the second and the last tenth: by then the replay memory and all caches are as large as they get.
    tenth = max(1, len(memory) // 10)
    return {
        "wall minutes": minutes, "speed asked for": speed, "door hours": round(clock.monotonic_seconds() / 3600, 2),
        "times real time": round(clock.monotonic_seconds() / 60 / minutes, 1),
        "memory at start KB": round(median(memory[tenth : 2 * tenth] or memory)),
        "memory at end KB": round(median(memory[-tenth:])), "memory most KB": max(memory),
        "frames": street.frames, "frames lost": street.lost, "watchdog fed": alive["fed"],
        "decisions": events.outcomes.total(), "outcomes": dict(events.outcomes), "openings": len(lengths),
        "longest opening s": round(max(lengths, default=0.0), 3),
        "strangers let in": sum(each.startswith("stranger") for each in events.let_in),
        "events": events.kinds.total(), "events lost": events.inner.lost,
        "canary failed": events.kinds["canary_failed"], "gaps": events.kinds["gap"],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="A soak: memory must stay flat, nothing may be lost.")
    parser.add_argument("--minutes", type=float, default=30.0, help="of wall time")
    parser.add_argument("--speed", type=float, default=20.0, help="times real time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--pack", type=Path, default=Path(os.environ.get("VOICELATCH_SPEECH", ROOT.parent / "shared" / "speech"))
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        told = soak(arguments.pack, minutes=arguments.minutes, speed=arguments.speed, seed=arguments.seed,
                    folder=Path(folder))  # fmt: skip
    print(json.dumps(told, indent=1))
    start, end = int(str(told["memory at start KB"])), int(str(told["memory at end KB"]))
    flat = end <= (1 + GROWTH) * start
    print("memory is flat" if flat else "memory grew")
    return 0 if flat and not told["events lost"] and not told["strangers let in"] else 1


if __name__ == "__main__":
    sys.exit(main())
