"""What the daemon says of itself, and what somebody who looks makes of it."""

import json
import logging
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.errors import BundleError
from device.service import cli
from device.service.config import read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.status import NAME, Status, StatusFile, in_short, look, runtime_folder
from device.service.verified import bundle_digest
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Told(StatusFile):
    """Remembers every state that was written."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder)
        self.history: list[Status] = []

    def _write(self, status: Status) -> None:
        super()._write(status)
        self.history.append(status)


def hardware(status: StatusFile) -> Hardware:
    clock = ManualClock()
    return Hardware(microphone=SimulatedMicrophone([silence(5.0)], clock=clock), relay=SimulatedRelay(clock),
                    clock=clock, supervisor=RecordedSupervisor(), events=RecordedEvents(), status=status)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, models: Path) -> Path:
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n')
    return path


def test_the_daemon_writes_at_start_at_each_reload_and_at_the_end_and_not_for_each_frame(
    config: Path, tmp_path: Path, models: Path
) -> None:
    told = Told(tmp_path)
    things, wishes = hardware(told), Wishes(reload=True)
    door = build_door(read_config(config), things)
    serve(door, things, wishes, lambda: reload_door(door, config, things))
    assert [each.state for each in told.history] == ["listening", "listening", "stopped"]
    assert [each.last_reload.count for each in told.history] == [0, 1, 1]
    written = json.loads((tmp_path / NAME).read_text())
    assert written["digest"] == bundle_digest(models / "demo")
    assert (written["bundle"], written["pid"], written["state"]) == ("demo", os.getpid(), "stopped")
    assert written["last_reload"]["ok"] is True


def test_a_refused_reload_is_told_and_the_old_bundle_stays_named(config: Path, tmp_path: Path) -> None:
    things = hardware(StatusFile(tmp_path))
    door = build_door(read_config(config), things)
    before = things.status.status.digest
    config.write_text(config.read_text() + '[polcy]\nnote = "Anna moved in"\n')
    reload_door(door, config, things)
    told = json.loads((tmp_path / NAME).read_text())
    assert (told["last_reload"]["ok"], told["last_reload"]["count"], told["digest"]) == (False, 1, before)
    assert "voicelatch.toml" in told["last_reload"]["reason"]


def test_the_file_names_nobody(config: Path, tmp_path: Path) -> None:
    things = hardware(StatusFile(tmp_path))
    door = build_door(read_config(config), things)
    config.write_text(config.read_text() + '[microphone]\nAnna = "Anna"\n')
    reload_door(door, config, things)
    text = (tmp_path / NAME).read_text()
    assert not [name for name in ("Anna", *door.scorer.bundle.residents) if name in text]  # type: ignore[attr-defined]


def test_an_error_in_short_leaves_out_what_was_received() -> None:
    error = BundleError("the file was altered", where="/home/anna/models/head.npz", received="Anna")
    assert in_short(error) == "the file was altered (head.npz)"
    assert in_short(KeyError("Anna")) == "a defect: KeyError"


def test_everybody_may_read_it_whatever_the_umask_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        StatusFile(tmp_path).starting()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_a_status_that_cannot_be_written_does_not_stop_the_door(
    config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    things = hardware(StatusFile(tmp_path / "absent"))
    with caplog.at_level(logging.ERROR):
        serve(build_door(read_config(config), things), things, Wishes(), lambda: None)
    assert [each.kind for each in things.events.events][-1] == "stopped"  # type: ignore[attr-defined]
    assert "absent" in caplog.text


def test_a_living_daemon_is_listening_and_a_dead_one_is_not(tmp_path: Path) -> None:
    board = StatusFile(tmp_path)
    board.loaded(bundle="demo", sequence=3, digest="ab" * 32, at=NOON)
    board.listening()
    assert look(tmp_path).listening
    assert "demo #3 (abababababab)" in look(tmp_path).as_text()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(20)
    (tmp_path / NAME).write_text((tmp_path / NAME).read_text().replace(f'"pid": {os.getpid()}', f'"pid": {gone.pid}'))
    seen = look(tmp_path)
    assert (seen.listening, seen.alive) == (False, False)
    assert "is gone" in seen.as_text()


@pytest.mark.parametrize("text", ["", "[]", "torn", '{"state": "asleep", "pid": 5}', '{"state": "stopped", "pid": -1}'])
def test_a_status_that_makes_no_sense_is_a_problem_and_never_a_listening_door(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    seen = look(tmp_path)
    assert seen.status is None
    assert not seen.listening
    assert NAME in seen.problem


def test_the_command_prints_json_and_its_exit_code_says_whether_the_door_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["status", "--json", "--runtime-dir", str(tmp_path)]
    assert cli.main(ask) == 69
    assert "is it running" in json.loads(capsys.readouterr().out)["problem"]
    board = StatusFile(tmp_path)
    board.listening()
    board.reloaded(at=NOON, refused="no")
    assert cli.main(ask) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["listening"], told["last_reload"]["reason"], told["last_reload"]["count"]) == (True, "no", 1)
    board.stopped()
    assert cli.main(ask[:1] + ask[2:]) == 69
    assert "stopped" in capsys.readouterr().out


def test_the_folder_asked_for_goes_before_that_of_systemd(tmp_path: Path) -> None:
    assert runtime_folder(tmp_path, {"RUNTIME_DIRECTORY": "/run/x"}) == tmp_path
    assert runtime_folder(None, {"RUNTIME_DIRECTORY": "/run/x"}) == Path("/run/x")
    assert runtime_folder(None, {}) is None
