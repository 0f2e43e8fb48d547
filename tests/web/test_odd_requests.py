"""Odd values in every place of every request: an answer that says so, and never a defect."""

import http.client
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.world import PASSWORD, Browser, World

ODD = [
    "", "0", "-1", "00", "1", "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 400,
    "-9223372036854775809", "1.0", "1e3", "0x1", "+1", " 1", "1 ", "1_0", "\u0661", "\uff11", "\u00b2", "NaN", "inf",
    "None", "true", "\x00", "\n", "\r\nX: y", "%", "%%", "%00", "%ff", "\ud800", "\u202e", "e\u0301",
    "\U0001f600", "a" * 5000,
    "..", "../..", "/", "\\", "'", '"', "<script>", "{{1}}", "{}", "[]", ";", "a=b&c=d", "0000-00-00", "2026-02-30",
    "2026-W53-7", "20260101", "10000-01-01", "0001-01-01", "9999-12-31", "20260101T180000.000000-1-Anna-refuse.wav",
    "99999999T999999.999999-1-Anna-refuse.wav", "20260101T180000.000000-" + "9" * 300 + "-Anna-refuse.wav",
    "20260101T180000.000000-1-" + "\u00e9" * 200 + "-refuse.wav",
]  # fmt: skip
ODD_HEADERS = [
    "bytes=0-1", "bytes=9-1", "multipart/form-data", "multipart/form-data; boundary=", "chunked", "100-continue",
    "Sat, 99 Foo 99999 99:99:99 GMT", 'voicelatch="\\777"', "voicelatch=" + "\xff", "application/json",
]  # fmt: skip
GETS = ("/events/{}", "/clips/{}", "/static/{}", "/events?day={}", "/events?show={}", "/events?day=2026-01-01&show={}",
        "/clips?done={}", "/health?x={}", "/record?{}", "/login?{}", "/{}", "/stream/{}")  # fmt: skip
POSTS = {
    "/clips/{}": ("resident", "what", "known_as", "csrf"), "/record/start": ("role", "person"), "/record/stop": ("x",),
    "/record/here": ("x",), "/login": ("password", "csrf"), "/logout": ("csrf",),
}  # fmt: skip


def encoded(value: str) -> str:
    return quote(value.encode("utf-8", errors="surrogatepass"), safe="")


@pytest.fixture
def no_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("n", [
    "9223372036854775808", "9223372036854775807", "9007199254740993", "-1", "-9223372036854775809", "9" * 400,
    "\u0661", "\uff11", "1_0", "+1", "1.0", "0x1", "\u00b2",
])  # fmt: skip
def test_a_number_that_no_event_can_have_is_not_found(browser: Browser, world: World, n: str) -> None:
    world.happen("speech")
    assert browser.get("/events/1").status == 200
    assert browser.get(f"/events/{encoded(n)}").status == 404


@pytest.mark.usefixtures("no_defect")
@pytest.mark.parametrize("path", GETS)
def test_no_odd_value_in_an_address_is_a_defect(browser: Browser, world: World, path: str) -> None:
    world.happen("speech")
    world.keep_clip()
    for value in ODD:
        answer = browser.get(path.format(encoded(value)))
        assert answer.status < 500, f"{path} {value!a}: {answer.text[-300:]}"


@pytest.mark.usefixtures("no_defect")
@pytest.mark.parametrize("path", POSTS)
def test_no_odd_value_in_a_form_is_a_defect(browser: Browser, world: World, path: str) -> None:
    world.keep_clip()
    token = browser.csrf()
    for value in ODD:
        for field in POSTS[path]:
            target = path.format(encoded(value))
            body = f"csrf={quote(token)}&{field}={encoded(value)}"
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = browser.ask("POST", target, body=body, headers=kind)
            # 429: too many passwords were tried, which is right.
            assert answer.status < 500, f"{path} {field} {value!a}: {answer.text[-300:]}"
            browser.come_in(world)
    world.recorder.stop()


