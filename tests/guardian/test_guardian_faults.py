"""What the guardian does when its own things break: pin, socket, configuration, memory; and its test with a person."""

import io
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.guardian.__main__ import build_parser, main, uid_of
from device.guardian.entrance import listen
from device.guardian.errors import PinError, SettingsError, SocketError
from device.guardian.pin import GpioPin
from device.guardian.settings import PinSettings, pin_to_release, read_settings, remember_pin
from tests.benches.gpio_file_pin import FilePin
from tests.benches.gpio_guardian import GuardianProcess, guardian

PULSE = b"pulse 0123abcd 9.000\n"
HARDWARE, SOCKET, CONFIG = 69, 73, 78


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GuardianProcess]:
    with guardian(tmp_path) as made:
        yield made


def inject(place: GuardianProcess, fault: str) -> None:
    (place.folder / "fault.new").write_text(fault)
    os.replace(place.folder / "fault.new", place.folder / "fault")


def test_a_pin_that_does_not_switch_on_is_a_fault(place: GuardianProcess) -> None:
    inject(place, "dead")
    assert place.answer(PULSE) == b"fault 0123abcd does-not-switch-on\n"
    assert place.ends() == HARDWARE
    assert "does not follow" in place.said()


def test_a_pin_that_raises_ends_the_guardian_with_the_pin_off(place: GuardianProcess) -> None:
    inject(place, "error-on")
    assert place.answer(PULSE) == b"off 0123abcd stopped\n"
    assert place.ends() == HARDWARE
    assert not place.is_on


def test_a_pin_that_sticks_is_told_and_ends_the_guardian(place: GuardianProcess) -> None:
    with place.ask(b"pulse 0123abcd 0.200\n") as line:
        place.until(on=True)
        inject(place, "stuck-on")
        assert line.recv(64) == b"on 0123abcd 0.200\n"
        assert line.recv(64) == b"fault 0123abcd on-unasked\n"
    assert place.ends() == HARDWARE
    assert place.off() == 70, "the one-shot says so as well"
    inject(place, "")
    assert place.off() == 0
    assert not place.is_on


def test_a_pin_that_somebody_else_switched_on_is_driven_off_at_once(place: GuardianProcess) -> None:
    FilePin(place.folder, PinSettings(pin=17)).drive(True)
    assert place.ends() == HARDWARE
    assert not place.is_on


def test_a_pin_that_hangs_is_left_to_the_watchdog(place: GuardianProcess) -> None:
    inject(place, "hangs")
    with place.ask(PULSE):
        while place.hears(within_seconds=1.5):
            pass
        place.kill(signal.SIGKILL)
        place.ends()
    assert place.off() == 0
    assert not place.is_on


def test_a_second_guardian_leaves_the_first_in_peace(place: GuardianProcess) -> None:
    second = place._call("run", "--user", place.user)
    assert second.wait(20) == SOCKET
    assert second.stderr is not None
    assert "another guardian answers" in second.stderr.read()
    second.stderr.close()
    assert place.answer(b"status 00000000\n") == b"off 00000000 idle\n"


def test_the_socket_of_a_dead_guardian_is_replaced(place: GuardianProcess) -> None:
    place.kill(signal.SIGKILL)
    place.ends()
    assert place.socket.exists()
    place.start()
    assert place.answer(b"status 00000000\n") == b"off 00000000 idle\n"


def test_the_socket_is_for_its_owner_and_group(place: GuardianProcess) -> None:
    assert place.socket.stat().st_mode & 0o777 == 0o660


def test_a_file_in_the_socket_s_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "relay.sock").write_text("precious")
    with pytest.raises(SocketError, match="cannot be listened on"):
        listen(tmp_path / "relay.sock")
    assert (tmp_path / "relay.sock").read_text() == "precious"
    with pytest.raises(SocketError):
        listen(tmp_path / "absent" / "relay.sock")
    with pytest.raises(SocketError):
        listen(tmp_path / ("long" * 40))


def test_one_that_listens_but_is_busy_counts_as_there(tmp_path: Path) -> None:
    path = tmp_path / "relay.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        with pytest.raises(SocketError, match="another guardian"):
            listen(path)


