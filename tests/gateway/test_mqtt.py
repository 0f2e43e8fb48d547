"""The door at a real mosquitto: what Home Assistant sees of it, and what it may ask."""

import json
import queue
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device.errors import ConfigError, RuntimeMissingError
from device.gateway import mqtt as mqtt_module
from device.gateway.freshness import EchoProbe
from device.gateway.hub import DoorLine
from device.gateway.mqtt import MqttOutlet, read_password, require_safe_opening
from device.gateway.settings import MqttConfig
from device.simulated.clock import ManualClock
from tests.benches import mqtt_broker
from tests.benches.held_link import held_link
from tests.benches.mqtt_broker import Broker, Listener, broker

needs_mosquitto = pytest.mark.skipif(mqtt_broker.why_not() is not None, reason=mqtt_broker.why_not() or "")
STATUS = {"kind": "status", "listening": True, "bundle": "demo", "uptime_seconds": 12.5}
OPENED = {"kind": "event", "event": {
    "kind": "decision", "outcome": "open", "resident": "Anna", "evidence": 7.25, "reason": "sounds like Anna",
    "time": "2026-01-01T18:00:00.000+00:00", "latency_seconds": 0.05, "scores": {"Anna": 7.25}}}  # fmt: skip


class Line(DoorLine):
    """A door that notes who asks."""

    def __init__(self) -> None:
        self.asked: queue.Queue[str] = queue.Queue()

    def open(self, by: str, *, asked_at_seconds: float) -> str:
        self.asked.put(by)
        return ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as made:
        yield made


@pytest.fixture
def outlets() -> Iterator[Callable[..., MqttOutlet]]:
    made: list[MqttOutlet] = []

    def make(port: int, *, line: DoorLine | None = None, clock: ManualClock | None = None, **config: Any) -> MqttOutlet:
        asked = MqttConfig(enabled=True, host=config.pop("host", "127.0.0.1"), port=port, **config)
        # The way through the broker is tried when the test says so.
        made.append(MqttOutlet(asked, line=line, clock=clock or ManualClock(), version="test", probe_seconds=3600.0))
        return made[-1]

    yield make
    for each in made:
        each.close()


@needs_mosquitto
def test_home_assistant_finds_the_door_and_hears_what_happens(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port)
    outlet = outlets(house.port)
    told = json.loads(home.until("homeassistant/device/voicelatch/config"))
    assert told["components"]["event"]["state_topic"] == "voicelatch/event"
    home.until("voicelatch/gateway", "online")
    outlet.door(True)
    home.until("voicelatch/door", "online")
    outlet.hear(STATUS)
    assert json.loads(home.until("voicelatch/state"))["bundle"] == "demo"
    outlet.hear(OPENED)
    outlet.hear({"kind": "event", "event": {"kind": "relay_on", "resident": "Anna"}})
    event = json.loads(home.until("voicelatch/event"))
    assert (event["event_type"], event["person"], event["score"]) == ("granted", "Anna", 7.25)
    state = json.loads(home.until("voicelatch/state"))
    assert (state["last_person"], state["score"], state["last_event"]) == ("Anna", 7.25, "granted")
    home.until("voicelatch/latch", "UNLOCKED")
    outlet.hear({"kind": "event", "event": {"kind": "relay_off"}})
    home.until("voicelatch/latch", "LOCKED")
    outlet.hear({"kind": "level", "level_dbfs": -41.5})
    assert json.loads(home.until("voicelatch/state"))["level"] == -41.5
    home.close()


@needs_mosquitto
def test_without_names_nobody_is_named(house: Broker, outlets: Callable[..., MqttOutlet]) -> None:
    home = Listener(house.port)
    outlet = outlets(house.port, names=False)
    home.until("voicelatch/gateway", "online")
    outlet.hear(OPENED)
    seen = []
    outlet.hear({"kind": "event", "event": {"kind": "stopped"}})
    while True:
        topic, payload, _ = home.messages.get(timeout=30.0)
        seen.append(payload)
        if topic == "voicelatch/event" and "stopped" in payload:
            break
    assert not any("Anna" in each for each in seen)
    assert any('"granted"' in each for each in seen)
    home.close()


