"""Names as they stand in a folder: natural order for days, and text for what is no UTF-8."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"(\d+)")


def is_readable(name: str) -> bool:
    """Whether a file's name is UTF-8."""
    return not any("\udc80" <= letter <= "\udcff" for letter in name)


def readable(name: str) -> str:
    """A file's name as text that can be printed anywhere: bytes that are no UTF-8 as ``\\xfc``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort days by: ``9`` before ``10``."""
    return tuple((0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part)
                 for part in _DIGITS.split(name) if part)  # fmt: skip
