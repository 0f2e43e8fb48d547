"""The check in the unit's own sandbox: which settings are taken over, and what is said where it cannot be run.

That it works under a real systemd is seen in test_units_under_systemd.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
from device.service import as_service, cli
from device.service.as_service import check_as_service, command_line, parse_unit
from tests.conftest import ROOT

SHIPPED = (ROOT / "systemd" / "voicelatch.service").read_text()
CONFIG = Path("/etc/voicelatch/voicelatch.toml")


def properties(text: str) -> list[str]:
    return parse_unit(text).properties()


def test_the_whole_sandbox_of_the_shipped_unit_is_taken_over() -> None:
    taken = properties(SHIPPED)
    for each in ("User=voicelatch", "ProtectSystem=strict", "ProtectHome=true", "MemoryDenyWriteExecute=true",
                 "DeviceAllow=char-alsa rw", "SystemCallFilter=@system-service",
                 "SystemCallFilter=~@privileged @resources", "WorkingDirectory=/opt/voicelatch",
                 "SupplementaryGroups=audio voicelatch-relay voicelatch-models"):  # fmt: skip
        assert each in taken
    # Both lines of the filter, in order: the second takes away from the first.
    filters = [each for each in taken if each.startswith("SystemCallFilter=")]
    assert filters[0].endswith("@system-service")
    assert any("LG_WD=/run/voicelatch" in each for each in taken), "a specifier that systemd-run would pass on as it is"


def test_what_makes_it_a_daemon_is_not_taken_over() -> None:
    taken = {each.partition("=")[0] for each in properties(SHIPPED)}
    assert not taken & {"ExecStart", "ExecStopPost", "ExecReload", "Type", "NotifyAccess", "Restart", "RestartSec",
                        "WatchdogSec", "TimeoutStopSec"}  # fmt: skip
    # Ending the check must not remove the running daemon's status and sockets.
    assert properties(SHIPPED)[-1] == "RuntimeDirectoryPreserve=yes"


def test_every_setting_of_the_shipped_unit_is_either_taken_over_or_left_out_on_purpose() -> None:
    taken = {each.partition("=")[0] for each in properties(SHIPPED)}
    left_out = {key for key, _ in parse_unit(SHIPPED).settings} - taken
    assert left_out == {"ExecStart", "ExecStopPost", "ExecReload", "Type", "NotifyAccess", "Restart", "RestartSec",
                        "WatchdogSec", "TimeoutStopSec"}  # fmt: skip


def test_a_drop_in_adds_and_an_empty_setting_takes_back() -> None:
    drop_in = "# /etc/systemd/system/voicelatch.service.d/button.conf\n[Service]\nSupplementaryGroups=gpio\n"
    drop_in += "DeviceAllow=\nDeviceAllow=char-gpiochip rw\n[Install]\nAlias=x.service\n"
    taken = properties(f"{SHIPPED}\n{drop_in}")
    assert "SupplementaryGroups=gpio" in taken
    assert [each for each in taken if each.startswith("DeviceAllow=")] == ["DeviceAllow=char-gpiochip rw"]
    assert not any("Alias" in each for each in taken)


def test_the_command_is_the_unit_s_own_with_check_in_place_of_run() -> None:
    line = command_line(parse_unit(SHIPPED), name="n", output=Path("/run/out"), config=CONFIG)
    own = ["/opt/voicelatch/.venv/bin/python", "-P", "-m", "device", "check", "--config", str(CONFIG), "--json"]
    assert line[-len(own) :] == own
    assert "--property=StandardOutput=file:/run/out" in line
    assert "--property=Type=oneshot" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Unit]\nDescription=x\n", "not a service unit"),
        ("[Service]\nExecStart=/usr/bin/sleep 5\n", "does not run `device run`"),
        (SHIPPED + "\n[Service]\nEnvironment=X=%h\n", "a specifier that this command does not know"),
    ],
)
def test_a_unit_that_is_not_understood_is_not_run(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        command_line(parse_unit(text), name="n", output=Path("/run/out"), config=CONFIG)


def answer(code: int, out: str = "", err: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess([], code, out, err)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    made = as_service.tempfile.TemporaryDirectory
    monkeypatch.setattr(
        as_service.tempfile, "TemporaryDirectory", lambda prefix, dir: made(prefix=prefix, dir=tmp_path)
    )


@pytest.mark.usefixtures("as_root")
def test_what_the_service_found_is_told_and_its_failed_unit_cleaned_away() -> None:
    called: list[Sequence[str]] = []

    def call(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        called.append(command)
        if command[0] == "systemd-run":
            output = next(each for each in command if "StandardOutput" in each).partition("file:")[2]
            found = [{"part": "bundle", "ok": False, "text": "not there", "exit_code": 65}]
            Path(output).write_text(json.dumps(found))
            return answer(1)
        return answer(0, SHIPPED)

    (found,) = check_as_service(CONFIG, call=call)
    assert (found.part, found.ok, found.exit_code) == ("bundle", False, 65)
    assert [each[:2] for each in called] == [["systemctl", "cat"], ["systemd-run", "--quiet"],
                                             ["systemctl", "reset-failed"]]  # fmt: skip


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("first", "second", "error", "said"),
    [
        (answer(1, err="No files found"), answer(0), ConfigError, "there is no such unit"),
        (answer(0, SHIPPED), answer(1, err="Failed to start"), StateError, "could not be run as the service"),
    ],
)
def test_a_service_that_cannot_be_imitated_is_said(
    first: "subprocess.CompletedProcess[str]", second: "subprocess.CompletedProcess[str]", error: type[Exception],
    said: str,
) -> None:  # fmt: skip
    with pytest.raises(error, match=said):
        check_as_service(CONFIG, call=lambda each: first if each[1] == "cat" else second)


def test_only_root_can_and_only_with_a_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["check", "--as-service", "--config", str(CONFIG)]) == 73
    assert "sudo" in capsys.readouterr().err
    assert cli.main(["check", "--as-service", "--bundle", "models"]) == 78
