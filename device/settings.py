"""Strict TOML to frozen dataclasses: every problem of a file in one report, with a suggestion for a misspelt key.

A settings class is a frozen dataclass whose fields are ``bool``, ``int``, ``float``, ``str``, ``tuple[float, ...]`` or
further settings classes (tables). Its own limits belong in ``__post_init__``, raised as ConfigError.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from device.errors import ConfigError

Settings = TypeVar("Settings")
_PLAIN = (bool, int, float, str)


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """The settings in the TOML file ``path``. Raises :class:`ConfigError` listing everything that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no such file", where=str(path), next_step="give the path of a settings file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("cannot be read as TOML", where=str(path), received=error) from error
    return settings_from(table, kind, where=str(path))


def settings_from(table: Mapping[str, Any], kind: type[Settings], *, where: str) -> Settings:
    """The same from a parsed table; ``where`` begins each message."""
    problems: list[str] = []
    made = _build(table, kind, "", problems)
    if problems or made is None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        raise ConfigError(f"{count}\n{listed}", where=where, next_step="mend the keys above; the rest is untouched")
    return made


def _build(table: Mapping[str, Any], kind: type[Settings], prefix: str, problems: list[str]) -> Settings | None:
    fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    types = typing.get_type_hints(kind)
    before = len(problems)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(fields))}"
            problems.append(f"{prefix}{key}: unknown key; {hint}")
        elif dataclasses.is_dataclass(types[key]):
            if isinstance(value, Mapping):
                values[key] = _build(value, typing.cast("type[Any]", types[key]), f"{prefix}{key}.", problems)
            else:
                problems.append(f"{prefix}{key}: expected a table [{prefix}{key}], received {value!r}")
        else:
            values[key] = _value(value, types[key], f"{prefix}{key}", problems)
    for name, each in fields.items():
        optional = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
        if name not in table and not optional:
            problems.append(f"{prefix}{name}: missing")
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except ConfigError as error:
        problems.append(
            f"{error.where or prefix.rstrip('.')}: {error.what}; received {error.received!r}, allowed: {error.allowed}"
        )
        return None


def _value(value: Any, kind: Any, key: str, problems: list[str]) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in _PLAIN and type(value) is kind:
        return value
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        inner = typing.get_args(kind)[0]
        return tuple(_value(each, inner, f"{key}[{index}]", problems) for index, each in enumerate(value))
    name = kind.__name__ if kind in _PLAIN else str(kind)
    problems.append(f"{key}: expected {name}, received {value!r}")
    return None


def within(key: str, received: float, low: float, high: float) -> None:
    """Raise :class:`ConfigError` unless ``low <= received <= high``; for use in ``__post_init__``."""
    if not low <= received <= high:
        raise ConfigError("out of range", where=key, received=received, allowed=f"{low:g} to {high:g}")


def one_of(key: str, received: str, allowed: tuple[str, ...]) -> None:
    """Raise :class:`ConfigError` unless ``received`` is one of ``allowed``."""
    if received not in allowed:
        near = difflib.get_close_matches(received, allowed, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ConfigError("no such choice", where=key, received=received, allowed=", ".join(allowed) + hint)
