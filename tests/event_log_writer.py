"""A process that writes events as the daemon does, until its standard input ends: ``PATH``. Prints how many, and how
many were lost."""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from device.ports import Event
from device.service.events import FileEvents

START = datetime(2026, 1, 2, tzinfo=UTC)
PAUSE_SECONDS = 0.002
AT_LEAST = 200


def main(path: Path) -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    log, number = FileEvents(path, max_bytes=50_000_000), 0
    while number < AT_LEAST or not ended.is_set():
        kind = "relay_on" if number % 50 == 0 else "decision"
        details = {"number": number, "resident": ("Anna", "Bruno")[number % 2], "outcome": "refuse"}
        log.record(Event(kind=kind, at_seconds=number / 10, wall_time=START + timedelta(seconds=number / 10),
                         details=details))  # fmt: skip
        number += 1
        if number == AT_LEAST // 4:
            print("ready", flush=True)
        time.sleep(PAUSE_SECONDS)
    log.close()
    print(number, log.lost, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
