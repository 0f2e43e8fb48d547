"""The daemon: wiring, signals, reload, watchdog, exit codes. What it does with sound is in ``pipeline``."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType

from device.errors import MicrophoneError, VoicelatchError
from device.live.feed import Overheard
from device.ports import Clock, EventSink, Microphone, Relay, Supervisor
from device.service.canary import Canary
from device.service.config import Config, load_config, policy_for
from device.service.extras import Extras, config_digest, guards_for, keeper_for
from device.service.microphone_health import MicrophoneHealth
from device.service.pipeline import Door
from device.service.relay_allowance import RelayAllowance
from device.service.schedule import Schedule
from device.service.status import StatusFile, in_short
from device.service.trust import trust_of
from device.service.verified import verify
from device.simulated.relay import SimulatedRelay
from device.sound.pcm import Frame
from device.sound.segmenter import Segmenter
from device.sound.vad import WebRtcDetector
from device.verdict.guards import RemembersNothing
from device.verdict.policy import PolicyState, forget
from device.verdict.tries import Tries

_LOG = logging.getLogger(__name__)
WATCHDOG_SECONDS = 1.0
# Without a frame for that long the daemon leaves: less than the unit's WatchdogSec, so that it can still say why.
DEAF_SECONDS = 10.0


@dataclass(slots=True)
class Wishes:
    """What signals asked for; looked at between two items of the microphone."""

    stop: bool = False
    reload: bool = False

    def install(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stop = True

        def reload(_number: int, _frame: FrameType | None) -> None:
            self.reload = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, reload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The ports of one door, real or simulated, its extras, and where its status is told (by default nowhere)."""

    microphone: Microphone
    relay: Relay
    clock: Clock
    supervisor: Supervisor
    events: EventSink
    status: StatusFile = field(default_factory=lambda: StatusFile(None))
    extras: Extras = field(default_factory=Extras)


def build_door(config: Config, hardware: Hardware) -> Door:
    """A verified door. Raises a :class:`VoicelatchError` when the bundle, the runtime or the detector is not fit."""
    trust = trust_of(config.model)
    if isinstance(hardware.relay, SimulatedRelay):
        trust = trust.where_nothing_opens()
    verified = verify(Path(config.model.bundle), runtime=config.model.runtime, trust=trust)
    bundle, scorer = verified.bundle, verified.scorer
    _LOG.info(
        "bundle %s #%d, residents %s, runtime %s",
        bundle.name,
        bundle.sequence,
        ", ".join(bundle.residents),
        scorer.runtime_name,
    )
    segmenter, tries = Segmenter(bundle.segmenter), hardware.extras.tries
    door = Door(
        microphone=hardware.microphone, segmenter=segmenter,
        detector=Overheard(WebRtcDetector(bundle.vad), segmenter, hardware.extras.feed, hardware.clock),
        scorer=scorer, policy=policy_for(bundle, config.policy), relay=hardware.relay, clock=hardware.clock,
        events=hardware.events, open_seconds=config.relay.open_seconds,
        guards=(*guards_for(config, hardware.extras, hardware.clock, bundle.residents),
                RelayAllowance(relay=hardware.relay, open_seconds=config.relay.open_seconds)),
        keeper=keeper_for(config, hardware.extras, hardware.clock),
        visits=tries or RemembersNothing(), state=PolicyState(tries=tries.first if tries else Tries()),
        serves={"bundle": bundle.name, "bundle_sequence": bundle.sequence, "bundle_digest": verified.digest,
                "config_digest": config_digest(config)},
    )  # fmt: skip
    trust.remember(bundle, digest=verified.digest)
    hardware.extras.remote.config = config.remote
    hardware.extras.people.serving(bundle.residents)
    hardware.extras.answers.serves(config, bundle.residents)
    # Last, when nothing can be refused any more: the status names what serves, not what was tried.
    hardware.status.loaded(
        bundle=bundle.name, sequence=bundle.sequence, digest=verified.digest, at=hardware.clock.wall_time()
    )
    _tell_clock(door)
    return door


def reload_door(door: Door, config_path: Path, hardware: Hardware) -> None:
    """Read configuration and bundle again. When either is bad the old door stays in service, and an event says why.

    The microphone, the pins, the event file and the replay memory's size and file stay: changing them takes a restart.
    What visits cost survives, and so does what was heard.
    """
    hardware.supervisor.reloading()
    try:
        loaded = load_config(config_path)
        fresh = build_door(loaded.config, hardware)
    except VoicelatchError as error:
        hardware.status.reloaded(at=hardware.clock.wall_time(), refused=in_short(error))
        door.tell("reload_refused", reason=str(error))
        _LOG.error("reload refused, the old bundle and configuration stay in service: %s", error)
    except Exception as error:
        # A defect in what was just handed in must not take down a door that works.
        hardware.status.reloaded(at=hardware.clock.wall_time(), refused=in_short(error))
        door.tell("reload_refused", reason=f"a defect: {type(error).__name__}: {error}")
        _LOG.exception("reload refused by a defect, the old bundle and configuration stay in service")
    else:
        door.detector, door.segmenter, door.scorer = fresh.detector, fresh.segmenter, fresh.scorer
        door.policy, door.open_seconds = fresh.policy, fresh.open_seconds
        door.guards, door.keeper, door.serves = fresh.guards, fresh.keeper, fresh.serves
        door.state = forget(door.state)
        hardware.status.reloaded(at=hardware.clock.wall_time())
        door.tell("reloaded")
        _tell_problems(door, loaded.problems)
        hardware.extras.people.tell(door.tell)
    hardware.supervisor.ready()


