"""Strict TOML to frozen dataclasses: every problem of a file in one report, with a suggestion for a misspelt key.

A settings class is a frozen dataclass whose fields are ``bool``, ``int``, ``float``, ``str``, ``tuple[float, ...]`` or
further settings classes (tables), one or a tuple of them. Its own limits belong in ``__post_init__``, raised as
ConfigError.
"""

from __future__ import annotations

import dataclasses
import difflib
import reprlib
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from device.errors import ConfigError

Settings = TypeVar("Settings")
_PLAIN = (bool, int, float, str)
MAX_BYTES = 1 << 18
# tomllib's time grows with the square of a dotted key's length: seconds for one of 24 kB.
MAX_LINE_BYTES = 1 << 12
# Beyond this a whole number is no setting, and a float does not hold it exactly.
LARGEST = 2**53


def read_settings(path: Path, kind: type[Settings]) -> Settings:
    """The settings in the TOML file ``path``. Raises :class:`ConfigError` listing everything that is wrong."""
    where = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError("no such file", where=where, next_step="name another one: --config FILE") from error
    except OSError as error:
        raise ConfigError("cannot be read as TOML", where=where, received=error) from error
    return parse_settings(content, kind, where=where)


def parse_settings(content: bytes, kind: type[Settings], *, where: str) -> Settings:
    """The same from a file's content; ``where`` begins each message."""
    if len(content) > MAX_BYTES:
        raise ConfigError("too large for settings", where=where, allowed=f"{MAX_BYTES} bytes")
    longest = max(map(len, content.split(b"\n")))
    if longest > MAX_LINE_BYTES:
        raise ConfigError("a line too long for settings", where=where, received=f"{longest} bytes",
                          allowed=f"{MAX_LINE_BYTES} bytes", next_step="write a list over several lines")  # fmt: skip
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; so is what Python says of a number of thousands of digits.
        raise ConfigError("cannot be read as TOML", where=where, received=error) from error
    return settings_from(table, kind, where=where)


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
            problems.append(f"{prefix}{_written(key[:80])}: unknown key; {hint}")
        elif dataclasses.is_dataclass(types[key]):
            if isinstance(value, Mapping):
                values[key] = _build(value, typing.cast("type[Any]", types[key]), f"{prefix}{key}.", problems)
            else:
                problems.append(f"{prefix}{key}: expected a table [{prefix}{key}], received {_shown(value)}")
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
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and not -LARGEST <= value <= LARGEST:
        problems.append(f"{key}: expected a number of at most {LARGEST:g} either way, received {_shown(value)}")
        return None
    if kind is str and isinstance(value, str) and ("\0" in value or _written(value) != value):
        problems.append(f"{key}: a NUL or half a character, which no path or name can hold")
        return None
    if kind is float and number:
        return float(value)
    if kind in _PLAIN and type(value) is kind:
        return value
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        inner = typing.get_args(kind)[0]
        if dataclasses.is_dataclass(inner):
            return tuple(_row(each, inner, f"{key}[{index}]", problems) for index, each in enumerate(value))
        return tuple(_value(each, inner, f"{key}[{index}]", problems) for index, each in enumerate(value))
    name = kind.__name__ if kind in _PLAIN else str(kind)
    problems.append(f"{key}: expected {name}, received {_shown(value)}")
    return None


def _row(value: Any, kind: Any, key: str, problems: list[str]) -> Any:
    if isinstance(value, Mapping):
        return _build(value, kind, f"{key}.", problems)
    problems.append(f"{key}: expected a table, received {_shown(value)}")
    return None


class _Short(reprlib.Repr):
    """``repr`` in a few dozen characters, whatever the value: deep, long, or an int too large to be written out."""

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if abs(x) <= LARGEST else f"a number of {x.bit_length()} bits"


def _written(text: str) -> str:
    """What can be written as UTF-8: JSON can name halves of characters, at which writing an event would fail."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _shown(value: Any) -> str:
    short = _Short()
    short.maxstring = short.maxother = 80
    return short.repr(value)


def why_unreadable(error: Exception) -> str:
    """Why a file of the program's own cannot be used, without anything that stands in it: the message goes to the
    journal and over the network, and the file may be another than the program wrote."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not what this program writes there" + (
        "" if isinstance(error, ConfigError) else f" ({type(error).__name__})"
    )


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
