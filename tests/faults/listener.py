"""The daemon on the real microphone, as a process: real sounddevice, real clock, the shipped loop; it only listens.

Prints a line when it hears anew after a gap (``hears SECONDS``), for each event, and leaves with the daemon's code.
"""

import sys
import time

from device.__main__ import leave
from device.errors import VoicelatchError
from device.hardware.clock import SystemClock
from device.hardware.microphone import SounddeviceMicrophone
from device.service.daemon import Hardware, Wishes, serve
from device.service.events import StreamEvents
from device.service.pipeline import Door
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import Frame, Gap
from device.sound.segmenter import Segmenter, SegmenterSpec
from device.verdict.policy import PolicySpec
from tests.doubles import LoudnessDetector, ScriptedScorer


class Telling(SounddeviceMicrophone):
    """Says when sound comes again."""

    _was_deaf = True

    def read(self) -> Frame | Gap | None:
        item = super().read()
        if isinstance(item, Frame) and self._was_deaf:
            print(f"hears {time.monotonic():.3f}", flush=True)
        self._was_deaf = not isinstance(item, Frame)
        return item


def main(deaf_seconds: float) -> int:
    clock = SystemClock()
    try:
        microphone = Telling("pulse", clock=clock)
        relay, events = SimulatedRelay(clock), StreamEvents()
        hardware = Hardware(microphone=microphone, relay=relay, clock=clock, supervisor=RecordedSupervisor(),
                            events=events)  # fmt: skip
        door = Door(
            microphone=microphone, detector=LoudnessDetector(), segmenter=Segmenter(SegmenterSpec()),
            scorer=ScriptedScorer([]), policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0), relay=relay, clock=clock,
            events=events, open_seconds=3.0,
        )  # fmt: skip
        wishes = Wishes()
        wishes.install()
        serve(door, hardware, wishes, lambda: None, deaf_seconds=deaf_seconds)
    except VoicelatchError as error:
        print(f"error {error}", flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    leave(main(float(sys.argv[1])))