def serve(
    door: Door,
    hardware: Hardware,
    wishes: Wishes,
    reload: Callable[[], None],
    *,
    canary: Canary | None = None,
    deaf_seconds: float = DEAF_SECONDS,
    problems: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Listen until asked to stop or the input ends; the relay is off and everything closed afterwards, always.

    The supervisor hears ``alive`` at most once a second, and only while frames arrive and the canary sings: a door that
    is deaf or could not open is restarted. What ends the daemon is told as an event and raised; no frame for
    ``deaf_seconds`` is a :class:`MicrophoneError`. ``problems``: tables of the configuration left out, with the reason.
    """
    canary = canary if canary is not None else Canary(hardware.clock)
    try:
        hardware.relay.off()
        canary.learn(door.scorer)
        # First the file: whoever hears the event may look at it.
        hardware.status.listening()
        door.tell("started")
        _tell_problems(door, problems)
        for kind, reason in hardware.extras.forgotten().items():
            door.tell(kind, reason=reason)
        # Another bundle may have been put in its place while nobody was here.
        hardware.extras.people.tell(door.tell)
        hardware.supervisor.ready()
        _listen(door, hardware, wishes, reload, canary=canary, deaf_seconds=deaf_seconds)
        door.tell("stopped")
    except Exception as error:
        try:
            hardware.relay.off()
        finally:
            door.tell("fault", error=type(error).__name__, reason=str(error))
        raise
    finally:
        shut(hardware)


def _tell_problems(door: Door, problems: Mapping[str, str]) -> None:
    for name, problem in problems.items():
        _LOG.error("the door goes on without [%s]: %s", name, problem)
        door.tell("config_problem", table=name, reason=problem)


def _tell_clock(door: Door) -> None:
    """Where somebody has hours and the time cannot be believed, say so."""
    for guard in door.guards:
        if isinstance(guard, Schedule) and (problem := guard.clock_problem()):
            closed = "nobody with hours can come in" if guard.require_set else "hours count by it all the same"
            _LOG.warning("%s; %s", problem, closed)
            door.tell("clock_not_set", reason=f"{problem}; {closed}")


def _listen(
    door: Door,
    hardware: Hardware,
    wishes: Wishes,
    reload: Callable[[], None],
    *,
    canary: Canary,
    deaf_seconds: float,
) -> None:
    fed_seconds, deaf_since_seconds, health = -math.inf, math.inf, MicrophoneHealth()
    while not wishes.stop:
        if wishes.reload:
            wishes.reload, served = False, door.scorer
            reload()
            if door.scorer is not served:
                # Else it was refused, and what the old one answers by now need not be right.
                canary.learn(door.scorer)
        item = door.step()
        now = hardware.clock.monotonic_seconds()
        if item is None:
            return
        fault = canary.problem if isinstance(item, Frame) else "no sound arrives"
        hardware.extras.remote.heed(door, fault=fault)
        while (note := hardware.extras.feed.take_note()) is not None:
            door.tell(note.kind, **note.details)
        if not isinstance(item, Frame):
            deaf_since_seconds = min(deaf_since_seconds, now)
            if now - deaf_since_seconds >= deaf_seconds:
                raise MicrophoneError(
                    "no sound arrives", where="microphone", received=f"nothing for {now - deaf_since_seconds:.0f} s",
                    next_step="check that it is plugged in; systemd starts the daemon again",
                )  # fmt: skip
            continue
        deaf_since_seconds = math.inf
        health.look(item, tell=door.tell, status=hardware.status)
        if now - fed_seconds >= WATCHDOG_SECONDS and canary.sings(
            hardware.relay, in_pulse=math.isfinite(door.relay_off_due_seconds), tell=door.tell
        ):
            hardware.supervisor.alive()
            fed_seconds = now


def shut(hardware: Hardware) -> None:
    """Relay first, then the rest; a failure of one does not keep the next from being closed."""
    try:
        hardware.relay.close()
    finally:
        try:
            hardware.supervisor.stopping()
            hardware.microphone.close()
        finally:
            hardware.status.stopped()
            hardware.events.close()
            hardware.extras.close(hardware.clock)
