"""Who is logged in: a random token in the browser, its hash here. All end when the process does."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass

from device.ports import Clock

IDLE_SECONDS = 12 * 3600.0
LONGEST_SECONDS = 7 * 86_400.0
MOST = 32


@dataclass(slots=True, kw_only=True)
class Session:
    """One browser. ``csrf`` must come with each form it sends; ``password`` is the hash it logged in with."""

    csrf: str
    password: str
    started_seconds: float
    seen_seconds: float


class Sessions:
    """For several threads at once. The oldest goes when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}

    def start(self, password: str) -> str:
        """A new session of somebody who knew the password of this hash; the token for the browser."""
        token, now = secrets.token_urlsafe(32), self._clock.monotonic_seconds()
        made = Session(csrf=secrets.token_urlsafe(32), password=password, started_seconds=now, seen_seconds=now)
        with self._lock:
            while len(self._open) >= MOST:
                self._open.pop(next(iter(self._open)))
            self._open[_key(token)] = made
        return token

    def find(self, token: str, *, password: str, touch: bool = True) -> Session | None:
        """The session of ``token``; None where it is unknown, too old, or from before the password was changed."""
        now = self._clock.monotonic_seconds()
        with self._lock:
            found = self._open.get(_key(token))
            if found is None:
                return None
            old = now - found.started_seconds > LONGEST_SECONDS or now - found.seen_seconds > IDLE_SECONDS
            if old or found.password != password:
                del self._open[_key(token)]
                return None
            if touch:
                found.seen_seconds = now
            return found

    def end(self, token: str) -> None:
        with self._lock:
            self._open.pop(_key(token), None)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", errors="replace")).hexdigest()
