"""The relay that the configuration asks for: made, released, described, clicked; behind a real guardian or not."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import ConfigError, RelayError
from device.guardian.protocol import DEFAULT_SOCKET
from device.hardware.guardian_relay import GuardianRelay
from device.hardware.relay import GpioRelay
from device.service import cli
from device.service.config import RelayConfig
from device.service.pin_in_use import remember_pin
from device.service.relays import describe, make_relay, release
from tests.benches.gpio_guardian import GuardianProcess, guardian
from tests.conftest import ROOT


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GuardianProcess]:
    with guardian(tmp_path) as made:
        with made.config.open("a") as config:
            config.write('[model]\nbundle = "models"\n')
        yield made


def behind(place: GuardianProcess) -> RelayConfig:
    return RelayConfig(pin=17, guardian=str(place.socket))


def test_both_sides_mean_the_same_socket() -> None:
    assert RelayConfig(pin=17).guardian == DEFAULT_SOCKET
    unit = (ROOT / "systemd/voicelatch-guardian.service").read_text()
    folder = re.search(r"^RuntimeDirectory=(.*)$", unit, re.M)
    assert folder is not None
    assert DEFAULT_SOCKET.startswith(f"/run/{folder[1]}/")


def test_a_guardian_is_asked_where_one_is_named_and_the_pin_is_driven_where_none_is(place: GuardianProcess) -> None:
    asking, own = make_relay(behind(place)), make_relay(RelayConfig(pin=17, guardian="", pin_factory="mock"))
    assert isinstance(asking, GuardianRelay)
    assert isinstance(own, GpioRelay)
    own.close()


def test_check_says_what_the_guardian_answers_and_moves_nothing(place: GuardianProcess) -> None:
    assert (
        describe(behind(place))
        == f"the guardian at {place.socket} answers: pin 17 of gpiochip0 (pinctrl-bcm2711) is off"
    )
    # A Pi that starts pulls pin 17 low.
    assert "CAREFUL" in describe(replace(behind(place), active_high=False))
    with place.ask(b"pulse 0123abcd 9.000\n"):
        place.until(on=True)
        assert describe(behind(place)).endswith("is on")
        assert place.is_on
    with pytest.raises(ConfigError, match="mock"):
        describe(RelayConfig(pin=17, pin_factory="mock"))
    with pytest.raises(RelayError, match="cannot be reached"):
        describe(RelayConfig(pin=17, guardian=str(place.folder / "absent")))


def test_after_a_death_the_daemon_s_unit_has_the_guardian_switch_off(
    place: GuardianProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(place.folder))
    remember_pin(behind(place))
    with place.ask(b"pulse 0123abcd 9.000\n"):
        place.until(on=True)
        place.config.write_text("[relay")
        assert cli.main(["relay-off", "--config", str(place.config)]) == 0
        assert not place.is_on
    release(behind(place))


@pytest.mark.parametrize(
    ("typed", "code", "pulses"), [("y\nyes\n", 0, 1), ("y\nn\n", 1, 1), ("y\n", 1, 1), ("n\n", 1, 0), ("", 1, 0)]
)
def test_the_relay_test_clicks_only_with_a_person_s_consent(
    place: GuardianProcess, typed: str, code: int, pulses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr("device.service.relays.TEST_SECONDS", 0.05)
    assert cli.main(["relay", "test", "--config", str(place.config)]) == code
    assert len(place.pulses()) == pulses
