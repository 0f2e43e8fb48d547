"""The real door as a process: sounddevice microphone, shipped pipeline, gpiozero's mock pin. Ends on standard input.

Prints ``listening``, each event as JSON, and at the end ``pin`` with every level the pin has had.
"""

import sys
import threading
from pathlib import Path

from gpiozero.pins.mock import MockFactory

from device.hardware.clock import SystemClock
from device.hardware.microphone import SounddeviceMicrophone
from device.hardware.relay import GpioRelay
from device.service.config import Config, ModelConfig, PolicyConfig, RelayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.events import StreamEvents
from device.simulated.supervisor import RecordedSupervisor


def main(bundle: Path) -> None:
    clock, factory, wishes = SystemClock(), MockFactory(), Wishes()
    relay = GpioRelay(17, factory=factory)
    pin = factory.pin(17)
    config = Config(relay=RelayConfig(pin=17, open_seconds=1.0),
                    model=ModelConfig(bundle=str(bundle), allow_unsigned=True),
                    policy=PolicyConfig(cool_down_seconds=20.0))  # fmt: skip
    hardware = Hardware(microphone=SounddeviceMicrophone("pulse", clock=clock), relay=relay, clock=clock,
                        supervisor=RecordedSupervisor(), events=StreamEvents())  # fmt: skip
    door = build_door(config, hardware)

    def wait_for_the_end() -> None:
        sys.stdin.read()
        wishes.stop = True

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    levels = pin.states
    serve(door, hardware, wishes, lambda: None)
    print("pin", "".join(str(int(bool(each.state))) for each in levels), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
