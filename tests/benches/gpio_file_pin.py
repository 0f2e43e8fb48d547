"""The shipped guardian on a pin that is a file, which keeps its level when the process dies, as a Raspberry Pi does.

    python -m tests.benches.gpio_file_pin FOLDER run|off|test ...

FOLDER/pin17.trace gets a line for every change: monotonic seconds, ``on`` or ``off``, process id; the last one is the
pin's level. FOLDER/fault makes the pin misbehave: ``stuck-on`` (once on, it stays), ``dead`` (never on), ``error``
(driving raises), ``error-on`` (switching on raises), ``hangs`` (switching on never returns).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from device.guardian.__main__ import main
from device.guardian.errors import PinError
from device.guardian.settings import PinSettings


class FilePin:
    """:class:`device.guardian.pin.Pin`."""

    def __init__(self, folder: Path, settings: PinSettings) -> None:
        self._trace, self._fault = folder / f"pin{settings.pin}.trace", folder / "fault"
        self.drive(False)

    @property
    def chip(self) -> str:
        return "gpiochip0 pinctrl-bcm2711"

    def drive(self, on: bool) -> None:
        fault = self._fault.read_text() if self._fault.exists() else ""
        if fault == "error" or (fault == "error-on" and on):
            raise PinError("the pin cannot be driven: fault injected")
        if fault == "hangs" and on:
            time.sleep(3600)
        if fault == "stuck-on" and self.read():
            on = True
        if fault == "dead":
            on = False
        if on != self.read() or not self._trace.exists():
            line = f"{time.monotonic():.4f} {'on' if on else 'off'} {os.getpid()}\n"
            with self._trace.open("a") as file:
                file.write(line)

    def read(self) -> bool:
        return self._trace.exists() and self._trace.read_text().splitlines()[-1].split()[1] == "on"

    def close(self) -> None:
        self.drive(False)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(main(sys.argv[2:], make_pin=lambda settings: FilePin(place, settings), prepare=lambda _settings: None))
