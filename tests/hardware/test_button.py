"""The button, on gpiozero's mock pins and simulated."""

import pytest
from gpiozero.pins.mock import MockFactory

from device.errors import ButtonError
from device.hardware.button import GpioButton
from device.simulated.button import SimulatedButton
from device.simulated.clock import ManualClock


def test_a_press_is_the_moment_the_contact_closes() -> None:
    clock, factory = ManualClock(start_seconds=5.0), MockFactory()
    button = GpioButton(27, clock=clock, factory=factory)
    assert button.pressed_at_seconds() is None
    clock.advance(1.0)
    factory.pin(27).drive_low()
    assert button.pressed_at_seconds() == 6.0
    clock.advance(60.0)
    factory.pin(27).drive_high()
    assert button.pressed_at_seconds() == 6.0
    button.close()
    button.close()


def test_a_button_that_was_held_down_at_the_start_was_not_pressed() -> None:
    factory = MockFactory()
    factory.pin(27).drive_low()
    button = GpioButton(27, clock=ManualClock(), factory=factory)
    assert button.pressed_at_seconds() is None
    button.close()


def test_a_button_to_the_supply_is_pressed_when_high() -> None:
    factory = MockFactory()
    button = GpioButton(27, clock=ManualClock(), pull_up=False, factory=factory)
    factory.pin(27).drive_high()
    assert button.pressed_at_seconds() == 0.0
    button.close()


def test_a_pin_in_use_or_a_backend_that_does_not_work_here_is_one_clear_error() -> None:
    factory = MockFactory()
    taken = GpioButton(27, clock=ManualClock(), factory=factory)
    with pytest.raises(ButtonError, match=r"button\.pin = 27"):
        GpioButton(27, clock=ManualClock(), factory=factory)
    taken.close()
    with pytest.raises(ButtonError, match="no such GPIO backend"):
        GpioButton(27, clock=ManualClock(), pin_factory="lgpoi")


def test_the_simulated_button_is_pressed_by_a_call() -> None:
    clock = ManualClock(start_seconds=2.0)
    button = SimulatedButton(clock)
    assert button.pressed_at_seconds() is None
    button.press()
    assert button.pressed_at_seconds() == 2.0
    button.close()
    assert button.closed
