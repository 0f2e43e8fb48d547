"""A supervisor that only remembers what it was told."""

from __future__ import annotations


class RecordedSupervisor:
    """:class:`~device.ports.Supervisor`; ``messages`` in the order received."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def ready(self) -> None:
        self.messages.append("ready")

    def alive(self) -> None:
        self.messages.append("alive")

    def reloading(self) -> None:
        self.messages.append("reloading")

    def stopping(self) -> None:
        self.messages.append("stopping")

    def status(self, text: str) -> None:
        self.messages.append(f"status: {text}")
