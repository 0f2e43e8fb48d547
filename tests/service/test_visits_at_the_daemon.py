"""What visits cost, at the daemon: over reloads and restarts, killed or not, said as events and in the status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.errors import MicrophoneError
from device.ports import Clock, Microphone, Relay
from device.service import cli
from device.service.config import Config, read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.extras import make_extras
from device.service.status import StatusFile
from device.service.try_file import NAME
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.verdict.policy import PolicyState
from device.verdict.tries import Tries
from tests.conftest import ROOT

COURIER = ROOT / "device/simulated/evening/courier.wav"
BRUNO = ROOT / "device/simulated/evening/bruno.wav"
ANNA = ROOT / "device/simulated/evening/anna.wav"


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    shutil.copytree(models / "demo", tmp_path / "models" / "demo")
    (tmp_path / "models" / "current").write_text("demo\n")
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{tmp_path / "models"}"\n')
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def hardware(config: Config, state: Path, segments: list[Segment]) -> Hardware:
    clock = ManualClock()
    status = StatusFile(state)
    extras = make_extras(config, clock, state=state, simulate=True, status=status)
    return Hardware(microphone=SimulatedMicrophone(segments, clock=clock), relay=SimulatedRelay(clock), clock=clock,
                    supervisor=RecordedSupervisor(), events=RecordedEvents(), status=status, extras=extras)  # fmt: skip


def live(config: Path, state: Path, segments: list[Segment]) -> RecordedEvents:
    """One process, from its start to its end."""
    settings = read_config(config)
    things = hardware(settings, state, segments)
    serve(build_door(settings, things), things, Wishes(), lambda: None)
    assert isinstance(things.events, RecordedEvents)
    return things.events


def outcomes(events: RecordedEvents) -> list[object]:
    return [event.details["outcome"] for event in events.of("decision")]


def test_a_restart_does_not_forget_who_tried_before_and_a_resident_waits_less_than_a_minute(
    config: Path, state: Path
) -> None:
    first = live(config, state, [part for _ in range(6) for part in (COURIER, silence(1.0))])
    assert "open" not in outcomes(first)
    assert "locked_out" in outcomes(first)
    assert json.loads((state / NAME).read_text())["running"] is False
    second = live(config, state, [silence(20.0), BRUNO, silence(15.0), ANNA, silence(2.0)])
    decisions = second.of("decision")
    assert decisions[0].details["strict"] is True
    opened = next(event for event in decisions if event.details["outcome"] == "open")
    assert opened.at_seconds <= 60.0
    assert opened.details["strict"] is True
    assert float(str(opened.details["evidence"])) >= float(str(opened.details["open_llr"]))


def test_a_spoilt_count_is_an_event_and_the_door_begins_strictly(config: Path, state: Path) -> None:
    (state / NAME).write_bytes(b"\x00" * 64)
    # Nobody says the same words twice: that would be a replay.
    events = live(config, state, [silence(34.0), BRUNO, silence(1.0), ANNA, silence(2.0)])
    (event,) = events.of("visits_unknown")
    assert NAME in str(event.details["reason"])
    assert outcomes(events)[0] == "locked_out"
    opened = next(event for event in events.of("decision") if event.details["outcome"] == "open")
    assert opened.at_seconds <= 60.0
    assert live(config, state, []).of("visits_unknown") == [], "it has healed"


def test_a_reload_gives_nothing_back(config: Path, state: Path) -> None:
    settings = read_config(config)
    things = hardware(settings, state, [])
    door = build_door(settings, things)
    door.state = PolicyState(evidence=(("Anna", 9.0),), clips=1, last_clip_seconds=0.0, tries=Tries(6.0, 9.0, 0.0))
    config.write_text(config.read_text() + "[policy]\nwait_seconds = 50.0\n")
    reload_door(door, config, things)
    assert door.state == PolicyState(tries=Tries(6.0, 9.0, 0.0))
    assert door.policy.limits.wait_seconds == 50.0
    assert door.visits is things.extras.tries


def test_a_judged_visit_is_on_the_disk_when_the_daemon_is_killed_and_the_next_one_knows(
    config: Path, state: Path
) -> None:
    kept: list[float] = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "--config", str(config), "--simulate", "--wav", str(COURIER),
             str(COURIER)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "STATE_DIRECTORY": str(state)},
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 60.0
            while time.monotonic() < deadline and _failures(state) < (kept[-1] + 1.5 if kept else 0.5):
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(20)
        kept.append(_failures(state))
    assert kept[0] >= 0.9
    # What was there, one for the kill, and one that was judged since.
    assert kept[1] >= kept[0] + 1.5


def test_starts_without_a_microphone_are_no_visits(config: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_config: Config, _clock: Clock) -> tuple[Microphone, Relay]:
        raise MicrophoneError("the microphone cannot be opened")

    monkeypatch.setattr(cli, "_real", absent)
    # The signals of this process are not the daemon's.
    monkeypatch.setattr(Wishes, "install", lambda _wishes: None)
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    for _ in range(3):
        assert cli.main(["run", "--config", str(config)]) == 69
    kept = json.loads((state / NAME).read_text())
    assert (kept["used"], kept["failures"], kept["running"]) == (0.0, 0.0, False)


def _failures(state: Path) -> float:
    try:
        return float(json.loads((state / NAME).read_text())["failures"])
    except FileNotFoundError:
        return 0.0
