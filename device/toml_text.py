"""The bytes of a TOML file -> a table, as editors on all systems write it; and what is right beside a broken table."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from device.errors import ConfigError

MAX_BYTES = 1 << 18
# tomllib's time grows with the square of a dotted key's length: seconds for one of 24 kB.
MAX_LINE_BYTES = 1 << 12
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HEADER = re.compile(r"\s*\[\[?\s*\"?([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class TomlText:
    """``table`` is what could be read; ``broken`` has the reason for each table that could not, by its name."""

    table: dict[str, Any]
    broken: dict[str, str] = field(default_factory=dict)


def parse_toml(content: bytes, *, where: str, optional: Collection[str] = ()) -> TomlText:
    """The tables in ``content``. A syntax error within one of the ``optional`` tables costs those tables alone.

    A byte-order mark is passed over. Raises :class:`ConfigError` for what is too large, is not UTF-8, or is no TOML
    also without the optional tables.
    """
    text = _text(content, where)
    try:
        return TomlText(_load(text))
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; so is what Python says of a number of thousands of digits.
        problem = str(error)
        for names in (*((name,) for name in optional), tuple(optional)):
            try:
                return TomlText(
                    _load(_without(text, names)), dict.fromkeys(names, f"cannot be read as TOML: {problem}")
                )
            except (ValueError, RecursionError):
                continue
        raise ConfigError("cannot be read as TOML", where=where, received=problem) from error


def _text(content: bytes, where: str) -> str:
    if len(content) > MAX_BYTES:
        raise ConfigError("too large for settings", where=where, allowed=f"{MAX_BYTES} bytes")
    longest = max(map(len, content.split(b"\n")))
    if longest > MAX_LINE_BYTES:
        raise ConfigError("a line too long for settings", where=where, received=f"{longest} bytes",
                          allowed=f"{MAX_LINE_BYTES} bytes", next_step="write a list over several lines")  # fmt: skip
    if content.startswith(_UTF_16) or content[:4].count(0) >= 2:
        raise ConfigError("the file is UTF-16, which TOML does not allow", where=where, allowed="UTF-8",
                          next_step='save it again with the encoding "UTF-8"')  # fmt: skip
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError("a character that is not UTF-8", where=f"{where}, line {line}", allowed="UTF-8",
                          next_step='save it again with the encoding "UTF-8"') from error  # fmt: skip


def _load(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def _without(text: str, names: Collection[str]) -> str:
    """``text`` with the lines of the tables ``names`` made empty, so that line numbers stay."""
    lines, cut = [], False
    for line in text.split("\n"):
        header = _HEADER.match(line)
        if header is not None:
            cut = header.group(1) in names
        lines.append("" if cut else line)
    return "\n".join(lines)
