"""The daemon as a process, at a real guardian: shipped loop, clock, event log and relay; sound and scores are scripted.

    python -m tests.faults.door_process SOCKET LOG [VISITS]

Somebody who is accepted speaks at once, once for each visit (1), and is silent for long after. Every event is printed
once the log has taken it.
"""

import json
import sys
from pathlib import Path

from device.__main__ import leave
from device.errors import VoicelatchError
from device.hardware.clock import SystemClock
from device.hardware.guardian_relay import GuardianRelay
from device.ports import Event
from device.service.daemon import Hardware, Wishes, reload_door, serve
from device.service.events import FileEvents, as_table
from device.service.pipeline import Door
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.supervisor import RecordedSupervisor
from device.sound.segmenter import Segmenter, SegmenterSpec
from device.verdict.policy import PolicySpec
from tests.doubles import LoudnessDetector, ScriptedScorer, loud, quiet

OPEN_SECONDS = 1.0


class Printed:
    """The shipped log, and a word on standard output for what it has taken."""

    def __init__(self, inner: FileEvents) -> None:
        self._inner = inner

    def record(self, event: Event) -> None:
        self._inner.record(event)
        if not self._inner.lost:
            print(json.dumps(as_table(event)), flush=True)

    def close(self) -> None:
        self._inner.close()


def main(guardian: Path, log: Path, visits: int) -> int:
    clock = SystemClock()
    wishes = Wishes()
    wishes.install()
    try:
        relay = GuardianRelay(guardian)
        sound = [loud(0.3), quiet(2.0)] * visits + [quiet(60.0)]
        events = Printed(FileEvents(log, max_bytes=10_000_000))
        hardware = Hardware(microphone=SimulatedMicrophone(sound, clock=clock), relay=relay, clock=clock,
                            supervisor=RecordedSupervisor(), events=events)  # fmt: skip
        door = Door(
            microphone=hardware.microphone, detector=LoudnessDetector(),
            segmenter=Segmenter(SegmenterSpec(min_speech_seconds=0.2, hangover_frames=2)),
            scorer=ScriptedScorer([9.0] * visits), relay=relay, clock=clock, events=events, open_seconds=OPEN_SECONDS,
            policy=PolicySpec(open_llr=5.0, refuse_llr=-2.0, cool_down_seconds=0.5),
        )  # fmt: skip
        serve(door, hardware, wishes, lambda: reload_door(door, log.with_name("absent.toml"), hardware))
    except VoicelatchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    leave(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1))
