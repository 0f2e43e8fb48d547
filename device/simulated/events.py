"""An event sink that keeps everything in memory."""

from __future__ import annotations

from device.ports import Event


class RecordedEvents:
    """:class:`~device.ports.EventSink`; ``events`` in order, ``closed`` once closed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def record(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True

    def of(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event.kind == kind]
