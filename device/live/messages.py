"""What the live feed says: each message is a table with its ``kind``, ready for JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from device.live.feed import Heard
from device.ports import Event
from device.sound.pcm import FRAME_SECONDS, FULL_SCALE, level_dbfs

Message = Mapping[str, object]
# 120 ms: eight levels a second.
FRAMES_A_LEVEL = 6
SILENCE_DBFS = -120.0


def event_message(event: Event) -> Message:
    """``kind`` event; ``event`` has the kind, ``time`` (ISO), ``at_seconds`` (monotonic) and the event's details."""
    told = {
        "kind": event.kind,
        "time": event.wall_time.isoformat(timespec="milliseconds"),
        "at_seconds": round(event.at_seconds, 3),
    }
    return {"kind": "event", "event": {**event.details, **told}}


def audio_message(heard: Heard, number: int) -> Message:
    """``kind`` audio; ``samples`` is base64 of 320 little-endian int16; ``number`` counts frames without a break."""
    samples = base64.b64encode(heard.frame.samples.astype("<i2").tobytes()).decode("ascii")
    return {"kind": "audio", "number": number, "at_seconds": round(heard.frame.ended_at_seconds, 3),
            "speech": heard.speech, "samples": samples}  # fmt: skip


def gap_message(number: int) -> Message:
    """``kind`` audio_gap; sound is missing before the frame of that number."""
    return {"kind": "audio_gap", "number": number}


class Meter:
    """Makes one ``level`` of every few frames."""

    def __init__(self) -> None:
        self._frames: list[Heard] = []

    def add(self, heard: Heard) -> Message | None:
        """``kind`` level, once enough frames have come: ``level_dbfs`` (root mean square) and ``peak_dbfs`` relative to
        full scale, -120 for silence; ``clipped`` samples at full scale; ``speech`` of the last frame,
        ``speech_seconds`` of ``heard_seconds``; ``clip_seconds`` of the clip in progress; ``age_seconds`` between the
        sound and its hearing."""
        self._frames.append(heard)
        if len(self._frames) < FRAMES_A_LEVEL:
            return None
        frames, self._frames = self._frames, []
        samples = np.concatenate([each.frame.samples for each in frames])
        # In int32: the magnitude of -32768 does not fit into int16.
        loudness = np.abs(samples.astype(np.int32))
        peak = int(loudness.max())
        return {
            "kind": "level",
            "at_seconds": round(heard.frame.ended_at_seconds, 3),
            "level_dbfs": round(level_dbfs(samples), 1),
            "peak_dbfs": round(20.0 * float(np.log10(peak / FULL_SCALE)), 1) if peak else SILENCE_DBFS,
            "clipped": int((loudness >= FULL_SCALE - 1).sum()),
            "speech": heard.speech,
            "speech_seconds": round(sum(each.speech for each in frames) * FRAME_SECONDS, 2),
            "heard_seconds": round(len(frames) * FRAME_SECONDS, 2),
            "clip_seconds": round(heard.clip_seconds, 2),
            "age_seconds": round(heard.age_seconds, 3),
        }

    def reset(self) -> None:
        """Sound is missing: nothing is measured across it."""
        self._frames = []