@needs_mosquitto
def test_whoever_comes_later_finds_the_state_but_no_old_event(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    first = Listener(house.port)
    outlet = outlets(house.port)
    first.until("voicelatch/gateway", "online")
    outlet.hear(STATUS)
    outlet.hear(OPENED)
    first.until("voicelatch/event")
    first.until("voicelatch/state")
    first.close()
    late = Listener(house.port)
    late.say("done", "")
    found = {}
    while True:
        topic, payload, retained = late.messages.get(timeout=30.0)
        if topic == "done":
            break
        assert retained
        found[topic] = payload
    assert set(found) == {"homeassistant/device/voicelatch/config", "voicelatch/gateway", "voicelatch/door",
                          "voicelatch/state", "voicelatch/latch"}  # fmt: skip
    assert (found["voicelatch/gateway"], found["voicelatch/door"]) == ("online", "online")
    late.close()


@needs_mosquitto
def test_a_gateway_that_starts_anew_knows_who_came_last_and_tells_no_old_event(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port)
    outlet = outlets(house.port)
    home.until("voicelatch/gateway", "online")
    outlet.hear({**OPENED, "recent": True})
    outlet.hear(STATUS)
    state = json.loads(home.until("voicelatch/state"))
    assert (state["last_person"], state["last_event"], state["bundle"]) == ("Anna", "granted", "demo")
    outlet.hear({"kind": "event", "event": {"kind": "stopped"}})
    assert json.loads(home.until("voicelatch/event"))["event_type"] == "stopped"
    home.close()


@needs_mosquitto
def test_a_gateway_that_dies_is_told_by_its_last_will_and_one_that_ends_says_good_bye(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port, "voicelatch/gateway")
    outlet = outlets(house.port)
    home.until("voicelatch/gateway", "online")
    # As when the process is killed: the connection ends without a word.
    outlet._client.socket().shutdown(2)
    home.until("voicelatch/gateway", "offline")
    home.until("voicelatch/gateway", "online")
    outlet.close()
    home.until("voicelatch/gateway", "offline")
    home.close()


@needs_mosquitto
def test_a_broker_that_goes_and_comes_back_finds_everything_again(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port)
    outlet = outlets(house.port)
    outlet.door(True)
    home.until("voicelatch/gateway", "online")
    home.close()
    house.stop()
    # Nothing raises and nothing waits to be told late.
    for _ in range(300):
        outlet.hear(OPENED)
    house.start()
    home = Listener(house.port)
    home.until("homeassistant/device/voicelatch/config")
    home.until("voicelatch/door", "online")
    outlet.hear({"kind": "event", "event": {"kind": "stopped"}})
    told = [json.loads(home.until("voicelatch/event"))["event_type"]]
    assert told == ["stopped"]
    home.close()


@needs_mosquitto
def test_a_home_assistant_that_has_just_started_is_told_everything_anew(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port)
    outlets(house.port)
    home.until("voicelatch/gateway", "online")
    home.say("homeassistant/status", "online")
    home.until("homeassistant/device/voicelatch/config")
    home.until("voicelatch/gateway", "online")
    home.close()


@needs_mosquitto
def test_an_opening_is_asked_for_only_by_a_fresh_open(house: Broker, outlets: Callable[..., MqttOutlet]) -> None:
    home = Listener(house.port)
    home.say("voicelatch/latch/set", "OPEN", retain=True)
    line = Line()
    outlet = outlets(house.port, line=line)
    told = json.loads(home.until("homeassistant/device/voicelatch/config"))
    lock = told["components"]["lock"]
    assert (lock["command_topic"], lock["payload_open"], lock["retain"]) == ("voicelatch/latch/set", "OPEN", False)
    home.until("voicelatch/gateway", "online")
    outlet.probe()
    home.until("voicelatch/gateway/probe")
    for command in ("LOCK", "UNLOCK", "open", "", "x" * 10_000):
        home.say("voicelatch/latch/set", command)
    assert line.asked.empty()
    home.say("voicelatch/latch/set", "OPEN")
    assert line.asked.get(timeout=30.0) == "mqtt"
    assert line.asked.empty(), "one command, one opening; the one kept at the broker none"
    home.close()


@needs_mosquitto
@pytest.mark.parametrize("late_seconds", [6.0, 40.0, 120.0])
def test_an_opening_that_waited_behind_a_stall_is_not_carried_out(
    house: Broker, outlets: Callable[..., MqttOutlet], late_seconds: float
) -> None:
    home, line, clock = Listener(house.port), Line(), ManualClock()
    with held_link(house.port) as link:
        outlet = outlets(link.port, line=line, clock=clock)
        home.until("voicelatch/gateway", "online")
        outlet.probe()
        home.until("voicelatch/gateway/probe")
        home.say("voicelatch/latch/set", "OPEN")
        assert line.asked.get(timeout=30.0) == "mqtt", "a fresh one is"
        link.hold()
        home.say("voicelatch/latch/set", "OPEN")
        link.wait_until_held(b"OPEN")
        clock.advance(late_seconds)
        link.release()
        # What is asked for after the stall counts again, once the way through the broker was tried again.
        outlet.probe()
        home.until("voicelatch/gateway/probe")
        home.say("voicelatch/latch/set", "OPEN")
        assert line.asked.get(timeout=30.0) == "mqtt"
        assert line.asked.empty(), "the late one opened the door"
    home.close()


@needs_mosquitto
def test_nothing_opens_through_a_connection_that_was_not_tried_yet(
    house: Broker, outlets: Callable[..., MqttOutlet], caplog: pytest.LogCaptureFixture
) -> None:
    home, line = Listener(house.port), Line()
    outlet = outlets(house.port, line=line)
    home.until("voicelatch/gateway", "online")
    home.say("voicelatch/latch/set", "OPEN")
    # A number that this gateway did not send is no proof.
    home.say("voicelatch/gateway/probe", "0123456789abcdef")
    home.say("voicelatch/latch/set", "OPEN")
    outlet.probe()
    home.until("voicelatch/gateway/probe", None)
    home.until("voicelatch/gateway/probe", None)
    home.say("voicelatch/latch/set", "OPEN")
    assert line.asked.get(timeout=30.0) == "mqtt"
    assert line.asked.empty()
    assert "the connection is new" in caplog.text
    home.close()


def test_a_number_that_comes_back_late_or_twice_makes_nothing_fresher() -> None:
    probe = EchoProbe()
    first, second = (probe.next_payload(now_seconds=at_seconds) for at_seconds in (10.0, 20.0))
    assert probe.oldest_seconds() is None
    probe.echo(second)
    assert probe.oldest_seconds() == 20.0
    probe.echo(first)
    probe.echo(second)
    assert probe.oldest_seconds() == 20.0
    probe.forget()
    probe.echo(second)
    assert probe.oldest_seconds() is None


@pytest.mark.parametrize(
    "config",
    [{}, {"tls": True}, {"user": "door", "password_file": "/x"}, {"host": "10.1.2.3"}],
    ids=["bare", "tls alone", "user alone", "an address"],
)
def test_a_door_that_anybody_on_the_network_could_open_is_refused(config: dict[str, Any]) -> None:
    asked = MqttConfig(enabled=True, **{"host": "hub", **config})
    with pytest.raises(ConfigError, match=r"remote\.open"):
        MqttOutlet(asked, line=Line(), clock=ManualClock(), version="test")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_broker_on_this_machine_or_with_tls_and_a_user_may_open(host: str) -> None:
    require_safe_opening(MqttConfig(host=host))
    require_safe_opening(MqttConfig(host="hub", tls=True, user="door", password_file="/x"))


@needs_mosquitto
def test_why_a_broker_cannot_be_reached_is_said_once_for_each_reason(
    tmp_path: Path, outlets: Callable[..., MqttOutlet], caplog: pytest.LogCaptureFixture
) -> None:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere",
                    "-addext", "subjectAltName=DNS:elsewhere", "-keyout", tmp_path / "key.pem",
                    "-out", tmp_path / "ca.pem"], check=True, capture_output=True)  # fmt: skip
    lines = ("allow_anonymous true", f"certfile {tmp_path / 'ca.pem'}", f"keyfile {tmp_path / 'key.pem'}")
    with broker(tmp_path, *lines) as house:
        outlets(house.port, host="localhost", tls=True, ca_file=str(tmp_path / "ca.pem"))
        outlets(house.port, host="localhost", tls=True)
        outlets(mqtt_broker.free_port(), host="127.0.0.1")
        outlets(1883, host="no-such-machine.invalid")
        end = time.monotonic() + 30.0
        wanted = (
            "Hostname mismatch",
            "self-signed certificate",
            "nothing listens at that port",
            "no machine of that name",
        )
        while not all(word in caplog.text for word in wanted):
            assert time.monotonic() < end, caplog.text
            time.sleep(0.02)


