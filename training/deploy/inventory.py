"""Where the doors are: one table ``[doors.NAME]`` each, in strict TOML.

[doors.porch]
host = "pi@porch.local"
identity = "~/.ssh/doors"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from device.errors import ConfigError
from device.settings import settings_from, within

# Neither part may begin with '-': ssh would take it for an option.
_HOST = re.compile(r"(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:]+(?:%[A-Za-z0-9]+)?)")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_OPTION = re.compile(r"[A-Za-z]+=\S.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """How to reach a door and what to call there.

    ``host`` is ``name``, ``user@name`` or an address; ``port`` 0 and an empty ``identity`` leave those to ssh's own
    configuration; ``options`` are further ssh options such as ``ProxyJump=gate``. ``models`` and ``python`` are below
    ``folder``, or absolute; ``config`` is the daemon's configuration (empty: where install.sh puts it).
    ``privileged_command`` is the program on the door that does, for this user, the few things
    that take the daemon's rights; an operation follows it (``reload``, ``list-recordings``, ``send-recordings``,
    ``allow-older``). Empty: the user of ssh has those rights, and the door's python is asked directly.
    ``reload_command`` and ``status_command`` are lines for the door's shell, run in ``folder``; an empty
    ``reload_command`` is the privileged command's operation, an empty ``status_command`` is ``device status --json`` on
    that python. ``health_seconds`` is how long the daemon may take to report the new bundle. ``keep`` bundles stay on
    the door, the current one included.
    """

    host: str
    port: int = 0
    identity: str = ""
    options: tuple[str, ...] = ()
    folder: str = "/opt/voicelatch"
    config: str = ""
    models: str = "models"
    python: str = ".venv/bin/python"
    privileged_command: str = "sudo -n /opt/voicelatch/bin/deploy"
    reload_command: str = ""
    status_command: str = ""
    health_seconds: float = 30.0
    keep: int = 3

    def __post_init__(self) -> None:
        _matches("host", self.host, _HOST, "name, user@name or an address; nothing that begins with '-'")
        within("port", self.port, 0, 65_535)
        for option in self.options:
            _matches("options", option, _OPTION, "Name=value, as after ssh -o")
        if not PurePosixPath(self.folder).is_absolute():
            raise ConfigError("not an absolute path", where="folder", received=self.folder, allowed="/opt/voicelatch")
        for key, value in (("folder", self.folder), ("models", self.models), ("python", self.python)):
            if not value or value.startswith("-") or not value.isprintable():
                raise ConfigError("not a path", where=key, received=value, allowed="a path; it may not begin with '-'")
        if self.config and (self.config.startswith("-") or not self.config.isprintable()):
            raise ConfigError("not a path", where="config", received=self.config, allowed="a path, or nothing")
        if not self.reload_command.strip() and not self.privileged_command.strip():
            raise ConfigError("nothing to run", where="reload_command", received="", allowed="a command line, or a "
                              "privileged_command that has the operation reload")  # fmt: skip
        within("health_seconds", self.health_seconds, 0.5, 600.0)
        # Two at least: the current bundle, and the one to return to.
        within("keep", self.keep, 2, 100)


def read_inventory(path: Path) -> dict[str, DoorSettings]:
    """The doors by name, in the file's order. Raises :class:`ConfigError` listing everything that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no such file", where=str(path), next_step="give the path of an inventory") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("cannot be read as TOML", where=str(path), received=error) from error
    doors = table.get("doors")
    if set(table) != {"doors"} or not isinstance(doors, dict) or not doors:
        raise ConfigError(
            "not an inventory of doors",
            where=str(path),
            received=", ".join(table) or "nothing",
            allowed="tables [doors.NAME] and nothing else",
        )
    made: dict[str, DoorSettings] = {}
    problems: list[str] = []
    for name, each in doors.items():
        where = f"[doors.{name}]"
        try:
            _matches(where, name, _NAME, "letters, digits, '.', '_' and '-'")
            made[name] = settings_from(each if isinstance(each, Mapping) else {}, DoorSettings, where=where)
        except ConfigError as error:
            problems.append(f"{error.where}: {error.what}")
    if problems:
        raise ConfigError("\n".join(problems), where=str(path), next_step="mend the tables above")
    return made


def choose_doors(asked: Sequence[str], inventory: Mapping[str, DoorSettings] | None) -> dict[str, DoorSettings]:
    """The doors asked for: names of the inventory (all of it when none is asked for), and hosts.

    With an inventory a host must be written ``user@name``, so that a misspelt name is not taken for one. Raises
    :class:`ConfigError` for an unknown name, a bad host, a door named twice, or no door at all.
    """
    chosen: dict[str, DoorSettings] = dict(inventory or {}) if not asked else {}
    for each in asked:
        if inventory is not None and "@" not in each:
            if each not in inventory:
                raise ConfigError("no such door", where="inventory", received=each, allowed=", ".join(inventory))
            chosen[each] = inventory[each]
        else:
            chosen[each] = DoorSettings(host=each)
    if not chosen or len(chosen) < len(asked):
        raise ConfigError(
            "a door is named twice" if asked else "no door is named",
            received=" ".join(asked),
            next_step="give hosts such as pi@door, or --inventory FILE",
        )
    return chosen


def _matches(key: str, received: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(received):
        raise ConfigError("not acceptable", where=key, received=received, allowed=allowed)
