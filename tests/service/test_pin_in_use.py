"""After a death the pin that was driven is released, whatever the configuration says by then."""

import sys
from pathlib import Path

import pytest

from device.errors import StateError
from device.service import cli
from device.service.config import RelayConfig
from device.service.pin_in_use import NAME, recall_pin, remember_pin

RELAY = RelayConfig(pin=22, active_high=False, pin_factory="mock", guardian="")


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Every (pin, active_high) that a relay was made for."""
    made: list[tuple[int, bool]] = []

    class Relay:
        def __init__(self, pin: int, *, active_high: bool, pin_factory: str, chip_label: str) -> None:
            made.append((pin, active_high))

        def close(self) -> None: ...

    import device.hardware.relay

    monkeypatch.setattr(device.hardware.relay, "GpioRelay", Relay)
    return made


def relay_off(config: Path) -> int:
    return cli.main(["relay-off", "--config", str(config)])


@pytest.mark.parametrize("text", ["[relay", '[relay]\npin = 5\nguardian = ""\n[model]\nbundle = "m"\n'])
def test_a_broken_or_edited_configuration_does_not_keep_the_old_pin_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driven: list[tuple[int, bool]], text: str
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    remember_pin(RELAY)
    (tmp_path / "c.toml").write_text(text)
    assert relay_off(tmp_path / "c.toml") == 0
    assert driven == [(22, False)]


def test_without_a_memory_the_configuration_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driven: list[tuple[int, bool]]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    (tmp_path / "c.toml").write_text('[relay]\npin = 5\nguardian = ""\n[model]\nbundle = "m"\n')
    (tmp_path / NAME).write_text("torn")
    assert relay_off(tmp_path / "c.toml") == 0
    (tmp_path / NAME).unlink()
    assert relay_off(tmp_path / "c.toml") == 0
    assert driven == [(5, True), (5, True)]


def test_the_daemon_remembers_its_pin_before_it_claims_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driven: list[tuple[int, bool]]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    (tmp_path / "c.toml").write_text('[relay]\npin = 9\npin_factory = "mock"\nguardian = ""\n[model]\nbundle = "m"\n')
    assert cli.main(["run", "--config", str(tmp_path / "c.toml")]) == 69
    remembered = recall_pin()
    assert remembered is not None
    assert remembered.pin == 9
    assert driven == [(9, True)]


def test_a_pin_that_cannot_be_remembered_is_not_driven(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="remembered"):
        remember_pin(RELAY, {"RUNTIME_DIRECTORY": str(tmp_path / "absent")})


def test_without_systemd_nothing_is_written() -> None:
    remember_pin(RELAY, {})
    assert recall_pin({}) is None
