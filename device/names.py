"""People's names as they enter: one Unicode form (NFC), and nothing in them that hides or leads elsewhere.

A name typed on one machine and the same name of a folder copied from another differ in their code points; hours, the
event log and forgetting compare names letter by letter. So every name goes through :func:`person_name` or
:func:`normalise` where it enters: configuration, bundles, folders, commands, the page, training.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from device.errors import DataError

# A name is part of a file's name in which each letter may take three times its bytes; file systems allow 255.
LONGEST_BYTES = 100
ALLOWED = f"printable characters, at most {LONGEST_BYTES} bytes of them, without '/' and '\\', and not '.' or '..'"
# Part of names in some scripts, where they are seen by the form of the letters; elsewhere nobody sees them.
_JOINERS = "\u200c\u200d"
_FIRST_SCRIPT_THAT_JOINS = "\u0590"


def normalise(text: str) -> str:
    """``text`` in NFC without space around it, so that equal names are equal strings. Never raises."""
    return unicodedata.normalize("NFC", text).strip()


def person_name(text: str, *, where: str = "") -> str:
    """``text`` as the name of a person: normalised and checked. Raises :class:`DataError` for what is no name: empty,
    too long, with a path separator, or with letters that cannot be seen or written (control characters, marks that turn
    the direction of writing, lone surrogates)."""
    name = normalise(text)
    problem = problem_of(name)
    if problem:
        raise DataError(f"not a person's name: {problem}", where=where, received=ascii(text)[:200], allowed=ALLOWED)
    return name


def problem_of(name: str) -> str:
    """What is wrong with a normalised name, empty where nothing is."""
    if not name or name in (".", ".."):
        return "empty, or a folder's own"
    if "/" in name or "\\" in name:
        return "a path separator"
    hidden = next((letter for before, letter in zip(f" {name}", name, strict=False) if _is_hidden(before, letter)), "")
    if hidden:
        return f"a character that cannot be seen or written, U+{ord(hidden):04X}"
    if len(name.encode()) > LONGEST_BYTES:
        return "too long"
    return ""


def same_name(one: str, other: str) -> bool:
    """Whether two names, of files or as typed, are one person's."""
    return normalise(one) == normalise(other)


def spellings(name: str) -> tuple[str, ...]:
    """The forms in which file systems and texts have ``name``: composed, and where that differs, decomposed."""
    return tuple(dict.fromkeys((normalise(name), unicodedata.normalize("NFD", name).strip())))


def repeated(names: Iterable[str]) -> list[str]:
    """The names that more than one of ``names`` comes down to."""
    seen, twice = set[str](), dict[str, None]()
    for name in map(normalise, names):
        if name in seen:
            twice[name] = None
        seen.add(name)
    return list(twice)


def _is_hidden(before: str, letter: str) -> bool:
    if letter in _JOINERS:
        return before < _FIRST_SCRIPT_THAT_JOINS or before in _JOINERS
    return not letter.isprintable()
