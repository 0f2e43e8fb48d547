"""One suite for every indicator: on gpiozero's mock pins, as a player's process, simulated."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from device.hardware.led import Led
from device.hardware.speaker import Speaker
from device.ports import Indicator, Signal
from device.simulated.clock import ManualClock
from device.simulated.indicator import SimulatedIndicator


@pytest.fixture(params=["led", "speaker", "simulated"])
def indicator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Indicator]:
    made: dict[str, Indicator] = {
        "led": Led(22, clock=ManualClock(), factory=MockFactory()),
        "speaker": Speaker(command=[sys.executable, "-c", "import sys; sys.stdin.read()"]),
        "simulated": SimulatedIndicator(ManualClock()),
    }
    yield made[request.param]
    for each in made.values():
        each.close()


def test_every_signal_can_be_shown(indicator: Indicator) -> None:
    for signal in Signal:
        indicator.show(signal)


def test_it_says_whether_the_microphone_hears_it(indicator: Indicator) -> None:
    assert indicator.audible is isinstance(indicator, Speaker)


def test_closing_may_be_repeated(indicator: Indicator) -> None:
    indicator.close()
    indicator.close()


def test_after_closing_a_signal_that_comes_late_is_no_error(indicator: Indicator) -> None:
    indicator.close()
    indicator.show(Signal.GRANTED)
