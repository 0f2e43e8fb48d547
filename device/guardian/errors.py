"""The guardian's own failures: it imports no other room, so that nothing there can keep it from running."""

from __future__ import annotations

from typing import ClassVar


class GuardianError(Exception):
    """Root of what the guardian raises on purpose; ``exit_code`` as in sysexits.h."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, received: object = None, next_step: str = "") -> None:
        self.what = what
        parts = [what]
        if received is not None:
            parts.append(f"  received: {received}")
        if next_step:
            parts.append(f"  next:     {next_step}")
        super().__init__("\n".join(parts))


class PinError(GuardianError):
    """The pin cannot be claimed, driven or read, or it does not follow."""

    exit_code = 69


class PinBusyError(PinError):
    """Another process holds the pin."""


class WatchdogError(GuardianError):
    """The second process, which ends a pulse of a frozen guardian, is not there or does not answer."""

    exit_code = 71


class SocketError(GuardianError):
    """The socket cannot be opened, or who may use it is unknown."""

    exit_code = 73


class SettingsError(GuardianError):
    """What the configuration says of the relay is not acceptable."""

    exit_code = 78


class ProtocolError(GuardianError):
    """A line is not of the protocol."""

    exit_code = 65
