"""systemd's notification protocol, sd_notify(3): a datagram to ``$NOTIFY_SOCKET``; silent where there is none."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

# systemd's patience in a pulse, when it is all that is left: guardian and second process frozen at once.
PULSE_PATIENCE_USEC = 1_000_000
_LOG = logging.getLogger(__name__)


class Notify:
    """Tells systemd ``READY=1`` and the like. A message that cannot be sent is logged: systemd restarts the guardian
    if it misses the watchdog's."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        usual = environment.get("WATCHDOG_USEC", "")
        self._usual_usec = int(usual) if usual.isascii() and usual.isdecimal() else 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # A full queue must not hold up the loop that ends a pulse.
        self._socket.setblocking(False)

    def pulse(self, on: bool) -> None:
        """A pulse begins or is over: the watchdog's time is short in it. Nothing where no watchdog was asked for."""
        if self._usual_usec > PULSE_PATIENCE_USEC:
            self.tell(f"WATCHDOG_USEC={PULSE_PATIENCE_USEC if on else self._usual_usec}\nWATCHDOG=1")

    def tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            _LOG.warning("systemd cannot be told %r: %s", message, error)
