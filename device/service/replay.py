"""The guard against a recording of a resident: :mod:`device.replay` at the door, and its memory on the disk."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import StateError
from device.ports import Clock
from device.replay.guard import ReplayDetector
from device.replay.memory import ReplayMemory
from device.replay.prints import PrintSpec
from device.service.background import Background
from device.service.boot import BootClock, BootTime, boot_time, elapsed_seconds
from device.service.guard_settings import ReplayConfig
from device.sound.pcm import Clip
from device.verdict.guards import JUDGED, Finding
from device.verdict.values import Decision, Outcome

_LOG = logging.getLogger(__name__)
NAME = "replay.npz"
SAVE_EVERY_SECONDS = 30.0
MOST_BYTES = 64_000_000
# Prints of another form look the same and are like nothing.
FORM = np.array(astuple(PrintSpec()), dtype=np.float64)


def make_memory(config: ReplayConfig) -> ReplayMemory:
    """An empty memory of the configured size."""
    return ReplayMemory(keep_seconds=3600.0 * config.keep_hours, most_utterances=config.most_utterances)


@dataclass(slots=True)
class ReplayFile:
    """The memory in a file. What cannot be read or written is said and done without: the memory is then only in RAM,
    and ``problem`` says why (empty where nothing is wrong).

    Prints age by the time this machine surely ran: no calendar that is set forgets them, nor a restart."""

    path: Path
    background: Background
    boot: BootClock = boot_time
    problem: str = ""

    def load(self, memory: ReplayMemory, clock: Clock) -> None:
        """Take up what an earlier process left."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self._begin_anew(error.strerror or type(error).__name__)
            return
        try:
            with open(descriptor, "rb") as file:
                if os.fstat(descriptor).st_size > MOST_BYTES:
                    raise StateError("it is too large", allowed=f"{MOST_BYTES} bytes")
                with np.load(file, allow_pickle=False) as arrays:
                    self._take_up(arrays, memory, clock)
        except StateError as error:
            self._begin_anew(str(error))
        except Exception as error:
            # A damaged archive raises whatever its bytes make of it; the door starts all the same.
            self._begin_anew(f"not what this program writes there ({type(error).__name__})")

    def _take_up(self, arrays: Mapping[str, Any], memory: ReplayMemory, clock: Clock) -> None:
        if not np.array_equal(arrays["form"], FORM):
            raise StateError("it is of another version")
        saved = BootTime(str(arrays["boot"]), float(arrays["boot_seconds"]))
        memory.take_arrays({name: arrays[name] for name in arrays}, now_seconds=clock.monotonic_seconds(),
                           away_seconds=elapsed_seconds(saved, self.boot()))  # fmt: skip

    def _begin_anew(self, reason: str) -> None:
        self.problem = f"{self.path}: {reason}"
        _LOG.error("the replay memory in %s cannot be used and begins anew: %s", self.path, reason)

    def save(self, memory: ReplayMemory, clock: Clock) -> None:
        """Write it, soon and in the background."""
        arrays = memory.to_arrays(now_seconds=clock.monotonic_seconds())
        now = self.boot()

        def write() -> None:
            content = io.BytesIO()
            np.savez_compressed(content, allow_pickle=False, form=FORM, boot=np.str_(now.boot),
                                boot_seconds=np.float64(now.seconds), **arrays)  # fmt: skip
            fresh = self.path.with_name(f".{self.path.name}.new")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(content.getvalue())
                file.flush()
                # Without it a power cut may leave an empty file: everything heard forgotten.
                os.fsync(file.fileno())
            os.replace(fresh, self.path)

        self.background.submit(write)


@dataclass(slots=True)
class ReplayGuard:
    """A :class:`~device.verdict.guards.Guard`: what this door has heard before opens it no more."""

    detector: ReplayDetector
    clock: Clock
    file: ReplayFile | None = None
    _saved_at_seconds: float = field(default=float("-inf"), init=False)

    def look(self, clip: Clip, decision: Decision) -> Finding:
        now = self.clock.monotonic_seconds()
        found = self.detector.hear(clip, now_seconds=now)
        if decision.opens and not found.replayed:
            self.detector.opened(now_seconds=now)
        if self.file is not None and (decision.opens or now - self._saved_at_seconds >= SAVE_EVERY_SECONDS):
            self._saved_at_seconds = now
            self.file.save(self.detector.memory, self.clock)
        told = {"replay_likeness": round(found.likeness, 2), "replay_threshold": found.threshold,
                "replay_compared": found.compared}  # fmt: skip
        if not found.replayed or decision.outcome not in JUDGED:
            return Finding(told=told)
        reason = f"a recording of what was heard here before: {found.likeness:.1f} >= {found.threshold:.1f}"
        return Finding(told=told, objection=Outcome.REPLAY, reason=reason)