def test_after_a_death_the_pin_that_was_driven_is_released_whatever_the_file_says_by_then(
    place: GuardianProcess,
) -> None:
    with place.ask(PULSE):
        place.until(on=True)
        for text in ("[relay", "[relay]\npin = 5\n"):
            place.config.write_text(text)
            if place.is_on:
                place.kill(signal.SIGKILL)
                place.ends()
            assert place.off() == 0
            assert not place.is_on
    assert place.trace(5) == []


def test_a_torn_memory_leaves_the_configuration(tmp_path: Path) -> None:
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    config = tmp_path / "c.toml"
    config.write_text("[relay]\npin = 5\nactive_high = false\n")
    assert pin_to_release(config, environment) == PinSettings(pin=5, active_high=False)
    for torn in ("", "[]", "{", '{"pin": "x"}', '{"pin": 99}'):
        (tmp_path / "pin.json").write_text(torn)
        assert pin_to_release(config, environment).pin == 5
    remember_pin(PinSettings(pin=6), environment)
    assert pin_to_release(config, environment).pin == 6
    with pytest.raises(SocketError):
        remember_pin(PinSettings(pin=6), {"RUNTIME_DIRECTORY": str(tmp_path / "absent")})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[relay", "cannot be read"),
        ("", r"no table \[relay\]"),
        ("[relay]\n", "relay.pin"),
        ("[relay]\npin = 28", "relay.pin"),
        ("[relay]\npin = true", "relay.pin"),
        ('[relay]\npin = 17\nactive_high = "no"', "relay.active_high"),
        ("[relay]\npin = 17\npin_factory = 3", "relay.pin_factory"),
        ("[relay]\npin = 17\nmax_on_seconds = 31.0", "max_on_seconds"),
        ("[relay]\npin = 17\nmin_gap_seconds = nan", "min_gap_seconds"),
        ("[relay]\npin = 17\nmin_gap_seconds = true", "min_gap_seconds"),
        ('[relay]\npin = 17\nguardian = ""', "relay.guardian"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=named):
        read_settings(path)


def test_a_wrong_configuration_leaves_with_78_before_a_pin_is_claimed(tmp_path: Path) -> None:
    def never(_settings: PinSettings) -> FilePin:
        raise AssertionError("claimed")

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        assert main(["run", "--config", str(tmp_path / "absent.toml")], make_pin=never) == CONFIG
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_mistakes_in_other_tables_do_not_keep_it_from_guarding(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[relay]\npin = 17\nopen_seconds = 99\n[modle]\n")
    assert read_settings(path).pin.pin == 17


def test_users_are_known_by_name_or_number() -> None:
    assert (uid_of("root"), uid_of("1234")) == (0, 1234)
    with pytest.raises(SettingsError, match="no such user"):
        uid_of("nobody-of-that-name")


def test_a_backend_that_glitches_is_not_used() -> None:
    with pytest.raises(PinError, match="native"):
        GpioPin(17, active_high=True, backend="native")


@pytest.mark.parametrize("high", [True, False])
def test_the_mock_pin_follows(high: bool) -> None:
    pin = GpioPin(17, active_high=high, backend="mock")
    assert not pin.read()
    pin.drive(True)
    assert pin.read()
    pin.close()
    assert not pin.read()


@pytest.mark.parametrize(
    ("typed", "code", "levels"),
    [("y\ny\n", 0, [False, True, False]), ("y\nn\n", 1, [False, True, False]), ("n\n", 1, []), ("", 1, [])],
)
def test_the_relay_test_clicks_only_with_a_person_s_consent(
    tmp_path: Path, typed: str, code: int, levels: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = GuardianProcess(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr("device.guardian.__main__.TEST_SECONDS", 0.01)
    made = ["test", "--config", str(place.config)]
    assert main(made, make_pin=lambda settings: FilePin(tmp_path, settings)) == code
    assert [each.on for each in place.trace()] == levels
    place.close()


def test_every_command_has_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "off", "test"):
        with pytest.raises(SystemExit):
            build_parser().parse_args([command, "--help"])
        said = capsys.readouterr().out
        assert "Example: " in said
        assert "Exit codes: " in said
