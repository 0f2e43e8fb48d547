"""The units are well-formed, stay in their sandbox, and say what the daemon and the guardian rely on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.live.access import USERS
from device.service.where import LIVE_FOLDER, PAGE_STATE, live_socket
from tests.conftest import ROOT

NAMES = ("voicelatch", "voicelatch-guardian", "voicelatch-gateway", "voicelatch-web")
DAEMON, GUARDIAN, GATEWAY, PAGE = UNITS = [ROOT / f"systemd/{name}.service" for name in NAMES]
PINS = ROOT / "systemd/voicelatch.service.d/pins.conf"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda each: each.stem)


def keys(unit: Path) -> dict[str, list[str]]:
    """What the unit says, by key."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_systemd
@each_unit
def test_a_unit_has_no_unknown_keys(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", *UNITS], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line and "not executable" not in line]
    assert complaints == []


@needs_systemd
@each_unit
def test_a_unit_s_exposure_is_at_most_1_0_and_with_a_network_1_3(unit: Path) -> None:
    threshold = 13 if unit in (GATEWAY, PAGE) else 10
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", unit],
                          capture_output=True, text=True, check=False)  # fmt: skip
    print(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout[-500:]


@needs_systemd
def test_with_the_pins_the_daemon_s_exposure_is_still_at_most_1_0(tmp_path: Path) -> None:
    unit = tmp_path / DAEMON.name
    unit.write_text(DAEMON.read_text())
    told = {}
    for name in ("without", "with"):
        if name == "with":
            (tmp_path / f"{DAEMON.name}.d").mkdir()
            (tmp_path / f"{DAEMON.name}.d/pins.conf").write_text(PINS.read_text())
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=10", unit],
                              capture_output=True, text=True, check=False)  # fmt: skip
        print(name, done.stdout.splitlines()[-1])
        assert done.returncode == 0, done.stdout[-500:]
        told[name] = next(line for line in done.stdout.splitlines() if "DeviceAllow=" in line)
    # The drop-in was read: without it the second figure would say nothing.
    assert "char-gpiochip" in told["with"]
    assert "char-gpiochip" not in told["without"]


def test_a_button_or_a_light_brings_the_pins_and_nothing_else() -> None:
    assert keys(PINS) == {"SupplementaryGroups": ["gpio"], "DeviceAllow": ["char-gpiochip rw"]}


@each_unit
def test_a_unit_is_started_again_whatever_happened_and_for_ever(unit: Path) -> None:
    said = keys(unit)
    assert said["Restart"] == ["always"]
    assert said["StartLimitIntervalSec"] == ["0"]
    assert said["Type"] == ["notify"]
    assert "WatchdogSec" in said
    # A configuration that is mended must bring the door back.
    assert "RestartPreventExitStatus" not in said


def test_the_pin_is_driven_off_after_any_death() -> None:
    config = "--config /etc/voicelatch/voicelatch.toml"
    assert keys(GUARDIAN)["ExecStopPost"] == [f"/opt/voicelatch/.venv/bin/python -P -m device.guardian off {config}"]
    assert keys(DAEMON)["ExecStopPost"] == [f"/opt/voicelatch/.venv/bin/python -P -m device relay-off {config}"]


def test_the_guardian_serves_the_daemon_s_user_and_comes_first() -> None:
    daemon, guardian = keys(DAEMON), keys(GUARDIAN)
    assert guardian["ExecStart"][0].endswith(f" --user {daemon['User'][0]}")
    assert GUARDIAN.name in daemon["After"][0].split()
    assert daemon["Wants"] == [GUARDIAN.name]
    assert daemon["User"] != guardian["User"]
    assert guardian["Group"][0] in daemon["SupplementaryGroups"][0].split()


def test_gateway_and_page_alone_have_a_network_and_nothing_that_the_door_needs_depends_on_them() -> None:
    daemon, gateway = keys(DAEMON), keys(GATEWAY)
    assert daemon["PrivateNetwork"] == ["true"]
    assert daemon["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert gateway["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]
    assert gateway["PrivateDevices"] == ["true"]
    for apart in (GATEWAY, PAGE):
        assert not {"Requires", "BindsTo", "PartOf", "Wants"} & set(keys(apart))
        assert all(apart.name not in unit.read_text() for unit in (DAEMON, GUARDIAN))


@pytest.mark.parametrize("unit", [GATEWAY, PAGE], ids=lambda each: each.stem)
def test_what_has_a_network_is_a_user_of_its_own_and_in_no_group_but_that_of_the_live_socket(unit: Path) -> None:
    made, said = (ROOT / "systemd/sysusers.d/voicelatch.conf").read_text(), keys(unit)
    assert said["User"] == [unit.stem]
    assert unit.stem not in (keys(DAEMON)["User"][0], keys(GUARDIAN)["User"][0])
    assert said["SupplementaryGroups"] == ["voicelatch-live"]
    assert "Group" not in said
    assert not re.search(rf"^m {unit.stem} ", made, re.M), "in a further group"
    assert "ReadWritePaths" not in said
    assert said["ProtectSystem"] == ["strict"]
    assert said["PrivateDevices"] == ["true"]
    (hidden,) = said["InaccessiblePaths"]
    for path in (f"/run/{keys(GUARDIAN)['RuntimeDirectory'][0]}", "/var/lib/voicelatch", "/opt/voicelatch/models"):
        assert f"-{path}" in hidden.split()
    assert {"ptrace", "process_vm_readv", "process_vm_writev"} <= set(said["SystemCallFilter"][-1].lstrip("~").split())


