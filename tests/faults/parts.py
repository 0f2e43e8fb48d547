"""The parts of a door that does as its schedule says: each of its stages fails, or is late, when told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.errors import MicrophoneError
from device.hardware import microphone
from device.ports import Event
from device.service.events import FileEvents
from device.service.status import Status as Told
from device.service.status import StatusFile
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import FRAME_SAMPLES, FRAME_SECONDS, Clip, Frame, Gap
from device.sound.segmenter import Heard, Segmenter, SegmenterSpec
from device.verdict.guards import Finding
from device.verdict.values import Decision, ResidentScore, Score
from tests.faults.world import Acknowledging, GuardedRelay

if TYPE_CHECKING:
    from tests.faults.life import Life

# The real microphone's: how long a read waits, and how much sound waits for a door that is late.
READ_SECONDS, QUEUE_SECONDS = 0.5, 2.0
# Who is at the door is heard by how loud they are.
NOBODY, ANNA, MUMBLING_ANNA, STRANGER, BROKEN = 0, 1000, 2000, 3000, 4000
LLR = {ANNA: 9.0, MUMBLING_ANNA: 3.0, STRANGER: -5.0, BROKEN: float("nan"), NOBODY: -9.0}
_SOUND = {who: np.full(FRAME_SAMPLES, who, dtype=np.int16) for who in LLR}


class Watchdog(RecordedSupervisor):
    """systemd's side of the watchdog."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life, self.fed_seconds = life, 0.0

    def ready(self) -> None:
        self.alive()

    def alive(self) -> None:
        self._life.trap("supervisor")
        self.fed_seconds = self._life.now


class Ears:
    """The microphone: 20 ms of the porch at a time, or a gap where the schedule has one."""

    def __init__(self, life: Life) -> None:
        self._life, life.heard_seconds = life, life.now
        if life.lasts("unplugged") or life.lasts("frozen server"):
            raise MicrophoneError("the microphone cannot be opened")

    def read(self) -> Frame | Gap | None:
        life = self._life
        life.pass_time()
        life.trap("microphone")
        if life.now >= life.until_seconds:
            return None
        if life.lasts("unplugged") or life.lasts("frozen server"):
            # A device that is back is found at the reader's next attempt.
            patience = microphone.LONGEST_WAIT_SECONDS if life.lasts("unplugged") else 0.0
            life.silent["opening"] = life.now + READ_SECONDS + patience
            return self._gap("no sound arrived", READ_SECONDS)
        if life.lasts("opening"):
            return self._gap("the microphone is absent", READ_SECONDS)
        if life.overflowed:
            life.overflowed = False
            return self._gap("the sound driver overflowed", 0.0)
        if life.now - life.heard_seconds > QUEUE_SECONDS:
            return self._gap("the door was too slow", 0.0)
        # Sound waits for a door that is late, and keeps the time at which it was heard.
        life.heard_seconds += FRAME_SECONDS
        life.clock.advance(max(0.0, life.heard_seconds - life.now))
        life.frames.append(life.now)
        return Frame(_SOUND[life.porch.who(life.heard_seconds)], life.heard_seconds)

    def _gap(self, reason: str, seconds: float) -> Gap:
        self._life.clock.advance(seconds)
        self._life.gaps.append(self._life.now)
        self._life.heard_seconds = self._life.now
        return Gap(reason, self._life.now, seconds)

    def close(self) -> None:
        """Nothing is held."""


class Detector:
    def __init__(self, life: Life) -> None:
        self._life = life

    def is_speech(self, frame: Frame) -> bool:
        self._life.trap("detector")
        return bool(frame.samples[0] != NOBODY)

    def reset(self) -> None:
        """It remembers nothing."""


class Cutter(Segmenter):
    def __init__(self, life: Life) -> None:
        super().__init__(SegmenterSpec())
        self._life = life

    def push(self, frame: Frame, is_speech: bool) -> tuple[Heard, ...]:
        self._life.trap("segmenter")
        return super().push(frame, is_speech)


class Scorer:
    """Says of a clip what the most doubtful of its voices deserves; takes its time where the schedule says so."""

    def __init__(self, life: Life) -> None:
        self._life, self._count = life, 0

    def score(self, clip: Clip) -> Score:
        life = self._life
        life.trap("scorer")
        if life.lasts("slow model"):
            self._count += 1
            life.clock.advance((0.4, 1.7, 2.6)[self._count % 3])
        life.scored.append((life.now, clip))
        loudest = int(clip.samples.max())
        return Score((ResidentScore("Anna", LLR[loudest], 0.5), ResidentScore("Bruno", -9.0, 0.0)), 1.0)


class Onlooker:
    """A guard that objects to nothing."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def look(self, _clip: Clip, _decision: Decision) -> Finding:
        self._life.trap("guard")
        return Finding()


class Latch(GuardedRelay):
    """Fails at the worst moment: when the pin has gone on already."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.pin)
        self._life = life

    def pulse(self, *, open_seconds: float) -> None:
        super().pulse(open_seconds=open_seconds)
        self._life.trap("relay")


class Events(Acknowledging):
    def __init__(self, life: Life) -> None:
        super().__init__(FileEvents(life.log, max_bytes=100_000_000), life.acknowledged)
        self._life = life

    def record(self, event: Event) -> None:
        self._life.trap("events")
        super().record(event)


class Status(StatusFile):
    def __init__(self, life: Life) -> None:
        super().__init__(life.log.parent)
        self._life = life

    def _write(self, status: Told) -> None:
        self._life.trap("status")
        super()._write(status)