@pytest.mark.usefixtures("no_defect")
@pytest.mark.parametrize("header", [
    "Cookie", "Host", "Origin", "Content-Length", "Content-Type", "Accept", "X-CSRF-Token", "Transfer-Encoding",
    "Sec-Fetch-Site", "If-Modified-Since", "Range", "Expect", "Connection", "X-Forwarded-For", "Content-Encoding",
])  # fmt: skip
def test_no_odd_header_is_a_defect(browser: Browser, world: World, header: str) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    name = world.keep_clip()
    asked = [("GET", "/events"), ("POST", "/record/here"), ("GET", f"/clips/{name}"), ("POST", "/login"),
             ("GET", "/static/live.js"), ("HEAD", f"/clips/{name}")]  # fmt: skip
    for value in [*ODD, *ODD_HEADERS]:
        for method, path in asked:
            raw = value.encode("utf-8", errors="surrogatepass").replace(b"\r", b"").replace(b"\n", b"")
            fields = {b"Host": b"localhost", b"Cookie": cookie.encode(), b"Content-Length": b"3",
                      b"Accept": b"text/html", b"Connection": b"close", header.encode(): raw}  # fmt: skip
            if header == "Transfer-Encoding":
                del fields[b"Content-Length"]
            lines = b"".join(key + b": " + text + b"\r\n" for key, text in fields.items())
            status = sent(world.server.port, f"{method} {path} HTTP/1.1\r\n".encode() + lines + b"\r\na=b")
            assert status < 500 or status in (501, 505), f"{method} {path} {header}: {value!a}"


def sent(port: int, request: bytes) -> int:
    """The status of the answer; 0 where the connection was closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=20.0) as line:
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(line)
            answer.begin()
            return answer.status
        except (http.client.HTTPException, ConnectionError):
            return 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(GETS), st.text(max_size=40))
def test_no_text_in_an_address_is_a_defect(browser: Browser, path: str, value: str) -> None:
    if path != "/stream/{}":
        assert browser.get(path.format(encoded(value))).status < 500


def test_behind_a_proxy_that_passes_another_name_it_is_said_what_to_set(world: World) -> None:
    visitor = Browser(world.server.port)
    token = visitor.csrf("/login")
    answer = visitor.post("/login", {"csrf": token, "password": PASSWORD}, Origin="https://door.lan")
    assert answer.status == 403
    assert "proxy_set_header Host $http_host" in answer.text
    assert "https://door.lan" in answer.text
    assert "proxy_set_header Host $http_host" in visitor.get("/", Host="other.example").text


NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
PROXY = """daemon off; pid {folder}/pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
        uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
        server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{inner}; {more} }} }} }}
"""


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("more", ["proxy_set_header Host $http_host;", ""])
def test_behind_nginx_one_logs_in_and_the_live_view_is_not_late(world: World, tmp_path: Path, more: str) -> None:
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "nginx.conf"
    config.write_text(PROXY.format(folder=tmp_path, port=port, inner=world.server.port, more=more))
    process = subprocess.Popen([NGINX, "-c", str(config), "-e", "stderr"], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20.0
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end
            time.sleep(0.05)
        browser = Browser(port)
        answer = browser.log_in(Origin=f"http://127.0.0.1:{port}")
        if not more:
            assert (answer.status, "$http_host" in answer.text) == (403, True)
            return
        assert answer.status == 303
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20.0)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        connection.request("GET", "/stream", headers={"Cookie": cookies})
        stream = connection.getresponse()
        begun = time.monotonic()
        world.broadcast.publish({"kind": "level", "level_dbfs": -20.0})
        while b"event: level" not in stream.readline():
            assert time.monotonic() - begun < 3.0, "nginx keeps the stream back"
        assert time.monotonic() - begun < 3.0
        stream.close()
        connection.close()
    finally:
        process.terminate()
        process.wait(20.0)
