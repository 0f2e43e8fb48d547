"""systemd's notification protocol (sd_notify(3)): a datagram to ``$NOTIFY_SOCKET``, no library needed."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_LOG = logging.getLogger(__name__)


class SystemdSupervisor:
    """:class:`~device.ports.Supervisor` that tells systemd, or nobody when not started by it."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SystemdSupervisor:
        """The supervisor that ``$NOTIFY_SOCKET`` names; silent where it is not set."""
        return cls(environment.get("NOTIFY_SOCKET") or None)

    def ready(self) -> None:
        self._tell("READY=1")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        self._tell(f"STATUS={text}")

    def _tell(self, message: str) -> None:
        if self._socket is None or self._address is None:
            return
        # A leading @ stands for the abstract namespace, whose names begin with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto(message.encode(), address)
        except OSError as error:
            # systemd restarts us if it misses the watchdog; the door must not stop because a message did.
            _LOG.warning("systemd cannot be told %r: %s", message, error)
