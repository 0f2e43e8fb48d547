"""The hub: every outlet hears everything, one that fails keeps none from it, a door that was away is found again."""

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.gateway.hub import DoorLine, Hub, Message
from device.gateway.outlets import make_outlets
from device.gateway.settings import MetricsConfig, MqttConfig
from device.hardware.clock import SystemClock
from device.service import cli
from device.simulated.clock import ManualClock
from tests.benches.mqtt_broker import free_port
from tests.conftest import ROOT
from tests.gateway.test_metrics import scrape
from tests.live.world import World


class Noted:
    """An outlet that notes what it is told; ``stop_at``: how many events are enough."""

    def __init__(self, *, stop_at: int = 1) -> None:
        self.heard: list[object] = []
        self.messages = 0
        self.stop_at, self.closed = stop_at, False

    def door(self, reachable: bool) -> None:
        self.heard.append(reachable)

    def hear(self, message: Message) -> None:
        self.messages += message["kind"] == "event"
        self.heard.append(message["kind"])

    def close(self) -> None:
        self.closed = True

    def enough(self) -> bool:
        return self.messages >= self.stop_at


class Failing(Noted):
    def hear(self, message: Message) -> None:
        raise ZeroDivisionError

    def close(self) -> None:
        raise ZeroDivisionError


def test_every_outlet_hears_everything_and_one_that_fails_keeps_none_from_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.server.start()
    noted = Noted(stop_at=2)
    hub = Hub(world.path, [Failing(), noted], clock=SystemClock())

    def stopping() -> bool:
        if noted.messages == 0:
            world.happen("speech")
        else:
            world.happen("decision")
        return noted.enough()

    hub.run(stopping, lambda: None)
    hub.close()
    assert [each for each in noted.heard if each != "status"][:3] == [True, "event", "event"]
    assert "status" in noted.heard
    assert noted.closed
    world.server.close()


def test_a_door_that_is_away_is_looked_for_with_growing_patience(tmp_path: Path) -> None:
    clock, noted = ManualClock(), Noted()
    looks: list[float] = []

    class Hidden:
        """A socket's path that notes each look."""

        def __str__(self) -> str:
            looks.append(clock.monotonic_seconds())
            return str(tmp_path / "absent.sock")

    beats: list[float] = []
    hub = Hub(Hidden(), [noted], clock=clock)  # type: ignore[arg-type]
    hub.run(lambda: clock.monotonic_seconds() > 100.0, lambda: beats.append(clock.monotonic_seconds()))
    tries = sorted(set(looks))
    pauses = [round(after - before, 3) for before, after in itertools.pairwise(tries)]
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0]
    assert max(pauses) == 15.0
    assert set(noted.heard) == {False}
    assert max(after - before for before, after in itertools.pairwise(beats)) <= 0.5


def test_a_door_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    noted = Noted(stop_at=2)
    worlds: list[World] = []
    spoken = 0

    def stopping() -> bool:
        nonlocal spoken
        if len(worlds) == noted.messages and not noted.enough():
            # One word was heard of the door before: it goes, and another one comes.
            for world in worlds:
                world.server.close()
            worlds.append(World(tmp_path))
            worlds[-1].server.start()
        elif noted.heard and noted.heard[-1] == "status" and spoken < len(worlds):
            spoken += 1
            worlds[-1].happen("speech")
        return noted.enough()

    Hub(tmp_path / "live.sock", [noted], clock=SystemClock()).run(stopping, lambda: None)
    assert noted.heard == [True, "status", "event", False, True, "status", "event"]
    worlds[-1].server.close()


@pytest.mark.parametrize(("recent", "heard"), [(0, []), (2, [True, True])])
def test_past_events_are_told_where_they_are_asked_for_and_marked(
    tmp_path: Path, recent: int, heard: list[bool]
) -> None:
    class Marked(Noted):
        def hear(self, message: Message) -> None:
            super().hear(message)
            if message["kind"] == "event":
                marks.append(message.get("recent", False))

    world, noted, marks = World(tmp_path), Marked(), list[bool]()
    for _ in range(3):
        world.happen("speech")
        world.step()
    world.server.start()
    # The status is told after them.
    Hub(world.path, [noted], clock=SystemClock(), recent=recent).run(lambda: "status" in noted.heard, lambda: None)
    assert marks == heard
    world.server.close()


def test_without_a_door_nobody_is_let_in(tmp_path: Path) -> None:
    assert "no daemon answers" in DoorLine(tmp_path / "absent.sock").open("mqtt", asked_at_seconds=0.0)


def test_a_gateway_with_nothing_to_do_says_so() -> None:
    with pytest.raises(ConfigError, match="nothing to do"):
        make_outlets(MqttConfig(), MetricsConfig(), line=None, clock=ManualClock(), version="1")


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models / "demo"}"\n')
    return path


@pytest.mark.parametrize("allowed", [True, False])
def test_an_outlet_has_a_line_to_the_door_only_where_remote_openings_are_allowed(
    config: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    lines: list[DoorLine | None] = []

    def make(*_: object, line: DoorLine | None, **_more: object) -> list[Noted]:
        lines.append(line)
        raise ConfigError("enough")

    monkeypatch.setattr("device.service.gateway_command.make_outlets", make)
    config.write_text(config.read_text() + f"[remote]\nopen = {str(allowed).lower()}\n")
    assert cli.main(["gateway", "--config", str(config)]) == 78
    assert [line is not None for line in lines] == [allowed]


def test_the_process_says_why_it_does_not_start(config: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "device", "gateway", "--config", config], cwd=ROOT,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 78
    assert "[mqtt] or [metrics]" in done.stderr


def test_the_process_at_a_real_daemon_and_that_daemon_when_the_gateway_is_killed(config: Path, tmp_path: Path) -> None:
    port = free_port()
    config.write_text(config.read_text() + f"[metrics]\nenabled = true\nport = {port}\n")
    command = [sys.executable, "-m", "device"]
    where = ["--config", str(config), "--runtime-dir", str(tmp_path)]
    wav = ROOT / "device/simulated/evening/anna.wav"
    door = subprocess.Popen([*command, "run", *where, "--simulate", "--wav", *[wav] * 9], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True)  # fmt: skip
    gateway = subprocess.Popen([*command, "gateway", *where], cwd=ROOT)
    try:
        assert door.stdout is not None
        kinds = []
        while len([each for each in kinds if each == "decision"]) < 2:
            kinds.append(json.loads(door.stdout.readline())["kind"])
        told: dict[str, float] = {}
        while sum(value for name, value in told.items() if "decisions_total" in name) < 1:
            try:
                told = scrape(port)
            except OSError:
                assert gateway.poll() is None
                time.sleep(0.05)
        assert told["voicelatch_heard_seconds_total"] > 0
        gateway.kill()
        while json.loads(door.stdout.readline())["kind"] != "decision":
            pass
        assert door.poll() is None
    finally:
        for process in (gateway, door):
            process.send_signal(signal.SIGKILL)
            process.communicate()
