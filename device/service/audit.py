"""A log in which nothing can be altered, removed or put elsewhere without a trace: every line names the one before it.

A line is a JSON object with a running number ``n``, ``previous`` (the hash of the line before) and, last, ``hash``: the
SHA-256 of the line as it stands, without that last field. The newest number and hash are also kept in a small file of
their own, the head, because a log that merely lost its last lines is a perfectly good shorter log. What is too old goes
from the beginning only; a line ``log_shortened`` then says at which number the chain begins, and after which hash.

What this is worth: it finds a failing disk, a careless hand and a clumsy one. Somebody with the daemon's rights can
write the whole chain and the head anew; against that only a copy elsewhere helps, such as the hashes in the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.ownership import give_to_owner_of_folder
from device.settings import settings_from, why_unreadable, within

NOTHING = "0" * 64
HEAD_BYTES = 160
# Events in which the log says that it is not whole. What is lost by a power cut and what a hand removed look the same.
BREAKS = ("chain_cut", "file_damaged")
NOTES = ("events_lost", "forgotten")
FORGOTTEN = "forgotten"
SHORTENED = "log_shortened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest line's number and hash, and the number of the ``first`` line that the files still hold."""

    n: int = 0
    hash: str = NOTHING
    first: int = 1

    def __post_init__(self) -> None:
        within("n", self.n, 0, 2**53)
        within("first", self.first, 1, 2**53)
        if len(self.hash) != 64:
            raise ConfigError("not a hash", where="hash", received=self.hash, allowed="64 hexadecimal digits")


@dataclass(frozen=True, slots=True)
class Link:
    """A line read: its number, hash and content."""

    n: int
    previous: str
    hash: str
    told: Mapping[str, Any]


def forge(told: Mapping[str, object], head: Head) -> tuple[str, Head]:
    """The next line of the chain after ``head`` (without its line break), and the head it makes."""
    n = head.n + 1
    inner = {key: value for key, value in told.items() if key not in ("n", "previous", "hash")}
    text, digest = _sealed({"n": n, **inner, "previous": head.hash})
    return text, Head(n=n, hash=digest, first=head.first)


def read_link(text: str) -> Link | str:
    """The line as a link, or what is wrong with it in words."""
    try:
        told = json.loads(text)
        n, previous, digest = told.pop("n"), told.pop("previous"), told.pop("hash")
        good = type(n) is int and isinstance(previous, str) and isinstance(digest, str)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "is not a line of this log"
    if not good:
        return "is not a line of this log"
    if _sealed({"n": n, **told, "previous": previous}) != (text, digest):
        return "was altered"
    return Link(n, previous, digest, told)


def _sealed(told: Mapping[str, object]) -> tuple[str, str]:
    body = dump(told)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{body[:-1]}, "hash": "{digest}"}}', digest


