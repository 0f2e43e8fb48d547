"""Slow clients: a request as a whole has its time, one address its share, and everybody else is still served."""

import http.client
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from device.web.server import PageServer
from device.web.settings import WebConfig
from device.web.visitors import ANSWER_SECONDS, REQUEST_SECONDS, Visit, Visitors
from tests.web.world import Browser, World

MOST_FROM_ONE = 3


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Crowd:
    """Visitors without sockets, on a clock that a test moves."""

    def __init__(self, **bounds: int) -> None:
        self.clock, self.ended = Clock(), list[str]()
        self.visitors = Visitors(self.clock, **bounds)

    def come(self, address: str, name: str = "") -> Visit | None:
        return self.visitors.admit(address, lambda: self.ended.append(name or address))


def test_a_request_that_is_not_whole_in_time_is_cut_off() -> None:
    crowd = Crowd()
    slow, quick = crowd.come("10.0.0.1", "slow"), crowd.come("10.0.0.2", "quick")
    assert slow is not None
    assert quick is not None
    crowd.clock.seconds += REQUEST_SECONDS - 0.1
    crowd.visitors.answer(quick)
    assert crowd.visitors.cut_late() == pytest.approx(0.1)
    assert crowd.ended == []
    crowd.clock.seconds += 0.1
    crowd.visitors.cut_late()
    assert crowd.ended == ["slow"]


def test_an_answer_that_is_not_taken_in_time_is_cut_off_and_a_stream_is_not() -> None:
    crowd = Crowd()
    answered, streaming = crowd.come("10.0.0.1", "answered"), crowd.come("10.0.0.2", "streaming")
    assert answered is not None
    assert streaming is not None
    crowd.visitors.answer(answered)
    crowd.visitors.stream(streaming)
    crowd.clock.seconds += ANSWER_SECONDS
    crowd.visitors.cut_late()
    assert crowd.ended == ["answered"]


def test_one_address_has_its_share_and_what_it_leaves_it_may_have_again() -> None:
    crowd = Crowd(most_from_one=2)
    first, second = crowd.come("10.0.0.1"), crowd.come("10.0.0.1")
    assert crowd.come("10.0.0.1") is None
    assert crowd.come("10.0.0.2") is not None
    # One machine has any number of addresses in its IPv6 network.
    assert crowd.come("2001:db8::1") is not None
    assert crowd.come("2001:db8::2") is not None
    assert crowd.come("2001:db8::3") is None
    assert first is not None
    assert second is not None
    crowd.visitors.leave(first)
    crowd.visitors.leave(first)
    assert crowd.come("10.0.0.1") is not None


def test_with_no_room_left_the_address_that_has_most_loses_its_oldest_that_is_not_answered() -> None:
    crowd = Crowd(most=5, most_from_one=4)
    busy = crowd.come("10.0.0.1", "answered")
    assert busy is not None
    crowd.visitors.answer(busy)
    for name in ("old", "new", "newest"):
        crowd.come("10.0.0.1", name)
    assert crowd.come("10.0.0.2", "other") is not None
    assert crowd.come("10.0.0.3", "late") is not None
    assert crowd.ended == ["old"]


def test_with_everybody_being_answered_nobody_is_cut_off_for_one_more() -> None:
    crowd = Crowd(most=2)
    for address in ("10.0.0.1", "10.0.0.2"):
        visit = crowd.come(address)
        assert visit is not None
        crowd.visitors.answer(visit)
    assert crowd.come("10.0.0.3") is None
    assert crowd.ended == []


@contextmanager
def dripping(port: int, count: int, beginning: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20.0))
            line.sendall(beginning)
            made.append(line)
        yield made


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[World]:
    """A page that gives a request a second, and an address three connections."""
    made = World(tmp_path, visitors=Visitors(time.monotonic, request_seconds=1.0, most_from_one=MOST_FROM_ONE))
    yield made
    made.close()


@pytest.mark.parametrize("beginning", [
    b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ncs",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
], ids=["nothing", "a letter", "half a header", "half a form", "half a part"])  # fmt: skip
def test_fourteen_slow_clients_of_one_address_do_not_keep_another_out(strict: World, beginning: bytes) -> None:
    with dripping(strict.server.port, 14, beginning) as lines:
        other = socket.create_connection(("127.0.0.1", strict.server.port), 20.0, source_address=("127.0.0.2", 0))
        with other:
            other.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert other.recv(100).startswith(b"HTTP/1.1 200")
        # A byte now and then gains nobody time: in the end all are cut off.
        end = time.monotonic() + 20.0
        for line in lines:
            try:
                while line.recv(4096):
                    assert time.monotonic() < end
            except ConnectionResetError:
                continue
    assert Browser(strict.server.port).get("/login").status == 200


def test_a_byte_now_and_then_does_not_lengthen_the_time_for_a_request(strict: World) -> None:
    begun = time.monotonic()
    with dripping(strict.server.port, 1, b"GET /login HTTP/1.1\r\nX-A: ") as (line,):
        line.settimeout(0.2)
        while time.monotonic() < begun + 20.0:
            try:
                line.sendall(b"a")
                if not line.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    # It begins anew once: when the first byte is there.
    assert time.monotonic() - begun < 5.0


def test_who_is_quick_keeps_a_connection_for_many_requests(strict: World) -> None:
    with socket.create_connection(("127.0.0.1", strict.server.port), 20.0) as line:
        for _ in range(5):
            line.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = http.client.HTTPResponse(line)
            answer.begin()
            assert answer.status == 200
            answer.read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: there is nothing to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True
    )
    return cert, key


def test_who_does_not_begin_to_encrypt_keeps_nobody_out(certificate: tuple[str, str]) -> None:
    cert, key = certificate

    def hello(_environ: object, start: object) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [b"hello"]

    server = PageServer(WebConfig(port=0, tls_cert=cert, tls_key=key), hello, look_seconds=0.02,
                        visitors=Visitors(time.monotonic, request_seconds=3.0))  # fmt: skip
    server.start()
    try:
        trust = ssl.create_default_context(cafile=cert)
        with dripping(server.port, 5, b"\x16\x03\x01"):
            begun = time.monotonic()
            answer = urllib.request.urlopen(f"https://localhost:{server.port}/", timeout=20.0, context=trust)
            assert answer.read() == b"hello"
            assert time.monotonic() - begun < 2.0
        with dripping(server.port, 1, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as (line,):
            assert b"https://" in line.recv(1000)
    finally:
        server.close()
