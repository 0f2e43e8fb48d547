"""``voicelatch check --as-service``: the check in the unit's own sandbox and user, as the daemon will find things.

What works for a person in a shell may not work for the daemon: another user, no home, read-only folders, few devices,
filtered system calls. The installed unit's settings, drop-ins included, are read as systemd has them in force, and a
unit of the moment is run with the same, its command being ``check``. Nothing of the unit itself is touched.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import ConfigError, StateError
from device.service.check import Finding

UNIT = "voicelatch.service"
RUN_SECONDS = 90.0
# What makes the daemon a daemon, and what the check decides itself. Everything else in [Service] is the sandbox.
NOT_TAKEN = re.compile(
    r"Exec\w+|Type|NotifyAccess|Restart\w*|Watchdog\w+|Timeout\w+|RuntimeDirectoryPreserve|Standard\w+|PIDFile|"
    r"RemainAfterExit|SuccessExitStatus|OOMPolicy|KillMode|KillSignal|FileDescriptorStoreMax|GuessMainPID"
)
# Specifiers that the shipped units use; systemd-run does not expand them.
SPECIFIERS = {"%t": "/run", "%S": "/var/lib", "%%": "%"}

Call = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True)
class Unit:
    """The ``[Service]`` section of a unit: its settings in order, a name as often as it stands there."""

    settings: tuple[tuple[str, str], ...]

    def last(self, name: str) -> str:
        return next((value for key, value in reversed(self.settings) if key == name), "")

    @property
    def command(self) -> list[str]:
        """``ExecStart`` in words."""
        return shlex.split(_expanded("ExecStart", self.last("ExecStart").lstrip("@-:+!")))

    def properties(self) -> list[str]:
        """``NAME=VALUE`` for systemd-run: the sandbox, the user, the environment."""
        taken = [f"{key}={_expanded(key, value)}" for key, value in self.settings if not NOT_TAKEN.fullmatch(key)]
        # The daemon's own runtime directory must outlive the check.
        return [*taken, "RuntimeDirectoryPreserve=yes"]


def parse_unit(text: str) -> Unit:
    """What ``systemctl cat`` prints: the unit file and its drop-ins, one after another. Raises :class:`ConfigError`
    where there is no service in it. A setting without a value takes back those of its name before it."""
    settings: list[tuple[str, str]] = []
    inside = False
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == "[Service]"
        elif inside and line and line[0] not in "#;":
            key, _, value = (part.strip() for part in line.partition("="))
            if value:
                settings.append((key, value))
            else:
                settings = [each for each in settings if each[0] != key]
    unit = Unit(tuple(settings))
    if not unit.last("ExecStart"):
        raise ConfigError("not a service unit", where=UNIT, next_step="install it: sudo systemd/install.sh")
    return unit


def command_line(unit: Unit, *, name: str, output: Path, config: Path | None) -> list[str]:
    """The systemd-run command for the check; ``config`` in place of the unit's own. Raises :class:`ConfigError` for a
    unit that does not run ``device run``."""
    command = unit.command
    if "run" not in command or "device" not in command:
        raise ConfigError(
            "the unit does not run `device run`", where=f"{UNIT}: ExecStart", received=shlex.join(command)
        )
    place = command.index("run")
    asked = command[place + 1 :] if config is None else ["--config", str(config)]
    # Output to a file and Type=oneshot, so that it needs no D-Bus: systemd-run returns when the check has ended.
    return [
        "systemd-run", "--quiet", f"--unit={name}", "--property=Type=oneshot",
        f"--property=TimeoutStartSec={RUN_SECONDS:.0f}", f"--property=StandardOutput=file:{output}",
        "--property=StandardError=journal",
        *(f"--property={each}" for each in unit.properties()),
        *command[:place], "check", *asked, "--json",
    ]  # fmt: skip


def check_as_service(config: Path | None, *, call: Call | None = None) -> list[Finding]:
    """The findings of the check under the unit. Raises :class:`StateError` without root or systemd, or where the check
    could not be run there, and :class:`ConfigError` for a unit that is not there or not ours."""
    if os.geteuid() != 0:
        raise StateError("only root can start a unit", where="--as-service", next_step="run it with sudo")
    run = call if call is not None else _call
    shown = run(["systemctl", "cat", "--no-pager", UNIT])
    if shown.returncode:
        raise ConfigError("there is no such unit", where=UNIT, received=shown.stderr.strip() or shown.stdout.strip(),
                          next_step="install it: sudo systemd/install.sh")  # fmt: skip
    unit, name = parse_unit(shown.stdout), f"voicelatch-check-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="voicelatch-check-", dir="/run") as folder:
        output = Path(folder) / "findings"
        done = run(command_line(unit, name=name, output=output, config=config))
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        if done.returncode:
            # A check that found something leaves with a code of its own, and its unit behind as failed.
            run(["systemctl", "reset-failed", f"{name}.service"])
    try:
        return [_finding(each) for each in json.loads(said)]
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(
            "the check could not be run as the service", where=UNIT,
            received=(done.stderr.strip() or said[:200] or "it said nothing"),
            next_step=f"see its end: journalctl -u {name}",
        ) from error  # fmt: skip


def _finding(told: Any) -> Finding:
    return Finding(str(told["part"]), told["ok"] is True, str(told["text"]), int(told["exit_code"]))


def _expanded(key: str, value: str) -> str:
    def known(found: re.Match[str]) -> str:
        if found[0] not in SPECIFIERS:
            raise ConfigError("a specifier that this command does not know", where=f"{UNIT}: {key}", received=found[0],
                              allowed=", ".join(SPECIFIERS))  # fmt: skip
        return SPECIFIERS[found[0]]

    return re.sub(r"%.", known, value)


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS + 10.0,
                              stdin=subprocess.DEVNULL)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StateError(f"{command[0]} cannot be run", where="--as-service", received=error,
                         next_step="this needs a machine that systemd runs") from error  # fmt: skip
