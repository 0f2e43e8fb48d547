"""Wiring, reload, signals, exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import BundleError
from device.service.config import read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import Segment, SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import Gap
from tests.conftest import ROOT


def hardware(segments: list[Segment]) -> Hardware:
    clock = ManualClock()
    return Hardware(microphone=SimulatedMicrophone(segments, clock=clock), relay=SimulatedRelay(clock), clock=clock,
                    supervisor=RecordedSupervisor(), events=RecordedEvents())  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    shutil.copytree(models / "demo", tmp_path / "models" / "demo")
    (tmp_path / "models" / "current").write_text("demo\n")
    path = tmp_path / "voicelatch.toml"
    path.write_text(
        f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nallow_unsigned = true\nbundle = "{tmp_path / "models"}"\n'
    )
    return path


def test_a_resident_opens_the_door_of_the_daemon_and_everything_is_closed_after(config: Path) -> None:
    things = hardware([ROOT / "device/simulated/evening/anna.wav", silence(8.0)])
    door = build_door(read_config(config), things)
    serve(door, things, Wishes(), lambda: None)
    assert [on for _, on in things.relay.history] == [True, False]  # type: ignore[attr-defined]
    messages = things.supervisor.messages  # type: ignore[attr-defined]
    assert messages[0] == "ready"
    assert messages[-1] == "stopping"
    assert "alive" in messages
    assert things.events.closed  # type: ignore[attr-defined]


def test_the_watchdog_is_not_fed_by_gaps(config: Path) -> None:
    things = hardware([Gap("no sound arrived", 0.0, 0.5)] * 200)
    serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert "alive" not in things.supervisor.messages  # type: ignore[attr-defined]


def test_a_stop_in_mid_pulse_leaves_the_relay_off(config: Path) -> None:
    things = hardware([ROOT / "device/simulated/evening/anna.wav", silence(60.0)])
    door, wishes = build_door(read_config(config), things), Wishes()
    step = door.step

    def stop_when_open() -> object:
        item = step()
        wishes.stop = things.relay.is_on
        return item

    watched = type("Watched", (), {"step": lambda self: stop_when_open(), "tell": door.tell, "scorer": door.scorer,
                                   "relay_off_due_seconds": 0.0})  # fmt: skip
    serve(watched(), things, wishes, lambda: None)  # type: ignore[arg-type]
    history = things.relay.history  # type: ignore[attr-defined]
    assert [on for _, on in history] == [True, False]
    assert history[1][0] - history[0][0] < 1.0


def test_a_bad_bundle_at_reload_leaves_the_old_one_in_service(config: Path) -> None:
    things = hardware([])
    door = build_door(read_config(config), things)
    scorer = door.scorer
    (config.parent / "models/demo/model.tflite").write_bytes(b"broken")
    reload_door(door, config, things)
    assert door.scorer is scorer
    (event,) = things.events.of("reload_refused")  # type: ignore[attr-defined]
    assert "model.tflite" in event.details["reason"]


def test_a_good_reload_takes_the_new_bundle_and_a_bad_config_does_not(config: Path) -> None:
    things = hardware([])
    door = build_door(read_config(config), things)
    scorer, text = door.scorer, config.read_text()
    config.write_text(text + "[policy]\nextra_llr_margin = 1.5\n")
    before = door.policy.open_llr
    reload_door(door, config, things)
    assert door.scorer is not scorer
    assert door.policy.open_llr == before + 1.5
    config.write_text(text + "[polcy]\n")
    reload_door(door, config, things)
    assert door.policy.open_llr == before + 1.5
    assert len(things.events.of("reload_refused")) == 1  # type: ignore[attr-defined]


def test_a_daemon_without_a_good_bundle_does_not_start(config: Path) -> None:
    (config.parent / "models/demo/SHA256SUMS").unlink()
    with pytest.raises(BundleError):
        build_door(read_config(config), hardware([]))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "device", *arguments]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_starts_reloads_and_stops_on_signals(config: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("run", "--config", str(config), "--simulate"), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["kind"] == "started"
    process.send_signal(signal.SIGHUP)
    assert json.loads(process.stdout.readline())["kind"] == "reloaded"
    process.send_signal(number)
    assert json.loads(process.stdout.readline())["kind"] == "stopped"
    assert process.wait(20) == 0


def test_the_process_says_in_its_runtime_folder_that_it_listens_and_that_it_stopped(
    config: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        command("run", "--config", str(config), "--simulate"), cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["kind"] == "started"
    process.send_signal(signal.SIGHUP)
    assert json.loads(process.stdout.readline())["kind"] == "reloaded"
    assert exit_of("status", "--runtime-dir", str(tmp_path))[0] == 0
    told = json.loads((tmp_path / "status.json").read_text())
    assert (told["pid"], told["bundle"]) == (process.pid, "demo")
    process.terminate()
    assert process.wait(20) == 0
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "stopped"
    assert exit_of("status", "--runtime-dir", str(tmp_path))[0] == 69


def exit_of(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **environment})  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_exit_codes_tell_configuration_from_bundle_from_hardware(config: Path, tmp_path: Path) -> None:
    code, said = exit_of("run", "--config", str(tmp_path / "absent.toml"))
    assert (code, "no such file" in said) == (78, True)
    code, said = exit_of("check", "--config", str(config), "--simulate")
    assert (code, said.count("ok    ")) == (0, 4)
    (tmp_path / "models/demo/head.npz").write_bytes(b"")
    code, said = exit_of("check", "--config", str(config), "--simulate", "--json")
    assert code == 65
    code, said = exit_of("run", "--config", str(config), "--simulate")
    assert (code, "head.npz" in said, "Traceback" in said) == (65, True, False)
    config.write_text(config.read_text().replace('"mock"', '"lgpio"'))
    code, said = exit_of("run", "--config", str(config))
    assert (code, "Traceback" in said) == (69, False)


def test_driving_the_pin_off_is_a_command_of_its_own(config: Path) -> None:
    config.write_text(config.read_text().replace("[model]", 'guardian = ""\n[model]'))
    assert exit_of("relay-off", "--config", str(config))[0] == 0
