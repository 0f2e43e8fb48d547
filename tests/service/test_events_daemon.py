"""The daemon's own log: which bundle and settings decided, over restarts and reloads, in the state directory."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.service.config import Config, ModelConfig, RelayConfig, read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.extras import Extras, config_digest
from device.service.guard_settings import ButtonConfig
from device.service.verified import bundle_digest
from device.simulated.button import SimulatedButton
from device.simulated.clock import ManualClock
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from tests.conftest import ROOT
from tests.event_logs import kinds, sink, told, verdict

ANNA = ROOT / "device/simulated/evening/anna.wav"


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    shutil.copytree(models / "demo", tmp_path / "models" / "demo")
    (tmp_path / "models" / "current").write_text("demo\n")
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\n[model]\nbundle = "{tmp_path / "models"}"\n')
    return path


def hardware(tmp_path: Path, segments: list[Segment], *, button: bool = False) -> Hardware:
    clock = ManualClock()
    extras = Extras(button=SimulatedButton(clock) if button else None)
    return Hardware(microphone=SimulatedMicrophone(segments, clock=clock), relay=SimulatedRelay(clock), clock=clock,
                    supervisor=RecordedSupervisor(), events=sink(tmp_path / "log"), extras=extras)  # fmt: skip


def decisions(tmp_path: Path) -> list[dict[str, object]]:
    return [each for each in told(tmp_path / "log") if each["kind"] == "decision"]


def test_each_decision_names_the_bundle_and_the_settings_by_digest(config: Path, tmp_path: Path) -> None:
    things, settings = hardware(tmp_path, [ANNA, silence(8.0)]), read_config(config)
    serve(build_door(settings, things), things, Wishes(), lambda: None)
    told = next(each for each in decisions(tmp_path) if each["outcome"] == "open")
    assert told["bundle_digest"] == bundle_digest(tmp_path / "models" / "demo")
    assert told["config_digest"] == config_digest(settings)
    assert decisions(tmp_path)[0]["replay_compared"] == 0
    assert verdict(tmp_path / "log").problems == []


def test_a_recording_does_not_open_the_daemons_door_a_second_time_not_even_after_a_reload(
    config: Path, tmp_path: Path
) -> None:
    things = hardware(tmp_path, [ANNA, silence(30.0), ANNA, silence(8.0)])
    door = build_door(read_config(config), things)
    while not kinds(tmp_path / "log").count("relay_off") if (tmp_path / "log").exists() else True:
        door.step()
    config.write_text(config.read_text() + "[policy]\nextra_llr_margin = 0.1\n")
    reload_door(door, config, things)
    serve(door, things, Wishes(), lambda: None)
    outcomes = [told["outcome"] for told in decisions(tmp_path)]
    assert outcomes.count("open") == 1
    assert outcomes[-1] == "replay"
    digests = {told["config_digest"] for told in decisions(tmp_path)}
    assert len(digests) == 2


def test_a_button_that_is_asked_for_only_at_a_reload_is_refused(config: Path, tmp_path: Path) -> None:
    settings = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(tmp_path / "models")),
                      button=ButtonConfig(enabled=True))  # fmt: skip
    with pytest.raises(ConfigError, match="restart the daemon"):
        build_door(settings, hardware(tmp_path, []))
    assert build_door(settings, hardware(tmp_path, [], button=True)).guards


def test_everything_is_let_go_at_the_end(config: Path, tmp_path: Path) -> None:
    things = hardware(tmp_path, [silence(1.0)], button=True)
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert things.extras.button.closed  # type: ignore[union-attr]


def test_under_systemd_the_log_is_in_the_state_directory_and_in_the_journal_and_goes_on_after_a_kill(
    config: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    said = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "--config", str(config), "--simulate"], cwd=ROOT,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "STATE_DIRECTORY": str(state)},
        )  # fmt: skip
        assert process.stdout is not None
        said.append(json.loads(process.stdout.readline()))
        process.kill()
        process.wait(20)
    assert [told["n"] for told in said] == [1, 2]
    done = subprocess.run(
        [sys.executable, "-m", "device", "events", "verify", "--config", str(config), "--state-dir", str(state)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "whole: 2 lines" in done.stdout) == (0, True), done.stderr
