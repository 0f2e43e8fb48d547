"""One suite for every relay: on gpiozero's mock pins, behind a real guardian, simulated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from device.errors import RelayError
from device.hardware.guardian_relay import GuardianRelay
from device.hardware.relay import GpioRelay
from device.ports import Relay
from device.simulated.clock import ManualClock
from device.simulated.relay import SimulatedRelay
from tests.benches.gpio_guardian import guardian


@dataclass
class Subject:
    relay: Relay
    is_energised: Callable[[], bool]


@pytest.fixture(params=["gpio", "gpio active low", "guardian", "simulated"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "guardian":
        with guardian(tmp_path, settings="max_on_seconds = 30.0\nmin_gap_seconds = 0.0") as place:
            asking = GuardianRelay(place.socket)
            yield Subject(asking, lambda: place.is_on)
            asking.close()
        return
    if request.param == "simulated":
        simulated = SimulatedRelay(ManualClock())
        yield Subject(simulated, lambda: simulated.is_on)
        simulated.close()
        return
    high = request.param == "gpio"
    factory = MockFactory()
    relay = GpioRelay(17, active_high=high, factory=factory)
    pin = factory.pin(17)
    yield Subject(relay, lambda: bool(pin.state) == high)
    relay.close()


def test_it_is_off_when_made(subject: Subject) -> None:
    assert not subject.relay.is_on
    assert not subject.is_energised()


def test_a_pulse_switches_on_and_off_ends_it(subject: Subject) -> None:
    subject.relay.pulse(open_seconds=20.0)
    assert subject.relay.is_on
    assert subject.is_energised()
    subject.relay.off()
    assert not subject.relay.is_on
    assert not subject.is_energised()


def test_closing_switches_off_and_may_be_repeated(subject: Subject) -> None:
    subject.relay.pulse(open_seconds=20.0)
    subject.relay.close()
    subject.relay.close()
    assert not subject.relay.is_on


def test_a_closed_relay_cannot_be_pulsed(subject: Subject) -> None:
    subject.relay.close()
    with pytest.raises(RelayError):
        subject.relay.pulse(open_seconds=1.0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 31.0, float("inf"), float("nan")])
def test_an_unreasonable_time_is_refused_and_the_door_stays_shut(subject: Subject, seconds: float) -> None:
    with pytest.raises(RelayError, match="for that long"):
        subject.relay.pulse(open_seconds=seconds)
    assert not subject.relay.is_on


def test_a_second_pulse_does_not_lengthen_the_first() -> None:
    clock = ManualClock()
    relay = SimulatedRelay(clock)
    relay.pulse(open_seconds=3.0)
    clock.advance(2.0)
    relay.pulse(open_seconds=3.0)
    clock.advance(1.5)
    assert relay.history == [(0.0, True), (3.0, False)]
