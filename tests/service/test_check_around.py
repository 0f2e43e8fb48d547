"""`check` knows what stands around the door, light, gateway and page, and what a pin does while the Pi starts."""

import importlib.util
from pathlib import Path

import pytest

from device.errors import ConfigError, RuntimeMissingError
from device.gateway.settings import MetricsConfig, MqttConfig
from device.service import check, cli
from device.service.check_around import describe_light, describe_metrics, describe_mqtt, describe_page
from device.service.config import RelayConfig
from device.service.relays import at_boot
from device.service.signals import SignalsConfig
from device.web.password import NAME, hash_password, write_password
from device.web.settings import WebConfig
from tests.conftest import ROOT

needs_paho = pytest.mark.skipif(importlib.util.find_spec("paho") is None, reason="paho-mqtt is not installed")
needs_page = pytest.mark.skipif(importlib.util.find_spec("cheroot") is None, reason="the page's libraries are missing")


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "mqtt-password"
    path.write_text("secret words\n")
    path.chmod(0o640)
    return path


def config_with(folder: Path, models: Path, further: str) -> Path:
    path = folder / "voicelatch.toml"
    path.write_text(
        f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nallow_unsigned = true\nbundle = "{models}"\n{further}'
    )
    return path


@needs_paho
def test_the_broker_is_told_with_how_it_is_reached(password: Path) -> None:
    bare = describe_mqtt(MqttConfig(enabled=True))
    assert "localhost:1883 WITHOUT TLS, without a user" in bare
    asked = MqttConfig(enabled=True, host="hub", port=8883, tls=True, user="door", password_file=str(password))
    told = describe_mqtt(asked)
    assert "hub:8883 with TLS, as door" in told
    assert "secret words" not in told


@needs_paho
def test_a_password_that_everybody_may_read_is_refused(password: Path) -> None:
    password.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody"):
        describe_mqtt(MqttConfig(enabled=True, user="door", password_file=str(password)))


@needs_paho
def test_a_password_that_is_the_gateway_s_alone_is_as_it_should_be(
    password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: object, **_named: object) -> str:
        raise PermissionError(13, "Permission denied")

    # Root, as whom tests may run, reads everything.
    monkeypatch.setattr(Path, "read_text", refused)
    assert "may not read" in describe_mqtt(MqttConfig(enabled=True, user="door", password_file=str(password)))


@needs_paho
def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"ca_file = .*ca\.pem"):
        describe_mqtt(MqttConfig(enabled=True, tls=True, ca_file=str(tmp_path / "ca.pem")))


def test_a_missing_library_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RuntimeMissingError, match=r"install\.sh --with mqtt"):
        describe_mqtt(MqttConfig(enabled=True))
    with pytest.raises(RuntimeMissingError, match=r"install\.sh --with metrics"):
        describe_metrics(MetricsConfig(enabled=True))


def test_metrics_say_who_reaches_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    assert describe_metrics(MetricsConfig(enabled=True)).endswith("this machine alone")
    assert "without a password" in describe_metrics(MetricsConfig(enabled=True, address="0.0.0.0"))


@needs_page
def test_a_page_without_a_password_or_with_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="voicelatch web password"):
        describe_page(WebConfig(enabled=True), state=tmp_path)
    write_password(tmp_path / NAME, hash_password("several words to say"))
    assert "127.0.0.1:8737/ for this machine alone" in describe_page(WebConfig(enabled=True), state=tmp_path)
    assert "its password is set" in describe_page(WebConfig(enabled=True), state=tmp_path)
    (tmp_path / "page.pem").write_text("no certificate")
    pem = str(tmp_path / "page.pem")
    with pytest.raises(ConfigError, match=r"tls_cert = .*page\.pem"):
        describe_page(WebConfig(enabled=True, host="0.0.0.0", tls_cert=pem, tls_key=pem), state=tmp_path)


@needs_page
def test_the_page_s_password_is_no_matter_of_the_daemon_s_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("device.web.password.os.open", refuse)
    assert "this user may not read" in describe_page(WebConfig(enabled=True), state=tmp_path)


def test_the_light_s_pin_is_claimed_and_let_go() -> None:
    asked = SignalsConfig(led=True, led_pin=5, pin_factory="mock")
    assert describe_light(asked) == describe_light(asked) == "pin 5 of mock claimed, dark"


def test_check_has_a_finding_for_each_part_that_is_switched_on_and_none_for_the_others(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    around = {"mqtt", "metrics", "page"}
    found = {each.part for each in check.check_all(config_with(tmp_path, models, ""), simulate=True)}
    assert not around & found
    tables = "".join(f"[{name}]\nenabled = true\n" for name in ("mqtt", "metrics", "web"))
    told = {each.part: each for each in check.check_all(config_with(tmp_path, models, tables), simulate=True)}
    assert around <= set(told)
    # Nobody has set the page's password.
    assert not told["page"].ok


def test_check_looks_at_the_light_and_at_the_unit_s_right_to_it(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "pins_within_reach", lambda: "within reach")
    config = config_with(tmp_path, models, '[signals]\nled = true\npin_factory = "mock"\n')
    told = {each.part: each.text for each in check.check_all(config, simulate=False)}
    assert told["light"] == "pin 22 of mock claimed, dark"
    assert told["unit"] == "within reach"


def test_check_looks_for_the_output_of_tones(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.hardware.speaker.find_output", lambda device: f"the one called {device}")
    config = config_with(tmp_path, models, '[signals]\nsound = true\nsound_device = "USB"\n')
    told = {each.part: each.text for each in check.check_all(config, simulate=False)}
    assert told["tones"] == "tones at the one called USB, volume 0.3"


@pytest.mark.parametrize(("pin", "active_high"), [(17, False), (9, False), (8, True), (0, True)])
def test_a_pin_that_a_starting_pi_pulls_to_the_level_that_opens_is_told(pin: int, active_high: bool) -> None:
    assert "CAREFUL" in at_boot(RelayConfig(pin=pin, active_high=active_high))


@pytest.mark.parametrize(("pin", "active_high"), [(17, True), (9, True), (8, False), (0, False)])
def test_a_pin_that_a_starting_pi_pulls_to_off_is_nothing_to_say(pin: int, active_high: bool) -> None:
    assert at_boot(RelayConfig(pin=pin, active_high=active_high)) == ""


def test_the_demo_s_voices_are_not_for_a_door(tmp_path: Path) -> None:
    config = config_with(tmp_path, ROOT / "models/demo", "")
    told = {each.part: each.text for each in check.check_all(config, simulate=True)}
    assert "demo's voices, which anybody can play" in told["bundle"]


def test_ctrl_c_ends_a_command_with_a_word_and_the_shell_s_code(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_arguments: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("device.service.relays.click", interrupted)
    assert cli.main(["relay", "test", "--config", str(config_with(tmp_path, models, ""))]) == 130
    assert capsys.readouterr().err == "interrupted\n"
