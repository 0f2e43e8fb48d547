"""What a person meets at the command line: help, clear failures, exit codes, figures."""

import argparse
import json
import math
import shutil
from pathlib import Path

import pytest

from device.errors import BundleError, RuntimeMissingError
from device.service import check, cli, verified
from device.service.check import check_all
from device.service.config import read_config
from device.service.daemon import Hardware, build_door, reload_door
from device.service.status import Sighting, Status
from device.service.verified import bundle_digest
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from tests.conftest import ROOT

COMMANDS = ("run", "check", "status", "use", "demo", "bench", "microphones", "relay", "relay-off",
            "events", "forget", "record", "recordings",
            "levels", "listen", "scan", "gateway", "web", "config", "key")  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nallow_unsigned = true\nbundle = "{models}"\n')
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    assert "Example: " in said
    assert "Exit codes: " in said


@pytest.mark.parametrize(
    ("program", "called"), [("/opt/voicelatch/device/__main__.py", "python -m device"), ("-c", "voicelatch")]
)
def test_usage_and_example_name_the_program_as_it_was_called(
    program: str, called: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [program])
    for command in (["levels"], ["events", "why"]):
        with pytest.raises(SystemExit):
            cli.main([*command, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert f"usage: {called} {' '.join(command)}" in said
        assert f"Example: {called} {' '.join(command)}" in said


def test_every_command_is_listed() -> None:
    chosen = next(each for each in cli.build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    assert set(chosen.choices) == set(COMMANDS)


def test_a_defect_is_logged_with_its_traceback_and_leaves_with_70(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_path: Path) -> None:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(cli, "load_config", fail)
    assert cli.main(["run", "--config", str(config), "--simulate"]) == 70
    assert "ZeroDivisionError" in caplog.text


def test_a_missing_library_is_one_message_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeMissingError("PortAudio is not installed", next_step="sudo apt install libportaudio2")

    monkeypatch.setattr("device.hardware.microphone.load_sounddevice", fail)
    assert cli.main(["microphones"]) == 69
    said = capsys.readouterr().err
    assert "sudo apt install libportaudio2" in said
    assert "Traceback" not in said


def test_one_part_s_defect_does_not_hide_the_other_parts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(check, "_detector", fail)
    found = {each.part: each for each in check_all(config, simulate=True)}
    assert found["speech detector"].exit_code == 70
    assert found["golden vectors"].ok


def test_check_goes_on_after_a_bad_configuration(tmp_path: Path) -> None:
    found = {each.part: each for each in check_all(tmp_path / "absent.toml", simulate=True)}
    assert (found["configuration"].ok, found["configuration"].exit_code) == (False, 78)
    assert found["speech detector"].ok


def test_check_says_that_the_mock_pin_moves_nothing(config: Path) -> None:
    found = {each.part: each for each in check_all(config, simulate=False)}
    assert not found["relay"].ok
    assert "lgpio" in found["relay"].text


def test_check_verifies_one_bundle_without_a_configuration(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--bundle", str(models), "--json"]) == 0
    found = {each["part"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(found) == {"digest", "bundle", "golden vectors"}
    assert found["digest"]["text"] == bundle_digest(models / "demo")
    shutil.copytree(models / "demo", tmp_path / "bad")
    (tmp_path / "bad/head.npz").write_bytes(b"altered")
    assert cli.main(["check", "--bundle", str(tmp_path / "bad")]) == 65
    assert "FAILED bundle" in capsys.readouterr().out
    assert cli.main(["check", "--bundle", str(tmp_path / "absent")]) == 65


def test_a_microphone_that_the_daemon_has_is_said_to_be_the_daemon_s(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = [check.Finding("microphone", False, "cannot be opened", 69)]
    monkeypatch.setattr(check, "check_all", lambda _path, *, simulate: busy)
    assert cli.main(["check", "--config", str(config)]) == 69
    assert "stop it, check, start it" not in capsys.readouterr().err
    serves = Sighting(status=Status(state="listening", pid=1), alive=True)
    monkeypatch.setattr("device.service.status.look", lambda _folder: serves)
    assert cli.main(["check", "--config", str(config)]) == 69
    assert "stop it, check, start it" in capsys.readouterr().err


def test_check_takes_a_configuration_or_a_bundle_and_the_installed_configuration_by_itself(
    monkeypatch: pytest.MonkeyPatch, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", "--config", "a", "--bundle", "b"])
    assert caught.value.code == 2
    monkeypatch.setattr(cli, "DEFAULT_CONFIG", config)
    assert cli.main(["check", "--simulate"]) == 0
    assert str(config) in capsys.readouterr().out


def test_use_moves_the_pointer_and_says_what_was_current(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(models / "demo", tmp_path / "second")
    (tmp_path / "first").mkdir()
    (tmp_path / "current").write_text("first\n")
    assert cli.main(["use", "second", "--models", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"previous": "first", "current": "second", "digest": bundle_digest(models / "demo")}
    assert (tmp_path / "current").read_text() == "second\n"
    (tmp_path / "current").unlink()
    assert cli.main(["use", "second", "--models", str(tmp_path)]) == 0
    assert "before: none" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["damaged", "absent", "..", ".", "a/b", ""])
def test_use_leaves_the_pointer_where_the_bundle_is_not_fit(tmp_path: Path, models: Path, name: str) -> None:
    shutil.copytree(models / "demo", tmp_path / "damaged")
    (tmp_path / "damaged/golden.npz").write_bytes(b"altered")
    (tmp_path / "current").write_text("first\n")
    assert cli.main(["use", name, "--models", str(tmp_path)]) == 65
    assert (tmp_path / "current").read_text() == "first\n"


def test_use_names_the_bundles_that_are_there(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["use", "dmeo", "--models", str(models)]) == 65
    assert "allowed:  demo" in capsys.readouterr().err


def test_use_says_when_the_pointer_cannot_be_written(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr("device.verdict.bundle.replace_file", fail)
    assert cli.main(["use", "demo", "--models", str(models)]) == 73
    assert "not yours" in capsys.readouterr().err


def test_a_bundle_replaced_while_it_is_read_is_refused(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(["before", "after"])
    monkeypatch.setattr(verified, "bundle_digest", lambda _folder: next(digests))
    with pytest.raises(BundleError, match="replaced"):
        verified.verify(models, trust=verified.UNSIGNED)


def test_bench_writes_every_stage(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    assert cli.main(["bench", "--bundle", str(models), "--json", str(out)]) == 0
    told, printed = json.loads(out.read_text()), capsys.readouterr().out
    for stage in ("vad", "features", "inference", "policy"):
        assert 0 < told[f"{stage}_ms"] <= told[f"{stage}_p95_ms"]
        assert f"{stage}_ms" in printed
    assert {"start_ms", "peak_memory_mb", "core_share_silence", "core_share_speech"} <= set(told)
    assert all(math.isfinite(value) for value in told.values())


def test_bench_says_where_it_cannot_write(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--bundle", str(models), "--json", str(tmp_path / "absent" / "b.json")]) == 73
    assert "absent" in capsys.readouterr().err


def test_a_defect_during_reload_leaves_the_old_door_in_service(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, events, supervisor = ManualClock(), RecordedEvents(), RecordedSupervisor()
    hardware = Hardware(microphone=SimulatedMicrophone([], clock=clock), relay=SimulatedRelay(clock), clock=clock,
                        supervisor=supervisor, events=events)  # fmt: skip
    door = build_door(read_config(config), hardware)
    scorer = door.scorer

    def fail(_path: Path, *, runtime: str) -> None:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr("device.service.daemon.verify", fail)
    reload_door(door, config, hardware)
    assert door.scorer is scorer
    assert [event.kind for event in events.events] == ["reload_refused"]
    assert supervisor.messages == ["reloading", "ready"]


def test_a_system_call_that_the_sandbox_denies_is_refused_not_fatal() -> None:
    """numpy's OpenBLAS calls mbind: a filter that kills would keep the daemon from ever starting."""
    assert "SystemCallErrorNumber=EPERM" in (ROOT / "systemd/voicelatch.service").read_text()
