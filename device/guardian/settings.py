"""What the guardian reads of the daemon's configuration, and the pin it remembers for ``off``.

Only the keys of ``[relay]`` that are its business are read: a mistake in another table must not keep the guardian from
guarding. The daemon checks the file as a whole.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from device.guardian.budget import Budget
from device.guardian.chips import LABEL
from device.guardian.errors import SettingsError, SocketError
from device.guardian.guard import Limits
from device.guardian.protocol import DEFAULT_SOCKET

# No number in [relay] is anywhere near it.
MOST_NUMBER = 1e9
MEMORY = "pin.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSettings:
    """Which pin and how: BCM number 0 to 27, level that switches on, GPIO backend, label of its chip (empty: the header
    of a Raspberry Pi)."""

    pin: int
    active_high: bool = True
    pin_factory: str = "lgpio"
    chip_label: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.pin <= 27:
            raise SettingsError("relay.pin is out of range (0 to 27)", received=self.pin)
        if self.chip_label and not LABEL.fullmatch(self.chip_label):
            raise SettingsError(
                "relay.chip_label is not the label of a GPIO chip (at most 31 characters without spaces)",
                received=repr(self.chip_label),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianSettings:
    """The pin, the limits, what is granted within an hour, and the socket's path."""

    pin: PinSettings
    limits: Limits
    budget: Budget
    socket: Path


def read_settings(path: Path) -> GuardianSettings:
    """The settings in the TOML file ``path``. Raises :class:`SettingsError`."""
    table = _relay_table(path)
    if not isinstance(table, dict):
        raise SettingsError(f"{path} has no table [relay]", next_step="see systemd/voicelatch.toml")
    asked = _text(table, "guardian", DEFAULT_SOCKET)
    if not asked.startswith("/"):
        raise SettingsError(
            "relay.guardian is not an absolute path",
            received=repr(asked),
            next_step=f'guardian = "{DEFAULT_SOCKET}", or disable voicelatch-guardian if the daemon drives the pin',
        )
    usual = Limits()
    limits = Limits(
        max_on_seconds=_number(table, "max_on_seconds", usual.max_on_seconds),
        min_gap_seconds=_number(table, "min_gap_seconds", usual.min_gap_seconds),
    )
    budget = Budget(max_on_seconds=_number(table, "max_on_seconds_an_hour", Budget().max_on_seconds))
    if budget.max_on_seconds < limits.max_on_seconds:
        raise SettingsError("relay.max_on_seconds_an_hour is less than relay.max_on_seconds, which no hour would grant",
                            received=f"{budget.max_on_seconds:g}, {limits.max_on_seconds:g}")  # fmt: skip
    return GuardianSettings(pin=_pin(table), limits=limits, budget=budget, socket=Path(asked))


def _relay_table(path: Path) -> object:
    """What stands in [relay]; a mistake of form in another table costs that table alone. Raises
    :class:`SettingsError`."""
    try:
        # Some editors begin a file with a byte-order mark.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8", next_step="save it again with the encoding UTF-8") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read", received=error) from error
    try:
        return tomllib.loads(text).get("relay")
    except tomllib.TOMLDecodeError as error:
        lines, inside = [], False
        for line in text.split("\n"):
            if line.lstrip().startswith("["):
                inside = line.split("#")[0].strip() == "[relay]"
            lines.append(line if inside else "")
        try:
            table = tomllib.loads("\n".join(lines)).get("relay")
        except tomllib.TOMLDecodeError:
            table = None
        if table is None:
            raise SettingsError(f"{path} cannot be read", received=error) from error
        return table


def remember_pin(settings: PinSettings, environment: Mapping[str, str] = os.environ) -> None:
    """Write the pin into ``$RUNTIME_DIRECTORY``, where there is one, before it is claimed.

    Raises :class:`SocketError` when it cannot be written: a pin that could not be driven off after a death, because the
    configuration was edited meanwhile, must not be driven at all.
    """
    path = _memory(environment)
    if path is None:
        return
    fresh = path.with_name(f"{MEMORY}.new")
    try:
        fresh.write_text(json.dumps(asdict(settings)), encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        raise SocketError(f"{path} cannot be written", received=error, next_step="check RuntimeDirectory=") from error


def pin_to_release(config: Path, environment: Mapping[str, str] = os.environ) -> PinSettings:
    """The pin that a guardian remembered, else the configuration's. Raises :class:`SettingsError` without either."""
    path = _memory(environment)
    if path is not None and path.exists():
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(table, dict):
                return _pin(table)
        except (OSError, ValueError, RecursionError, SettingsError):
            # Torn or foreign: the configuration is the next best witness, and raises if it is none either.
            return read_settings(config).pin
    return read_settings(config).pin


def _memory(environment: Mapping[str, str]) -> Path | None:
    folder = environment.get("RUNTIME_DIRECTORY")
    return Path(folder) / MEMORY if folder else None


def _pin(table: Mapping[str, Any]) -> PinSettings:
    number, high = table.get("pin"), table.get("active_high", True)
    if type(number) is not int:
        raise SettingsError("relay.pin is not a whole number", received=repr(number))
    if type(high) is not bool:
        raise SettingsError("relay.active_high is not true or false", received=repr(high))
    return PinSettings(pin=number, active_high=high, pin_factory=_text(table, "pin_factory", "lgpio"),
                       chip_label=_text(table, "chip_label", ""))  # fmt: skip


def _text(table: Mapping[str, Any], key: str, usual: str) -> str:
    value = table.get(key, usual)
    if not isinstance(value, str):
        raise SettingsError(f"relay.{key} is not a text", received=repr(value))
    return value


def _number(table: Mapping[str, Any], key: str, usual: float) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"relay.{key} is not a number", received=repr(value)[:80])
    if not abs(value) <= MOST_NUMBER:
        # A whole number may be too large for a float, which is an error of its own.
        raise SettingsError(f"relay.{key} is out of range", received="a number that is too large, or none")
    return float(value)
