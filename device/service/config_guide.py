"""What each key of the configuration means, read from the example that is installed: there is no second text.

In the example a comment stands above its key. Where several keys follow one comment they share it, and it names each
but the first. What a key may hold is found by handing its settings class something that nobody would write.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from dataclasses import dataclass
from importlib import resources
from typing import Any

from device.errors import ConfigError
from device.service.config import Config

EXAMPLE = "voicelatch.toml"
_TABLE = re.compile(r"(# )?\[\[?([a-z_]+)\]\]?")
_KEY = re.compile(r"(# )?([a-z_]+) = (.+)")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text",
          tuple[str, ...]: "a list of texts", tuple[float, ...]: "a list of numbers"}  # fmt: skip
_ABSURD = {int: -(10**9), float: -1e12, str: "\x7f?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGuide:
    """One key: its full name, what the example says above it, the keys that share this text, its kind in words, what
    its class allows (empty: anything of that kind), and its default as TOML (empty for a key that must be set)."""

    key: str
    text: str
    shared_with: tuple[str, ...]
    kind: str
    allowed: str
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A key's comment in the example: its lines as one text, the keys below it, and the key's value as written."""

    text: str
    keys: tuple[str, ...]
    value: str


def example_text() -> str:
    """The shipped example."""
    return resources.files("device.service").joinpath(EXAMPLE).read_text(encoding="utf-8")


def comments_in(example: str) -> dict[str, Comment]:
    """Each key of an example, by its full name."""
    found: dict[str, Comment] = {}
    table, is_commented, lines, group = "", False, list[str](), list[tuple[str, str]]()

    def end_group() -> None:
        keys = tuple(f"{table}.{key}" for key, _ in group)
        for key, (_, value) in zip(keys, group, strict=True):
            found[key] = Comment(text=" ".join(lines), keys=keys, value=value)
        group.clear()
        lines.clear()

    for line in example.splitlines():
        key = _KEY.fullmatch(line)
        if header := _TABLE.fullmatch(line):
            kept = list(lines)
            end_group()
            table, is_commented = header[2], bool(header[1])
            # What stands above a table that is commented out is all that is said of its keys.
            lines += kept if is_commented else []
        elif key and bool(key[1]) == is_commented:
            group.append((key[2], key[3]))
        elif not line.strip():
            end_group()
        else:
            if group:
                end_group()
            lines.append(line.lstrip("#").strip())
    end_group()
    return found


def tables() -> dict[str, type[Any]]:
    """The settings class of each table."""
    hints = typing.get_type_hints(Config)
    return {name: typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else kind
            for name, kind in hints.items()}  # fmt: skip


def guide() -> dict[str, KeyGuide]:
    """Every key that the configuration knows, in the order of the classes."""
    comments, made = comments_in(example_text()), dict[str, KeyGuide]()
    for table, kind in tables().items():
        hints = typing.get_type_hints(kind)
        for each in dataclasses.fields(kind):
            key = f"{table}.{each.name}"
            comment = comments.get(key, Comment(text="", keys=(key,), value=""))
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            made[key] = KeyGuide(
                key=key, text=comment.text, shared_with=tuple(other for other in comment.keys if other != key),
                kind=_NAMES.get(hints[each.name], "a table"), allowed=_allowed(table, kind, each.name, comments),
                default="" if required else as_toml(each.default),
            )  # fmt: skip
    return made


def find(asked: str) -> list[KeyGuide]:
    """The key ``asked`` for (without its table, where only one has it), or all of a table.

    Raises :class:`ConfigError` with the nearest names for an unknown one.
    """
    known = guide()
    if asked in known:
        return [known[asked]]
    of_table = [each for each in known.values() if each.key.split(".")[0] == asked]
    if of_table:
        return of_table
    last = [key for key in known if key.split(".")[1] == asked]
    if len(last) == 1:
        return [known[last[0]]]
    near = last or difflib.get_close_matches(asked, [*known, *tables()], n=3, cutoff=0.5)
    near = near or [key for key in known if difflib.get_close_matches(asked, [key.split(".")[1]], n=1)]
    raise ConfigError(
        "there is no such key", received=asked, allowed=", ".join(tables()) + ": each a table of keys",
        next_step=f"did you mean {' or '.join(near[:3])}?" if near else "`config explain` without a key lists them all",
    )  # fmt: skip


def as_toml(value: object) -> str:
    """A value as TOML writes it. ``value``: bool, int, float, str, or a list or tuple of these."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(_escaped(letter) for letter in value) + '"'
        case list() | tuple():
            return "[" + ", ".join(as_toml(each) for each in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _allowed(table: str, kind: type[Any], name: str, comments: dict[str, Comment]) -> str:
    """What the class says when it is handed an absurd value for the key, and the example's for the others it needs."""
    absurd = _ABSURD.get(typing.get_type_hints(kind)[name])
    if absurd is None:
        return ""
    needed = {
        each.name: tomllib.loads(f"value = {comments[f'{table}.{each.name}'].value}")["value"]
        for each in dataclasses.fields(kind)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING and each.name != name
    }
    try:
        kind(**needed, **{name: absurd})
    except ConfigError as error:
        # Another key may object, or this one because another is off: neither is what the key may hold.
        if error.where == f"{table}.{name}" and error.allowed != "empty":
            return error.allowed.split(" (did you mean")[0]
    return ""
