"""The real relay: its own deadline, its edges, its refusals."""

import sys
import threading

import pytest
from gpiozero.pins.mock import MockFactory

from device.errors import RelayError, RuntimeMissingError
from device.hardware import relay as module
from device.hardware.relay import GpioRelay


def test_the_relay_ends_its_pulse_by_itself() -> None:
    factory = MockFactory()
    relay = GpioRelay(17, factory=factory)
    relay.pulse(open_seconds=0.05)
    timer = relay._timer
    assert timer is not None
    timer.join(5.0)
    assert not relay.is_on
    levels = [bool(each.state) for each in factory.pin(17).states]
    assert levels[-2:] == [True, False]


def test_the_real_second_pulse_keeps_the_first_deadline() -> None:
    relay = GpioRelay(17, factory=MockFactory())
    relay.pulse(open_seconds=20.0)
    first = relay._timer
    relay.pulse(open_seconds=30.0)
    assert relay._timer is first
    relay.close()
    assert first is not None
    first.join(5.0)
    assert not first.is_alive()


def test_an_active_low_relay_is_claimed_at_its_idle_level_in_one_step() -> None:
    factory = MockFactory()
    claimed: list[tuple[str, int]] = []

    class Pin:
        state = 0

        def output_with_state(self, level: int) -> None:
            claimed.append(("claim", level))
            self.state = level

    factory.pin = lambda number: Pin()
    GpioRelay(17, active_high=False, factory=factory)
    assert claimed == [("claim", 1)]


def test_with_lgpio_the_idle_level_is_part_of_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    backend = type(sys)("fake_lgpio_backend")
    backend.lgpio = type("lgpio", (), {"gpio_claim_output": staticmethod(lambda *given: calls.append(given))})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_lgpio_backend", backend)

    class Pin:
        state = 1

        def output_with_state(self, level: int) -> None:
            calls.append(("glitch", level))

    Pin.__module__ = "fake_lgpio_backend"
    factory = MockFactory()
    factory._handle = 5
    factory.pin = lambda number: Pin()
    GpioRelay(17, active_high=False, factory=factory)
    assert calls == [(5, 17, 1)]


def test_no_thread_means_no_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = MockFactory()
    relay = GpioRelay(17, factory=factory)

    def refuse(_timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    with pytest.raises(RelayError, match="stays shut"):
        relay.pulse(open_seconds=1.0)
    assert not factory.pin(17).state


def test_an_unknown_backend_is_refused_by_name() -> None:
    with pytest.raises(RelayError, match="rpigpio"):
        GpioRelay(17, pin_factory="rpigpio")


def test_a_missing_backend_is_an_error_and_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)
    with pytest.raises(RuntimeMissingError, match="python3-lgpio"):
        GpioRelay(17, pin_factory="lgpio")


def test_a_backend_without_hardware_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead:
        def __init__(self) -> None:
            raise OSError("no /dev/gpiochip0")

    fake = type(sys)("fake_backend")
    fake.Dead = Dead  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_backend", fake)
    monkeypatch.setitem(module.FACTORIES, "mock", ("fake_backend", "Dead"))
    with pytest.raises(RelayError, match="gpiochip0"):
        GpioRelay(17, pin_factory="mock")