def test_the_page_s_state_is_its_own_and_there_before_it_is_started() -> None:
    said = keys(PAGE)
    assert said["StateDirectory"] == ["voicelatch-web"]
    assert said["ExecStart"][0].endswith(f"--state-dir {PAGE_STATE}")
    text = (ROOT / "systemd/tmpfiles.d/voicelatch.conf").read_text()
    assert re.search(rf"^d {PAGE_STATE} 0700 voicelatch-web voicelatch-web", text, re.M)
    assert "user=voicelatch-web" in (ROOT / "systemd/voicelatch.sh").read_text()


def test_the_live_socket_s_folder_is_the_daemon_s_and_its_group_is_not_that_of_the_daemon_s_files() -> None:
    text = (ROOT / "systemd/tmpfiles.d/voicelatch.conf").read_text()
    assert re.search(rf"^d {LIVE_FOLDER} +2750 voicelatch voicelatch-live", text, re.M)
    assert keys(DAEMON)["ReadWritePaths"] == [f"-{LIVE_FOLDER}"]
    assert live_socket(Path(f"/run/{keys(DAEMON)['RuntimeDirectory'][0]}")) == LIVE_FOLDER / "live.sock"
    assert set(USERS) == {keys(PAGE)["User"][0], keys(GATEWAY)["User"][0]}


def test_only_the_guardian_reaches_the_pins_and_only_the_daemon_the_microphone() -> None:
    assert keys(GUARDIAN)["DeviceAllow"] == ["char-gpiochip rw"]
    assert keys(DAEMON)["DeviceAllow"] == ["char-alsa rw"]
    assert keys(GUARDIAN)["SupplementaryGroups"] == ["gpio"]
    assert "gpio" not in keys(DAEMON)["SupplementaryGroups"][0].split()


@each_unit
def test_a_system_call_that_the_sandbox_denies_is_refused_not_fatal(unit: Path) -> None:
    """numpy's OpenBLAS calls mbind: a filter that kills would keep the daemon from ever starting."""
    assert keys(unit)["SystemCallErrorNumber"] == ["EPERM"]


def test_every_user_and_group_of_the_units_is_made() -> None:
    made = re.findall(r"^[ug] (\S+)", (ROOT / "systemd/sysusers.d/voicelatch.conf").read_text(), re.M)
    for unit in UNITS:
        said = keys(unit)
        wanted = {*said["User"], *said.get("Group", []), *said["SupplementaryGroups"][0].split()}
        assert wanted <= set(made)


def test_bundles_belong_to_those_who_deploy() -> None:
    text = (ROOT / "systemd/tmpfiles.d/voicelatch.conf").read_text()
    assert re.search(r"^d /opt/voicelatch/models +2770 root voicelatch-models", text, re.M)
    assert "voicelatch-models" in keys(DAEMON)["SupplementaryGroups"][0].split()
    assert keys(DAEMON)["ProtectSystem"] == ["strict"]
    assert keys(DAEMON)["ReadWritePaths"] == [f"-{LIVE_FOLDER}"]


@each_unit
def test_a_unit_imports_from_nowhere_but_where_the_program_is(unit: Path) -> None:
    said = keys(unit)
    for line in (*said["ExecStart"], *said.get("ExecStopPost", [])):
        assert line.startswith("/opt/voicelatch/.venv/bin/python -P -m device")


@pytest.mark.parametrize(
    "given", [["--wrong"], ["--purge"], ["--may-downgrade"], ["--listen", "soon"], ["--with", "train"]]
)
def test_the_install_script_refuses_what_it_does_not_know(given: list[str]) -> None:
    done = subprocess.run(["bash", ROOT / "systemd/install.sh", *given], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "install: " in done.stderr


def test_the_install_script_says_what_it_takes() -> None:
    done = subprocess.run(["bash", ROOT / "systemd/install.sh", "--help"], capture_output=True, text=True, check=True)
    for word in (
        "--uninstall",
        "--purge",
        "--offline",
        "--listen",
        "--with mqtt,metrics",
        "/opt/voicelatch",
        "/etc/voicelatch",
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("arguments", "user"),
    [
        (["check", "--as-service"], "root"),
        (["key", "trust", "x"], "root"),
        (["record", "Anna Maria"], "voicelatch"),
        (["record", "--as-service"], "voicelatch"),
    ],
)
def test_the_command_is_the_daemon_s_user_for_whoever_may_use_sudo(
    tmp_path: Path, arguments: list[str], user: str
) -> None:
    script = (ROOT / "systemd/voicelatch.sh").read_text().replace("/opt/voicelatch", str(tmp_path))
    script = script.replace("PATH=/usr/sbin", f"PATH={tmp_path}:/usr/sbin")
    for name, does in (("sudo", 'for each in "$@"; do echo "$each"; done'), ("id", "echo 1000")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", script, "voicelatch", *arguments], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "TERM": "linux", "PYTHONPATH": "/home/eve", "HOME": "/home/eve"},
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[:5] == ["-u", user, "--", "/usr/bin/env", "-i"]
    assert said[said.index("-i") :].index("-I"), "the folder says what is imported"
    assert "TERM=linux" in said
    assert not [each for each in said if each.startswith(("PYTHONPATH", "HOME"))]
    # Names with spaces stay one word.
    assert said[-len(arguments) :] == arguments
