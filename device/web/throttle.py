"""How often somebody may try a password: few times from one address, not many more from all together."""

from __future__ import annotations

import ipaddress
import threading
from collections import deque

from device.ports import Clock

WINDOW_SECONDS = 300.0
MOST_FROM_ONE = 5
MOST_FROM_ALL = 30


class Throttle:
    """``take`` counts an attempt before the password is looked at, so that many at once are as many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tried: deque[tuple[float, str]] = deque()

    def take(self, address: str) -> float:
        """Count an attempt from ``address``: 0, or how many seconds to wait (it was not counted then)."""
        who, now = neighbourhood(address), self._clock.monotonic_seconds()
        with self._lock:
            while self._tried and now - self._tried[0][0] >= WINDOW_SECONDS:
                self._tried.popleft()
            own = [at for at, tried in self._tried if tried == who]
            waits = [own[0]] if len(own) >= MOST_FROM_ONE else []
            waits += [self._tried[0][0]] if len(self._tried) >= MOST_FROM_ALL else []
            if waits:
                return max(waits) + WINDOW_SECONDS - now
            self._tried.append((now, who))
            return 0.0

    def succeeded(self, address: str) -> None:
        """What this address tried before is forgiven."""
        who = neighbourhood(address)
        with self._lock:
            self._tried = deque(each for each in self._tried if each[1] != who)


def neighbourhood(address: str) -> str:
    """The address; of IPv6 the network, in which one machine can have any number of addresses."""
    try:
        told = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(told, ipaddress.IPv6Address):
        return str(told.ipv4_mapped or ipaddress.ip_network((told, 64), strict=False))
    return str(told)
