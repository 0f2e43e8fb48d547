"""Clocks that jump, stand or run back."""

from datetime import timedelta

import pytest

from device.sound.pcm import Frame
from tests.doubles import Bench, loud, quiet
from tests.faults.world import OddClock


class Rewound(OddClock):
    """A monotonic clock that breaks its promise."""

    def rewind(self, seconds: float) -> None:
        self._seconds -= seconds


def bench(*sound: object, script: list[float]) -> tuple[Bench, Rewound]:
    made, clock = Bench(sound, list(script)), Rewound()  # type: ignore[arg-type]
    made.clock = clock
    for part in (made.door, made.relay, made.door.microphone):
        setattr(part, "clock" if part is made.door else "_clock", clock)
    return made, clock


def until_open(made: Bench) -> None:
    while not made.relay.is_on:
        assert made.door.step() is not None


@pytest.mark.parametrize("seconds", [0.5, 100.0])
def test_a_clock_that_runs_back_in_mid_pulse_ends_it(seconds: float) -> None:
    made, clock = bench(loud(3.2), quiet(10), script=[9.0])
    until_open(made)
    clock.rewind(seconds)
    made.door.microphone._due_seconds = None  # type: ignore[attr-defined]
    made.door.step()
    assert not made.relay.is_on


@pytest.mark.parametrize("seconds", [2.5, 3600.0, -2.5, -3600.0])
def test_speech_from_both_sides_of_a_jump_is_not_one_clip(seconds: float) -> None:
    made, clock = bench(quiet(1), loud(4.0), quiet(5), script=[9.0])
    read = made.door.microphone.read
    frames = 0

    def read_and_jump() -> object:
        nonlocal frames
        frames += 1
        if frames == 130:
            clock._seconds += seconds
            made.door.microphone._due_seconds = None  # type: ignore[attr-defined]
        return read()

    made.door.microphone.read = read_and_jump  # type: ignore[method-assign, assignment]
    made.hear()
    assert "gap" in made.kinds()
    assert all(clip.ended_at_seconds - clip.started_at_seconds <= 3.01 for clip in made.scorer.clips)
    assert all(clip.started_at_seconds > 2.5 + seconds - 0.1 for clip in made.scorer.clips)


def test_a_calendar_that_is_set_does_not_touch_a_pulse() -> None:
    made, clock = bench(loud(3.2), quiet(10), script=[9.0])
    until_open(made)
    clock.calendar_off = -timedelta(days=10_000)
    made.hear()
    (on, off) = made.relay.history
    assert off[0] - on[0] == pytest.approx(3.0, abs=0.021)


def test_frames_that_lie_a_little_apart_are_one_stretch_of_sound() -> None:
    made, clock = bench(quiet(1), loud(3.2), quiet(5), script=[9.0])
    read = made.door.microphone.read

    def read_late() -> object:
        item = read()
        return Frame(item.samples, item.ended_at_seconds + 0.15) if isinstance(item, Frame) else item

    made.door.microphone.read = read_late  # type: ignore[method-assign, assignment]
    clock.advance(1.0)
    made.hear()
    assert made.outcomes == ["open"]
