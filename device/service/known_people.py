"""Whom the door knows, before and after another bundle: nobody is forgotten, or known, without an event.

The last served names stand in the state directory, so that a bundle that was exchanged while the daemon was stopped is
noticed too. ``forget`` removes that file.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.names import normalise

_LOG = logging.getLogger(__name__)
NAME = "residents.json"
KIND = "residents_changed"
MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class PeopleChange:
    """Residents ``before`` and ``now``, by the one form of their names."""

    before: tuple[str, ...]
    now: tuple[str, ...]

    @classmethod
    def between(cls, before: Sequence[str], now: Sequence[str]) -> PeopleChange:
        """The change from one bundle's residents to another's."""
        return cls(*(tuple(sorted(set(map(normalise, names)))) for names in (before, now)))

    @property
    def lost(self) -> tuple[str, ...]:
        return tuple(name for name in self.before if name not in self.now)

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(name for name in self.now if name not in self.before)

    def __bool__(self) -> bool:
        return self.before != self.now

    def __str__(self) -> str:
        parts = ((self.lost, "no longer known"), (self.new, "new"))
        return " ".join(_sentence(names, what) for names, what in parts if names)


def tell_change(before: Sequence[str], now: Sequence[str], tell: Callable[..., None]) -> None:
    """An event where somebody is no longer known, or new. ``before`` empty: nothing was known of before."""
    change = PeopleChange.between(before, now)
    if before and change:
        tell(KIND, reason=str(change), no_longer_known=list(change.lost), newly_known=list(change.new),
             residents_before=list(change.before), residents=list(change.now), lost_count=len(change.lost),
             new_count=len(change.new))  # fmt: skip


@dataclass(slots=True)
class KnownPeople:
    """Whom this door serves, and whom it served when an event last said so. ``state``: the state directory, or None."""

    state: Path | None = None
    now: tuple[str, ...] = ()
    _told: tuple[str, ...] | None = None

    def serving(self, residents: Sequence[str]) -> None:
        """A bundle with these residents is in service from now on."""
        self.now = tuple(residents)

    def tell(self, tell: Callable[..., None]) -> None:
        """The event, where there is a change since the last time, or since the daemon's last life; then note it."""
        before = recall_people(self.state) if self._told is None else self._told
        self._told = self.now
        tell_change(before, self.now, tell)
        remember_people(self.state, self.now)


def recall_people(state: Path | None) -> tuple[str, ...]:
    """The residents last served; nobody where nothing is noted. What cannot be read is logged: a note is no guard."""
    if state is None:
        return ()
    path = state / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            names = json.loads(file.read(MAX_BYTES))
        if not isinstance(names, list):
            raise ValueError("not a list")
        return tuple(str(each) for each in names)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        _LOG.warning("%s: whom the door knew before cannot be read: %s", path, type(error).__name__)
        return ()


def remember_people(state: Path | None, residents: Sequence[str]) -> None:
    """Note whom the door knows now. A note that cannot be written is logged, and the door goes on."""
    if state is None or tuple(sorted(residents)) == tuple(sorted(recall_people(state))):
        return
    fresh = state / f".{NAME}.new"
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(sorted(residents), file)
        os.replace(fresh, state / NAME)
    except OSError as error:
        _LOG.warning("whom the door knows cannot be noted: %s", error)


def _sentence(names: Sequence[str], what: str) -> str:
    return f"{names[0]} is {what}." if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are {what}."
