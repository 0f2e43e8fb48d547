"""systemd's notification protocol, sd_notify(3): a datagram to ``$NOTIFY_SOCKET``; silent where there is none."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

_LOG = logging.getLogger(__name__)


class Notify:
    """Tells systemd ``READY=1`` and the like. A message that cannot be sent is logged: systemd restarts the guardian
    if it misses the watchdog's."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # A full queue must not hold up the loop that ends a pulse.
        self._socket.setblocking(False)

    def tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            _LOG.warning("systemd cannot be told %r: %s", message, error)
