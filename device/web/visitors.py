"""Who is connected, and for how long yet: nobody slow keeps the others out.

A request has so many seconds for the whole of its header and body, however it comes in; an answer has so many to be
taken; between two requests a connection may rest as long as a request takes. One address has only some of all
connections. Where there are no more, the address that has most of them loses its oldest one that is not being answered.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from device.web.throttle import neighbourhood

REQUEST_SECONDS, ANSWER_SECONDS = 10.0, 60.0
MOST, MOST_FROM_ONE = 40, 12


@dataclass(slots=True, kw_only=True, eq=False)
class Visit:
    """One connection. ``cut`` ends it, from any thread; it is done at ``deadline_seconds`` of the monotonic clock."""

    address: str
    cut: Callable[[], None]
    deadline_seconds: float
    answered: bool = False


class Visitors:
    """For several threads at once. :meth:`cut_late` ends who is late; :meth:`start` has a thread do that."""

    def __init__(self, now: Callable[[], float], *, request_seconds: float = REQUEST_SECONDS,
                 answer_seconds: float = ANSWER_SECONDS, most: int = MOST,
                 most_from_one: int = MOST_FROM_ONE) -> None:  # fmt: skip
        self._now, self._request_seconds, self._answer_seconds = now, request_seconds, answer_seconds
        self._most, self._most_from_one = most, most_from_one
        self._changed = threading.Condition()
        # In order of arrival.
        self._here: list[Visit] = []
        self._closed = False

    def admit(self, address: str, cut: Callable[[], None]) -> Visit | None:
        """Somebody connects from ``address``: their visit, or None where they are turned away."""
        who = neighbourhood(address)
        with self._changed:
            if sum(each.address == who for each in self._here) >= self._most_from_one:
                return None
            if len(self._here) >= self._most and not self._make_room():
                return None
            made = Visit(address=who, cut=cut, deadline_seconds=self._now() + self._request_seconds)
            self._here.append(made)
            self._changed.notify()
        return made

    def expect_request(self, visit: Visit) -> None:
        """A request begins, or may begin: it has so many seconds to be here whole."""
        self._set(visit, self._now() + self._request_seconds, answered=False)

    def answer(self, visit: Visit) -> None:
        """It is here, and is being answered."""
        self._set(visit, self._now() + self._answer_seconds, answered=True)

    def stream(self, visit: Visit) -> None:
        """What is sent has no end: whoever does not take it is noticed otherwise."""
        self._set(visit, math.inf, answered=True)

    def leave(self, visit: Visit) -> None:
        with self._changed:
            if visit in self._here:
                self._here.remove(visit)

    def cut_late(self) -> float:
        """End every visit whose time is over; in how many seconds the next one's will be."""
        with self._changed:
            now = self._now()
            for late in [each for each in self._here if each.deadline_seconds <= now]:
                self._end(late)
            return min((each.deadline_seconds for each in self._here), default=math.inf) - now

    def start(self) -> None:
        """Have a thread end who is late."""
        threading.Thread(target=self._run, name="visitors", daemon=True).start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        # Looked at and waited for under one lock (which may be taken twice): nobody can come unnoticed in between.
        with self._changed:
            while not self._closed:
                wait_seconds = self.cut_late()
                self._changed.wait(None if math.isinf(wait_seconds) else max(wait_seconds, 0.01))

    def _set(self, visit: Visit, deadline_seconds: float, *, answered: bool) -> None:
        with self._changed:
            visit.deadline_seconds, visit.answered = deadline_seconds, answered
            self._changed.notify()

    def _make_room(self) -> bool:
        counts = Counter(each.address for each in self._here)
        idle = [each for each in self._here if not each.answered]
        if not idle:
            return False
        # max() takes the first of equals: the oldest.
        self._end(max(idle, key=lambda each: counts[each.address]))
        return True

    def _end(self, visit: Visit) -> None:
        self._here.remove(visit)
        visit.cut()