def dump(told: Mapping[str, object]) -> str:
    """One line of JSON. What JSON does not know becomes its text: an event is never a reason to fail."""
    text = json.dumps(told, ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A file name that is no text, in an error's message, has letters that UTF-8 has not.
        return json.dumps(told, default=str)
    return text


def read_head(path: Path) -> Head | None:
    """The head, or None where there is none. Raises :class:`ConfigError` when it is damaged."""
    try:
        return settings_from(json.loads(path.read_text(encoding="utf-8")), Head, where=str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigError("the head of the event log cannot be used", where=str(path),
                          received=why_unreadable(error)) from error  # fmt: skip


def write_head(path: Path, head: Head, *, durably: bool) -> None:
    """Write the head; ``durably`` waits until it is on the disk.

    It is written over where it stands, within one sector: a new file in its place would make the disk write at once,
    with every event, and wear out an SD card. The first one is on the disk before it is called so.
    """
    content = (dump({"n": head.n, "hash": head.hash, "first": head.first}).ljust(HEAD_BYTES - 1) + "\n").encode()
    if _write_over(path, content, durably=durably):
        return
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    give_to_owner_of_folder(fresh)
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_over(path: Path, content: bytes, *, durably: bool) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(descriptor).st_size != len(content) or os.write(descriptor, content) != len(content):
            return False
        if durably:
            os.fsync(descriptor)
        return True
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Place:
    """Something about line ``line`` (0: the log as a whole) of ``path``."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


@dataclass(slots=True)
class Verdict:
    """``problems``: traces of alteration or loss; ``notes``: what the log itself accounts for; ``lines`` read."""

    problems: list[Place] = field(default_factory=list)
    notes: list[Place] = field(default_factory=list)
    lines: int = 0
    last: Link | None = None


@dataclass(slots=True)
class _Beginning:
    """The first good line, and where the log itself says that it begins."""

    place: int = 0
    link: Link | None = None
    said_first: int = 0
    said_before: str = ""
    said_at: Place | None = None
    # The number and hash at which the chain ended before it was made anew, by the last line that says so.
    ended: tuple[object, object] = (0, "")


def verify(lines: Iterable[tuple[int, str]], head: Head | None, *, path: Path, head_path: Path) -> Verdict:
    """Follow the chain through ``lines`` (each with its place in ``path``) to ``head``. Everything found, in order."""
    verdict, hashes, beginning = Verdict(), dict[int, str](), _Beginning()
    for number, text in lines:
        verdict.lines += 1
        read = read_link(text)
        if isinstance(read, str):
            verdict.problems.append(Place(path, number, read))
            # Its own words are the best guess at where the chain goes on.
            link = _as_claimed(text, verdict.last)
        else:
            link = read
            problem = _follows(link, verdict.last)
            if problem:
                verdict.problems.append(Place(path, number, problem))
            _own_words(verdict, beginning, Place(path, number, ""), link)
        if link is not None:
            if beginning.link is None:
                beginning.place, beginning.link = number, link
            hashes[link.n] = link.hash
            # A line that was moved here says nothing about where the chain goes on.
            if verdict.last is None or link.n > verdict.last.n:
                verdict.last = link
    problem = _begins(beginning, head)
    if problem:
        verdict.problems.insert(0, Place(path, beginning.place, problem))
    if beginning.said_at is not None:
        verdict.notes.insert(0, beginning.said_at)
    if head is None or (head.n, head.hash) != beginning.ended:
        # Else the head was not yet written when somebody was forgotten: the line `forgotten` accounts for it.
        _compare(verdict, hashes, head, path, head_path)
    return verdict


def _begins(beginning: _Beginning, head: Head | None) -> str:
    link = beginning.link
    if link is None:
        return ""
    first = max(beginning.said_first, head.first if head is not None else 0) or link.n
    if link.n > first:
        return f"{link.n - first} lines before it are missing"
    if link.n == beginning.said_first and link.previous != beginning.said_before:
        return "does not follow the line that was removed for its age or the log's size"
    return ""


def _follows(link: Link, last: Link | None) -> str:
    if last is None:
        return ""
    if link.n > last.n + 1:
        return f"{link.n - last.n - 1} lines before it are missing ({last.n + 1} to {link.n - 1})"
    if link.n <= last.n:
        return f"out of order: number {link.n} after {last.n}"
    if link.previous != last.hash:
        return "does not follow the line before it: one of the two was replaced"
    return ""


def _own_words(verdict: Verdict, beginning: _Beginning, where: Place, link: Link) -> None:
    kind = str(link.told.get("kind", ""))
    told = {key: value for key, value in link.told.items() if key not in ("time", "kind", "at_seconds")}
    place = Place(where.path, where.line, f"the log itself says {kind} at {link.told.get('time')}: {dump(told)}")
    if kind in BREAKS or link.told.get("problems_before"):
        verdict.problems.append(place)
    elif kind in NOTES:
        verdict.notes.append(place)
        if kind == FORGOTTEN:
            beginning.ended = (link.told.get("ended_n"), link.told.get("ended_hash"))
    elif kind == SHORTENED:
        first = link.told.get("first")
        if isinstance(first, int) and first > beginning.said_first:
            beginning.said_first, beginning.said_before = first, str(link.told.get("before"))
            # It happens again and again; the last time says it all.
            beginning.said_at = place


def _as_claimed(text: str, last: Link | None) -> Link | None:
    """Where the chain stands after a line that cannot be believed, so that its neighbours are not blamed for it."""
    try:
        told = json.loads(text)
        claimed = Link(int(told["n"]), str(told["previous"]), str(told["hash"]), told)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return claimed if last is None or claimed.n == last.n + 1 else None


def _compare(verdict: Verdict, hashes: Mapping[int, str], head: Head | None, path: Path, head_path: Path) -> None:
    if head is None:
        if verdict.lines:
            verdict.problems.append(Place(head_path, 0, "the head is missing: lines removed from the end go unseen"))
        return
    last = verdict.last.n if verdict.last is not None else 0
    if last < head.n:
        verdict.problems.append(Place(path, 0, f"the last {head.n - last} lines are missing ({last + 1} to {head.n})"))
    elif hashes.get(head.n) != head.hash:
        verdict.problems.append(Place(path, 0, f"line {head.n} is not the one that the head remembers"))
