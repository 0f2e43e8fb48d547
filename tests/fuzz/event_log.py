"""Any bytes where the event log should be: reading ends in a value or a clean error, and the next event is kept."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from device.errors import VoicelatchError
from device.service.audit import Head, forge
from device.service.event_reader import EventReader, Wanted
from device.service.events import FileEvents, as_table
from tests.event_logs import sink, spoken

NAME = "events.db"


def seeds(folder: Path) -> tuple[bytes, ...]:
    """A database, and lines of a log that are none."""
    folder.mkdir(parents=True, exist_ok=True)
    log = sink(folder / "seed")
    for number in range(12):
        log.record(spoken(number))
    log.close()
    lines, head = "", Head()
    for number in range(4):
        line, head = forge(as_table(spoken(number)), head)
        lines += f"{line}\n"
    return (folder / "seed").read_bytes(), lines.encode()


class LogOf:
    """Reads, verifies and goes on with a log of this content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, content: bytes) -> object:
        for path in self._folder.glob(f"{NAME}*"):
            path.unlink()
        path = self._folder / NAME
        path.write_bytes(content)
        with EventReader(path) as reader, suppress(VoicelatchError):
            reader.latest(3, Wanted(person="Anna", outcome="open"))
            list(reader.all())
            reader.verdict()
        logging.disable(logging.CRITICAL)
        try:
            self._go_on(path)
        finally:
            logging.disable(logging.NOTSET)
        with EventReader(path) as reader:
            return reader.verdict().lines

    def _go_on(self, path: Path) -> None:
        log = FileEvents(path, max_bytes=16_384, keep_days=30)
        for number in (1001, 1002):
            log.record(spoken(number))
        log.close()
        if log.lost:
            # A database of somebody else's, say: then it says so, and the door goes on.
            return
        with EventReader(path) as reader:
            assert [event.told["number"] for event in reader.latest(2, Wanted(kinds=("speech",)))] == [1001, 1002]
