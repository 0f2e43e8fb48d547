"""Logging in: one password for the household, few tries, a session in a cookie."""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigError
from device.ports import Clock
from device.web.password import read_password
from device.web.sessions import Session, Sessions
from device.web.throttle import Throttle

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``token`` of a new session; or empty, with the ``problem`` for whoever tries, and how long to wait."""

    token: str = ""
    problem: str = ""
    wait_seconds: int = 0


class Entrance:
    """``password_path`` is read at each use: a changed password counts at once, and ends every session."""

    def __init__(self, password_path: Path, *, clock: Clock) -> None:
        self._path = password_path
        self.sessions, self._throttle = Sessions(clock), Throttle(clock)
        self._secret = secrets.token_bytes(32)
        # Each guess takes 32 MiB: one after another.
        self._guessing = threading.Lock()

    def enter(self, address: str, password: str) -> Answer:
        """Somebody at ``address`` tries ``password``."""
        wait_seconds = math.ceil(self._throttle.take(address))
        if wait_seconds:
            return Answer(problem=f"Too many tries. Please wait {_in_words(wait_seconds)}.", wait_seconds=wait_seconds)
        try:
            known = read_password(self._path)
        except ConfigError as error:
            _LOG.error("nobody can log in: %s", error)
            return Answer(problem="Nobody can log in: the password's file is missing or damaged. The journal says why.")
        with self._guessing:
            right = known.matches(password)
        if not right:
            _LOG.warning("a wrong password from %s", address)
            return Answer(problem="That is not the password.")
        self._throttle.succeeded(address)
        _LOG.info("logged in from %s", address)
        return Answer(token=self.sessions.start(known.line))

    def who(self, token: str, *, touch: bool = True) -> Session | None:
        """The session of ``token``, None for nobody. ``touch``: it is being used."""
        if not token:
            return None
        try:
            known = read_password(self._path)
        except ConfigError:
            return None
        return self.sessions.find(token, password=known.line, touch=touch)

    def leave(self, token: str) -> None:
        self.sessions.end(token)

    def new_cookie(self) -> str:
        """For a browser that is about to be shown the login form."""
        return secrets.token_urlsafe(32)

    def form_token(self, cookie: str) -> str:
        """What the login form must bring along with its ``cookie``: there is no session yet to compare with."""
        return hmac.new(self._secret, cookie.encode("utf-8", errors="replace"), hashlib.sha256).hexdigest()

    def is_our_form(self, cookie: str, token: str) -> bool:
        return bool(cookie) and same(self.form_token(cookie), token)


def same(ours: str, theirs: str) -> bool:
    """Compared in constant time, whatever characters they sent."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", errors="replace"))


def _in_words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
