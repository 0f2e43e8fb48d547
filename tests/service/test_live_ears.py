"""Hearing through the running daemon: its sound, its gaps, its end; and a session held that way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import LiveError, MicrophoneError
from device.live.feed import Heard, LiveFeed, SoundLost
from device.live.server import LiveServer
from device.service.live_ears import LiveMicrophone
from device.simulated.clock import ManualClock
from device.sound.pcm import Frame, Gap


class Daemon:
    """A live feed with its server's thread; ``says`` is what it heard."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock, self.feed = folder / "live.sock", ManualClock(), LiveFeed()
        self.server = LiveServer(self.path, self.feed, clock=self.clock, status=dict)
        self.server.start()

    def says(self, *values: int) -> None:
        for value in values:
            self.clock.advance(0.02)
            frame = Frame(np.full(320, value, dtype=np.int16), self.clock.monotonic_seconds())
            self.feed.tell(Heard(frame=frame, speech=True, clip_seconds=0.0, age_seconds=0.0))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.server.close()


def heard(microphone: LiveMicrophone, count: int) -> list[object]:
    """Frames by their sample, gaps as they are. Gaps for want of sound are left out: this machine may be busy."""
    found: list[object] = []
    while len(found) < count:
        item = microphone.read()
        if isinstance(item, Frame):
            found.append(int(item.samples[0]))
        elif isinstance(item, Gap) and item.reason != "no sound arrived":
            found.append("gap")
    return found


def test_the_daemon_s_frames_arrive_and_the_door_is_held_meanwhile(daemon: Daemon) -> None:
    microphone = LiveMicrophone(daemon.path, clock=daemon.clock, hold=True)
    assert daemon.feed.held
    daemon.says(1, 2, 3)
    assert heard(microphone, 3) == [1, 2, 3]
    microphone.close()


def test_who_only_looks_does_not_hold_the_door(daemon: Daemon) -> None:
    microphone = LiveMicrophone(daemon.path, clock=daemon.clock, hold=False)
    assert daemon.feed.watched
    assert not daemon.feed.held
    microphone.close()


def test_sound_that_the_daemon_lost_is_a_gap(daemon: Daemon) -> None:
    microphone = LiveMicrophone(daemon.path, clock=daemon.clock, hold=False)
    daemon.says(1)
    daemon.feed.tell(SoundLost())
    daemon.says(2)
    assert heard(microphone, 3) == [1, "gap", 2]
    microphone.close()


def test_sound_that_found_the_feed_full_is_a_gap_for_whoever_records() -> None:
    feed, clock = LiveFeed(most_waiting=3), ManualClock()
    feed.connect(lambda: None)

    def says(value: int) -> None:
        frame = Frame(np.full(320, value, dtype=np.int16), clock.monotonic_seconds())
        feed.tell(Heard(frame=frame, speech=True, clip_seconds=0.0, age_seconds=0.0))

    for value in range(5):
        says(value)
    taken = [feed.take() for _ in range(3)]
    says(5)
    taken += [feed.take(), feed.take(), feed.take()]
    assert [int(each.frame.samples[0]) if isinstance(each, Heard) else each for each in taken] == [
        0, 1, 2, SoundLost(), 5, None
    ]  # fmt: skip
    assert feed.lost == 2


def test_a_frame_that_never_came_is_a_gap(daemon: Daemon) -> None:
    microphone = LiveMicrophone(daemon.path, clock=daemon.clock, hold=False)
    daemon.says(1)
    assert heard(microphone, 1) == [1]
    # As if the server had numbered a frame that it could not send.
    daemon.server._frames += 1
    daemon.says(3)
    assert heard(microphone, 2) == ["gap", 3]
    microphone.close()


def test_the_daemon_s_end_is_the_microphone_s(daemon: Daemon) -> None:
    microphone = LiveMicrophone(daemon.path, clock=daemon.clock, hold=False)
    daemon.server.close()
    with pytest.raises(MicrophoneError, match="is gone"):
        heard(microphone, 1)


def test_without_a_daemon_there_is_no_such_microphone(tmp_path: Path) -> None:
    with pytest.raises(LiveError, match="no daemon answers"):
        LiveMicrophone(tmp_path / "live.sock", clock=ManualClock(), hold=False)
