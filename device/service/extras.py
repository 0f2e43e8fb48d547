"""What a door has besides ears and a latch: a button, a memory of recordings, a folder for its state."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from device.errors import ConfigError
from device.live.feed import LiveFeed
from device.live.server import LiveServer
from device.ports import Button, Clock
from device.replay.guard import ReplayDetector
from device.replay.memory import ReplayMemory
from device.service.answers import DoorAnswers
from device.service.background import Background
from device.service.clock_state import ClockState, SystemClockState, TrustedClock
from device.service.config import Config
from device.service.guard_settings import ReplayConfig
from device.service.hold import Hold
from device.service.known_people import KnownPeople
from device.service.live_door import serve_live
from device.service.privacy import CLIPS, ClipKeeper
from device.service.remote import RemoteOpening
from device.service.replay import NAME, ReplayFile, ReplayGuard, make_memory
from device.service.schedule import Schedule, check_people
from device.service.second_factor import SecondFactor
from device.service.status import StatusFile
from device.service.try_file import NAME as VISITS
from device.service.try_file import TryFile
from device.verdict.guards import Guard, Keeper, KeepsNothing

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Made once at start, kept over reloads. ``state``: the state directory, None without one. ``clock_state`` says
    whether hours can be believed.

    ``remote`` answers what is asked through its ``feed``, which ``live_server`` serves where there is one; ``answers``
    are those to questions about events, clips and recordings."""

    state: Path | None = None
    people: KnownPeople = field(default_factory=KnownPeople)
    button: Button | None = None
    background: Background = field(default_factory=Background)
    memory: ReplayMemory = field(default_factory=lambda: make_memory(ReplayConfig()))
    replay_file: ReplayFile | None = None
    tries: TryFile | None = None
    remote: RemoteOpening = field(default_factory=lambda: RemoteOpening(LiveFeed()))
    live_server: LiveServer | None = None
    clock_state: ClockState = field(default_factory=TrustedClock)
    answers: DoorAnswers = field(default_factory=DoorAnswers)

    @property
    def feed(self) -> LiveFeed:
        return self.remote.feed

    def forgotten(self) -> dict[str, str]:
        """What an earlier process left and cannot be used: kinds of events, each with the reason."""
        lost = {
            "visits_unknown": self.tries.problem if self.tries is not None else "",
            "replay_memory_lost": self.replay_file.problem if self.replay_file is not None else "",
        }
        return {kind: reason for kind, reason in lost.items() if reason}

    def close(self, clock: Clock) -> None:
        """Write what is to outlive the process, and let the button go."""
        try:
            if self.button is not None:
                self.button.close()
        finally:
            if self.tries is not None:
                self.tries.close()
            if self.replay_file is not None:
                self.replay_file.save(self.memory, clock)
            self.background.close()
            if self.live_server is not None:
                self.live_server.close()


def make_extras(config: Config, clock: Clock, *, state: Path | None, simulate: bool,
                runtime: Path | None = None, status: StatusFile | None = None) -> Extras:  # fmt: skip
    """What the configuration asks for, and the live feed in the folder ``runtime`` (None: no feed), which tells
    ``status``. Without a state directory a restart forgets, and the log says so. Raises
    :class:`~device.errors.ButtonError` where the button is not to be had."""
    status = status or StatusFile(None)
    background, memory, replay_file = Background(), make_memory(config.replay), None
    if config.replay.enabled and config.replay.keep_on_disk:
        if state is None:
            _LOG.warning("there is no state directory: a restart forgets what was heard (replay.keep_on_disk)")
        else:
            replay_file = ReplayFile(state / NAME, background)
            replay_file.load(memory, clock)
    button, remote = _button(config, clock, simulate=simulate), RemoteOpening(LiveFeed(), config.remote)
    # After what can fail: whoever has begun to count, and is gone without a word, pays for a visit.
    tries = TryFile(path=state / VISITS if state is not None else None, clock=clock, status=status)
    tries.begin(config.policy.limits)
    answers = DoorAnswers(state=state, clock=clock)
    live_server = serve_live(runtime, remote, clock, status, answers)
    return Extras(state=state, people=KnownPeople(state), background=background, memory=memory,
                  replay_file=replay_file, button=button, tries=tries, remote=remote, live_server=live_server,
                  answers=answers, clock_state=TrustedClock() if simulate else SystemClockState())  # fmt: skip


def guards_for(config: Config, extras: Extras, clock: Clock, residents: Collection[str]) -> tuple[Guard, ...]:
    """The guards in the order in which they are asked. The first that objects names the decision; all are asked, since
    the memory must hear everything."""
    check_people(config.schedule, residents)
    guards: list[Guard] = [Hold(extras.feed)]
    if config.replay.enabled:
        detector = ReplayDetector(memory=extras.memory, threshold=config.replay.threshold)
        guards.append(ReplayGuard(detector, clock, extras.replay_file))
    if config.schedule:
        guards.append(Schedule(config.schedule, clock, extras.clock_state, require_set=config.clock.require_set))
    if config.button.enabled:
        if extras.button is None:
            raise ConfigError(
                "the button was not there at the start",
                where="button.enabled",
                received=True,
                next_step="restart the daemon: a pin is claimed at start only",
            )
        guards.append(SecondFactor(button=extras.button, clock=clock, within_seconds=config.button.within_seconds))
    return tuple(guards)


def keeper_for(config: Config, extras: Extras, clock: Clock) -> Keeper:
    """Keeps clips where that was asked for, else nothing."""
    if not config.privacy.keep_clips:
        return KeepsNothing()
    folder = _needed(extras.state, "privacy.keep_clips") / CLIPS
    return ClipKeeper(folder=folder, config=config.privacy, clock=clock, background=extras.background)


def config_digest(config: Config) -> str:
    """SHA-256 (hex) of every setting in force, those left at their defaults included."""
    return hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()


def _needed(state: Path | None, key: str) -> Path:
    if state is None:
        raise ConfigError(
            "there is no state directory to keep it in",
            where=key,
            received=True,
            next_step="run under systemd, which makes one, or set STATE_DIRECTORY to a folder",
        )
    return state


def _button(config: Config, clock: Clock, *, simulate: bool) -> Button | None:
    if not config.button.enabled:
        return None
    if simulate:
        from device.simulated.button import SimulatedButton

        # Nobody presses it: a simulated door with a second factor shows that it stays shut.
        return SimulatedButton(clock)
    from device.hardware.button import GpioButton

    asked = config.button
    return GpioButton(asked.pin, clock=clock, pull_up=asked.pull_up, pin_factory=asked.pin_factory,
                      chip_label=config.relay.chip_label)  # fmt: skip
