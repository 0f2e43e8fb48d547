"""Tries, sessions, and which requests are heard at all: each rule by itself."""

import pytest

from device.errors import ConfigError
from device.simulated.clock import ManualClock
from device.web.fence import is_ours, is_same_origin
from device.web.sessions import IDLE_SECONDS, LONGEST_SECONDS, MOST, Sessions
from device.web.settings import WebConfig
from device.web.throttle import MOST_FROM_ALL, MOST_FROM_ONE, WINDOW_SECONDS, Throttle


def test_a_sixth_try_from_one_address_must_wait_until_the_first_is_forgotten() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    assert [throttle.take("10.0.0.7") for _ in range(MOST_FROM_ONE)] == [0.0] * MOST_FROM_ONE
    clock.advance(100.0)
    assert throttle.take("10.0.0.7") == pytest.approx(WINDOW_SECONDS - 100.0)
    assert throttle.take("10.0.0.8") == 0.0
    clock.advance(WINDOW_SECONDS - 100.0)
    assert throttle.take("10.0.0.7") == 0.0


def test_tries_from_many_addresses_are_counted_together() -> None:
    throttle = Throttle(ManualClock())
    assert not any(throttle.take(f"10.0.0.{number}") for number in range(MOST_FROM_ALL))
    assert throttle.take("10.0.1.1") == WINDOW_SECONDS


def test_a_network_of_addresses_is_one_neighbour() -> None:
    throttle = Throttle(ManualClock())
    assert [throttle.take(f"2001:db8::{number:x}") for number in range(MOST_FROM_ONE)] == [0.0] * MOST_FROM_ONE
    assert throttle.take("2001:db8::ffff") > 0.0
    assert throttle.take("2001:db8:0:1::1") == 0.0
    assert throttle.take("::ffff:10.0.0.7") == 0.0


def test_whoever_knew_the_password_is_forgiven_and_nobody_else_is() -> None:
    throttle = Throttle(ManualClock())
    for _ in range(MOST_FROM_ONE):
        throttle.take("10.0.0.7")
        throttle.take("10.0.0.8")
    throttle.succeeded("10.0.0.7")
    assert throttle.take("10.0.0.7") == 0.0
    assert throttle.take("10.0.0.8") > 0.0


def test_a_session_ends_when_nobody_uses_it_and_after_a_week_at_the_latest() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    idle, used = sessions.start("hash"), sessions.start("hash")
    for _ in range(int(LONGEST_SECONDS / IDLE_SECONDS)):
        assert sessions.find(used, password="hash") is not None
        clock.advance(IDLE_SECONDS)
    assert sessions.find(used, password="hash") is not None
    assert sessions.find(idle, password="hash") is None
    clock.advance(1.0)
    assert sessions.find(used, password="hash") is None


def test_looking_at_a_session_without_using_it_does_not_keep_it() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    token = sessions.start("hash")
    clock.advance(IDLE_SECONDS)
    assert sessions.find(token, password="hash", touch=False) is not None
    clock.advance(1.0)
    assert sessions.find(token, password="hash", touch=False) is None


def test_another_password_ends_the_sessions_of_the_one_before() -> None:
    sessions = Sessions(ManualClock())
    token = sessions.start("old")
    assert sessions.find(token, password="new") is None
    assert sessions.find(token, password="old") is None, "it must not come back with the old password's file"


def test_sessions_are_bounded_and_the_oldest_goes() -> None:
    sessions = Sessions(ManualClock())
    tokens = [sessions.start("hash") for _ in range(MOST + 1)]
    assert len(set(tokens)) == MOST + 1
    assert sessions.find(tokens[0], password="hash") is None
    assert sessions.find(tokens[1], password="hash") is not None


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8737", "127.0.0.1:8737", "[::1]:8737", "192.168.1.20", "Door.LAN:80", "door.lan."],
)
def test_addresses_and_our_own_names_are_ours(host: str) -> None:
    assert is_ours(host, {"door.lan"})


@pytest.mark.parametrize("host", [
    "", "evil.example", "localhost.evil.example", "door.lan.evil.example", "127.0.0.1.evil.example", "me@localhost",
    "localhost/x", "localhost:port", "localhost#", "[::1", "localhost:99999", " localhost",
])  # fmt: skip
def test_names_that_could_point_anywhere_are_not(host: str) -> None:
    assert not is_ours(host, {"door.lan"})


@pytest.mark.parametrize(("origin", "same"), [
    ("http://localhost:8737", True), ("https://localhost:8737", True), ("http://localhost", False),
    ("http://evil.example", False), ("null", False), ("", False), ("http://[", False),
])  # fmt: skip
def test_a_form_is_of_our_own_page_where_its_origin_is_where_it_goes(origin: str, same: bool) -> None:
    assert is_same_origin(origin, "localhost:8737") is same


def test_a_password_does_not_go_over_a_network_in_the_clear_unless_that_is_asked_for() -> None:
    assert WebConfig().host == "127.0.0.1"
    assert not WebConfig().enabled
    for host in ("0.0.0.0", "192.168.1.20", "::", "door.lan", ""):
        with pytest.raises(ConfigError, match="could read the password"):
            WebConfig(host=host)
        assert WebConfig(host=host, plain_http=True).host == host
        assert WebConfig(host=host, tls_cert="a.pem", tls_key="b.pem").tls
    for host in ("127.0.0.1", "::1", "localhost"):
        assert WebConfig(host=host).host == host


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="go together"):
        WebConfig(tls_cert="a.pem")
