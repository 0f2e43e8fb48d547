"""The light, on gpiozero's mock pins and a manual clock."""

import pytest
from gpiozero.pins.mock import MockFactory

from device.errors import IndicatorError
from device.hardware.led import PATTERNS, Led
from device.ports import Signal
from device.simulated.clock import ManualClock


class Watched(ManualClock):
    """Notes the pin's level whenever time passes."""

    def __init__(self, factory: MockFactory) -> None:
        super().__init__()
        self._factory = factory
        self.seen: list[tuple[float, int]] = []

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.seen.append((seconds, int(self._factory.pin(22).state)))
        super().sleep(seconds)


@pytest.mark.parametrize(
    ("signal", "seen"),
    [
        (Signal.LISTENING, [(0.1, 1)]),
        (Signal.GRANTED, [(2.0, 1)]),
        (Signal.REFUSED, [(0.1, 1), (0.1, 0)] * 5),
        (Signal.SAY_MORE, [(0.4, 1), (0.3, 0)] * 2),
    ],
)
def test_each_signal_has_a_rhythm_of_its_own_and_ends_dark(signal: Signal, seen: list[tuple[float, int]]) -> None:
    factory = MockFactory()
    clock = Watched(factory)
    led = Led(22, clock=clock, factory=factory)
    assert int(factory.pin(22).state) == 0
    led.show(signal)
    assert clock.seen == seen
    assert int(factory.pin(22).state) == 0
    led.close()


def test_a_light_that_is_on_at_low_level_is_dark_at_high() -> None:
    factory = MockFactory()
    clock = Watched(factory)
    led = Led(22, clock=clock, active_high=False, factory=factory)
    assert int(factory.pin(22).state) == 1
    led.show(Signal.GRANTED)
    assert clock.seen == [(2.0, 0)]
    led.close()


def test_a_pin_that_is_taken_is_an_error() -> None:
    factory = MockFactory()
    first = Led(22, clock=ManualClock(), factory=factory)
    with pytest.raises(IndicatorError, match="led_pin = 22"):
        Led(22, clock=ManualClock(), factory=factory)
    first.close()


def test_a_backend_without_its_hardware_is_an_error() -> None:
    with pytest.raises(IndicatorError):
        Led(22, clock=ManualClock(), pin_factory="native")


def test_no_two_signals_look_the_same() -> None:
    assert len(set(PATTERNS.values())) == len(Signal)
