"""The daemon's life through one schedule: what strikes when, starts after deaths, and what is judged afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from device.live.feed import LiveFeed, Opening
from device.service.canary import Canary
from device.service.daemon import Hardware, Wishes, reload_door, serve
from device.service.extras import Extras
from device.service.pipeline import LONGEST_JUMP_SECONDS, Door
from device.service.remote import RemoteConfig, RemoteOpening
from device.sound.pcm import Clip
from device.verdict.policy import PolicySpec
from tests.faults import parts
from tests.faults.parts import ANNA, BROKEN, MUMBLING_ANNA, NOBODY, STRANGER
from tests.faults.world import Disk, Killed, OddClock, Pin

OPEN_SECONDS = 3.0
# systemd waits 2 s (RestartSec), and the program takes its time to be loaded.
START_SECONDS, WATCHDOG_SECONDS, WITHIN_SECONDS = 3.0, 15.0, 5.0


@dataclass(frozen=True, slots=True)
class Fault:
    """``kind`` begins at ``at_seconds``; ``seconds`` long; ``stage`` for what strikes a stage of the pipeline."""

    kind: str
    at_seconds: float
    seconds: float = 0.0
    stage: str = ""


@dataclass(frozen=True)
class Porch:
    """Who is heard from when on, in order of time."""

    visits: tuple[tuple[float, int], ...]

    @classmethod
    def random(cls, rng: np.random.Generator, seconds: float) -> Porch:
        visits, at = [], 0.0
        while at < seconds:
            who = int(rng.choice([ANNA, ANNA, MUMBLING_ANNA, STRANGER, BROKEN]))
            visits += [(at, NOBODY), (at + float(rng.uniform(0.5, 3.0)), who)]
            at = visits[-1][0] + float(rng.uniform(0.3, 7.0))
        return cls(tuple(visits))

    def who(self, at_seconds: float) -> int:
        return next((who for since, who in reversed(self.visits) if since <= at_seconds), NOBODY)


@dataclass
class Life:
    """Everything that happens, and what of it is to be judged afterwards."""

    porch: Porch
    faults: list[Fault]
    log: Path
    until_seconds: float
    remote_allowed: bool = False
    clock: OddClock = field(default_factory=OddClock)
    disk: Disk = field(default_factory=Disk)
    struck: Counter[str] = field(default_factory=Counter)
    acknowledged: list[dict[str, object]] = field(default_factory=list)
    deaths: list[tuple[float, str]] = field(default_factory=list)
    starts: int = 0
    overflowed: bool = False
    heard_seconds: float = 0.0
    frames: list[float] = field(default_factory=list)
    scored: list[tuple[float, Clip]] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    causes: list[tuple[float, float]] = field(default_factory=list)
    silent: dict[str, float] = field(default_factory=dict)
    traps: dict[str, BaseException] = field(default_factory=dict)
    pin: Pin = field(init=False)

    relay: parts.Latch = field(init=False)
    events: parts.Events = field(init=False)

    def __post_init__(self) -> None:
        self.pin, self.wishes, self.supervisor = Pin(self.clock), Wishes(), parts.Watchdog(self)

    def start(self) -> None:
        """One process of the daemon, from its start to its end."""
        self.starts += 1
        self.wishes, self.supervisor.fed_seconds = Wishes(), self.now
        self.events = parts.Events(self)
        self.relay = parts.Latch(self)
        self.feed = LiveFeed()
        extras = Extras(remote=RemoteOpening(self.feed, RemoteConfig(open=self.remote_allowed)))
        hardware = Hardware(microphone=parts.Ears(self), relay=self.relay, clock=self.clock, supervisor=self.supervisor,
                            events=self.events, status=parts.Status(self), extras=extras)  # fmt: skip
        door = Door(
            microphone=hardware.microphone, detector=parts.Detector(self), segmenter=parts.Cutter(self),
            scorer=parts.Scorer(self),
            policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0), relay=self.relay, clock=self.clock, events=self.events,
            open_seconds=OPEN_SECONDS, guards=(parts.Onlooker(self),),
        )  # fmt: skip
        canary = Canary(self.clock, every_seconds=20.0)
        serve(door, hardware, self.wishes, lambda: reload_door(door, self._bad(), hardware), canary=canary)

    def _bad(self) -> Path:
        """A configuration that is missing, broken, or names a bundle that is: one after the other."""
        path = self.log.with_name("voicelatch.toml")
        kind = self.struck["bad reload"] % 3
        if kind:
            text = (
                "[relay"
                if kind == 1
                else f'[relay]\npin = 17\n[model]\nallow_unsigned = true\nbundle = "{path.parent}"\n'
            )
            path.write_text(text)
            (path.parent / "manifest.json").write_text("{")
        else:
            path.unlink(missing_ok=True)
        return path

    @property
    def now(self) -> float:
        return self.clock.monotonic_seconds()

    def pass_time(self) -> None:
        """Let strike what is due, and end what is over."""
        self.disk.full, self.disk.read_only = (self.now < self.silent.get(each, -1.0)
                                               for each in ("disk full", "disk read-only"))  # fmt: skip
        while self.faults and self.faults[0].at_seconds <= self.now:
            fault = self.faults.pop(0)
            self.struck[fault.kind] += 1
            until = self.now + fault.seconds
            self.silent[fault.kind] = max(until, self.silent.get(fault.kind, until))
            self.strike(fault)
            self.causes.append((fault.at_seconds, max(self.now, until)))
        self.pin.pass_time()
        if self.now - self.supervisor.fed_seconds > WATCHDOG_SECONDS:
            self.kill("the watchdog")

    def strike(self, fault: Fault) -> None:
        match fault.kind:
            case "calendar":
                self.clock.calendar_off += timedelta(days=(-1) ** int(fault.at_seconds) * 400)
            case "clock jump":
                self.clock.advance(LONGEST_JUMP_SECONDS + 0.1 + 30.0 * (fault.at_seconds % 1.0))
                self.heard_seconds = self.now
            case "guardian killed":
                self.pin.die(seconds=fault.seconds)
            case "guardian slow":
                self.pin.slow_until_seconds = self.now + fault.seconds
            case "overflow":
                self.overflowed = True
            case "slow model":
                self.silent["slow model"] = self.now + 8.0
            case "exception":
                self.traps[fault.stage] = ZeroDivisionError(fault.stage)
            case "out of memory":
                self.traps[fault.stage] = MemoryError(fault.stage)
            case "SIGKILL":
                self.traps[fault.stage] = Killed(fault.stage)
            case "SIGTERM":
                self.wishes.stop = True
            case "remote asked":
                if self.feed.ask(Opening(by="somebody", uid=0, asked_at_seconds=self.now)):
                    self.asked.append(self.now)
            case "bad reload":
                self.wishes.reload = True
            case "frozen daemon":
                self.pin.fall_silent()
                self.clock.advance(fault.seconds)
                # What the driver could not hold meanwhile it reports at the next read.
                self.overflowed = True

    def lasts(self, kind: str) -> bool:
        return self.now < self.silent.get(kind, -1.0)

    def trap(self, stage: str) -> None:
        """Raise here what was laid for this stage."""
        laid = self.traps.pop(stage, None)
        if laid is not None:
            self.causes.append((self.now, self.now))
            if isinstance(laid, Killed):
                self.kill(stage)
            raise laid

    def kill(self, why: str) -> None:
        """Nothing that unwinds afterwards is the daemon's doing."""
        self.relay.die()
        self.events.dead = True
        raise Killed(why)

    def allowed(self, at_seconds: float) -> bool:
        """Whether the pin may have gone on then: a fresh clip without a gap, of Anna alone, and enough of her; or an
        opening that was asked for elsewhere, where that is allowed, at a door that hears."""
        if self.remote_allowed and any(0.0 <= at_seconds - asked <= 2.0 for asked in self.asked):
            if any(0.0 <= at_seconds - frame <= 0.1 for frame in self.frames):
                return True
        heard = [each for each in self.scored if each[0] <= at_seconds + 1e-9]
        if not heard:
            return False
        clip = heard[-1][1]
        own = {int(each) for each in np.unique(clip.samples)} - {NOBODY}
        whole = clip.ended_at_seconds - clip.started_at_seconds <= 3.05
        unbroken = not any(clip.started_at_seconds < gap < at_seconds - 1e-9 for gap in self.gaps)
        fresh = at_seconds - clip.ended_at_seconds <= 2.0
        return own in ({ANNA}, {MUMBLING_ANNA}, {ANNA, MUMBLING_ANNA}) and whole and unbroken and fresh

    def deaf(self) -> list[float]:
        """Ends of faults after which, undisturbed, no frame came in time, nor after a start that followed an exit."""
        found = []
        for _, end in self.causes:
            disturbed = any(since <= end + WITHIN_SECONDS and until > end for since, until in self.causes)
            if disturbed or end + 2 * WITHIN_SECONDS > self.until_seconds:
                continue
            exits = [at for at, _ in self.deaths if end <= at <= end + WITHIN_SECONDS]
            limit = max([end, *exits]) + WITHIN_SECONDS
            if not any(end < at <= limit for at in self.frames):
                found.append(end)
        return found


def live(porch: Porch, faults: Sequence[Fault], log: Path, *, until_seconds: float, remote: bool = False) -> Life:
    """Live through all of it: whatever ends the daemon, systemd starts it anew."""
    life = Life(porch, list(faults), log, until_seconds, remote)
    with life.disk.mounted():
        while life.now < until_seconds:
            try:
                life.start()
                life.deaths.append((life.now, "code 0"))
            except Killed as death:
                life.deaths.append((life.now, f"killed: {death}"))
            except Exception as death:
                life.deaths.append((life.now, f"{type(death).__name__}: code {getattr(death, 'exit_code', 70)}"))
            life.clock.advance(START_SECONDS)
    life.pin.pass_time()
    return life