@needs_mosquitto
def test_where_it_is_not_allowed_no_command_is_even_listened_to(
    house: Broker, outlets: Callable[..., MqttOutlet]
) -> None:
    home = Listener(house.port)
    outlet = outlets(house.port)
    told = json.loads(home.until("homeassistant/device/voicelatch/config"))
    assert told["components"]["lock"] == {"platform": "lock"}, "a lock that was there is taken away"
    outlet._command(b"OPEN", retained=False)
    home.close()


@needs_mosquitto
def test_a_connection_that_ends_just_before_the_good_bye_is_closed_all_the_same(
    house: Broker, outlets: Callable[..., MqttOutlet], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outlet = outlets(house.port)
    home = Listener(house.port, "voicelatch/gateway")
    home.until("voicelatch/gateway", "online")
    outlet._client.disconnect()
    outlet._client.loop_stop()
    # What a connection that ends between the look at it and the good-bye looks like from here.
    monkeypatch.setattr(outlet._client, "is_connected", lambda: True)
    outlet.close()
    assert "did not hear the good-bye" in caplog.text
    home.close()


@needs_mosquitto
def test_a_user_with_a_password_from_a_file_over_tls(
    tmp_path: Path, outlets: Callable[..., MqttOutlet], caplog: pytest.LogCaptureFixture
) -> None:
    if shutil.which("openssl") is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("openssl or mosquitto_passwd is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", tmp_path / "key.pem",
                    "-out", tmp_path / "ca.pem"], check=True, capture_output=True)  # fmt: skip
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "door", "sesame"], check=True)
    (tmp_path / "password").write_text("sesame\n")
    (tmp_path / "password").chmod(0o600)
    lines = ("allow_anonymous false", f"password_file {tmp_path / 'users'}", f"certfile {tmp_path / 'ca.pem'}",
             f"keyfile {tmp_path / 'key.pem'}")  # fmt: skip
    with broker(tmp_path, *lines) as house:
        home = Listener(house.port, user="door", password="sesame", ca_file=str(tmp_path / "ca.pem"))
        asked = {"host": "localhost", "tls": True, "user": "door", "password_file": str(tmp_path / "password")}
        outlets(house.port, ca_file=str(tmp_path / "ca.pem"), **asked)
        home.until("voicelatch/gateway", "online")
        stranger = outlets(house.port, topic="untrusting", **asked)
        wrong = {**asked, "password_file": str(tmp_path / "wrong")}
        (tmp_path / "wrong").write_text("open\n")
        (tmp_path / "wrong").chmod(0o600)
        outlets(house.port, topic="wrong", ca_file=str(tmp_path / "ca.pem"), **wrong)
        end = time.monotonic() + 30.0
        while not all(word in caplog.text for word in ("cannot be reached", "broker refuses")):
            assert time.monotonic() < end, caplog.text
            time.sleep(0.02)
        home.say("done", "")
        seen = set()
        while (topic := home.messages.get(timeout=30.0)[0]) != "done":
            seen.add(topic.split("/")[0])
        assert not seen & {"untrusting", "wrong"}
        assert stranger._client._ssl_context.verify_mode is ssl.CERT_REQUIRED
        assert stranger._client._ssl_context.check_hostname
        home.close()


def test_a_password_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    for content, mode in (("sesame", 0o644), ("", 0o600), ("\nsesame", 0o600), (None, 0)):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
            path.chmod(mode)
        with pytest.raises(ConfigError):
            read_password(path)
    path.write_text("sesame\nanything")
    path.chmod(0o640)
    assert read_password(path) == "sesame"


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(mqtt_module.importlib, "import_module", absent)
    with pytest.raises(RuntimeMissingError, match="--with mqtt"):
        MqttOutlet(MqttConfig(), line=None, clock=ManualClock(), version="test")


def test_certificates_that_cannot_be_read_are_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        MqttOutlet(MqttConfig(tls=True, ca_file=str(tmp_path / "absent")), line=None, clock=ManualClock(),
                   version="test")  # fmt: skip
