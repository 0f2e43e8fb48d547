"""Logging in over HTTP: what is sent to whom, and everything that must not be a way in."""

import re
import socket
from pathlib import Path

import pytest

from device.web.password import NAME, hash_password, write_password
from device.web.sessions import IDLE_SECONDS
from device.web.throttle import MOST_FROM_ONE, WINDOW_SECONDS
from tests.web.world import PASSWORD, Browser, World

PAGES = ("/", "/events", "/events/1", "/clips", "/clips/a.wav", "/record", "/health", "/stream")
DEEDS = ("/clips/a.wav", "/record/start", "/record/stop", "/record/here", "/logout")


@pytest.mark.parametrize("path", PAGES)
def test_whoever_has_not_logged_in_is_sent_to_the_login_and_sees_nothing(visitor: Browser, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status, answer.headers["Location"], answer.text) == (303, "/login", "")


def test_a_program_is_told_to_log_in(visitor: Browser) -> None:
    assert visitor.get("/stream", Accept="text/event-stream").status == 401


@pytest.mark.parametrize("path", DEEDS)
def test_whoever_has_not_logged_in_does_nothing(visitor: Browser, world: World, path: str) -> None:
    assert visitor.post(path, {"csrf": "", "role": "allowed", "person": "Anna"}).status == 401
    assert not world.recorder.state.running


def test_the_password_opens_a_session_in_a_cookie_that_scripts_and_other_pages_do_not_get(visitor: Browser) -> None:
    answer = visitor.log_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert visitor.get("/").status == 200
    cookie = visitor.sent_cookies[-1]
    assert cookie.startswith("voicelatch=")
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert attribute in cookie


def test_over_tls_the_cookie_is_for_tls_alone_and_for_this_very_host(tmp_path: Path) -> None:
    world = World(tmp_path, secure=True)
    try:
        browser = Browser(world.server.port)
        assert browser.log_in().status == 303
        assert browser.sent_cookies[-1].startswith("__Host-voicelatch=")
        assert all("Secure" in each and "Path=/" in each and "Domain" not in each for each in browser.sent_cookies)
        assert browser.get("/").status == 200
    finally:
        world.close()


def test_a_wrong_password_opens_nothing_and_is_not_repeated_to_anybody(visitor: Browser) -> None:
    answer = visitor.log_in("incorrect horse")
    assert answer.status == 403
    assert "That is not the password" in answer.text
    assert "incorrect horse" not in answer.text
    assert "voicelatch" not in visitor.cookies


def test_after_a_few_wrong_passwords_even_the_right_one_must_wait(visitor: Browser, world: World) -> None:
    for _ in range(MOST_FROM_ONE):
        assert visitor.log_in("incorrect horse").status == 403
    answer = visitor.log_in()
    assert answer.status == 429
    assert answer.headers["Retry-After"] == str(int(WINDOW_SECONDS))
    assert "5 minutes" in answer.text
    world.clock.advance(WINDOW_SECONDS)
    assert visitor.log_in().status == 303


def test_an_address_that_a_browser_makes_up_is_not_another_address(visitor: Browser) -> None:
    for number in range(MOST_FROM_ONE):
        visitor.log_in("incorrect horse", X_Forwarded_For=f"10.0.0.{number}")
    assert visitor.log_in(X_Forwarded_For="10.0.0.99").status == 429


def test_the_login_form_must_be_our_own(visitor: Browser) -> None:
    token = visitor.csrf("/login")
    for wrong in ("", token[:-1], "0" * 64, "ü"):
        assert visitor.post("/login", {"csrf": wrong, "password": PASSWORD}).status == 403
    visitor.cookies.clear()
    assert visitor.post("/login", {"csrf": token, "password": PASSWORD}).status == 403
    assert "voicelatch" not in visitor.cookies


def test_a_made_up_cookie_is_nobody(visitor: Browser) -> None:
    for made_up in ("x", "", "ü", "a" * 4000, "../../etc"):
        visitor.cookies["voicelatch"] = made_up
        assert visitor.get("/health").status == 303


def test_logging_out_ends_the_session_for_good(browser: Browser) -> None:
    token = browser.cookies["voicelatch"]
    assert browser.post("/logout", {"csrf": browser.csrf()}).headers["Location"] == "/login"
    browser.cookies["voicelatch"] = token
    assert browser.get("/").status == 303


def test_a_session_that_nobody_uses_ends(browser: Browser, world: World) -> None:
    world.clock.advance(IDLE_SECONDS + 1.0)
    assert browser.get("/").status == 303


def test_a_new_password_counts_at_once_and_logs_everybody_out(browser: Browser, world: World) -> None:
    write_password(world.folder / NAME, hash_password("another battery staple"))
    assert browser.get("/").status == 303
    assert browser.log_in().status == 403
    assert browser.log_in("another battery staple").status == 303


def test_without_its_file_nobody_is_or_gets_in(browser: Browser, world: World) -> None:
    (world.folder / NAME).unlink()
    assert browser.get("/").status == 303
    answer = browser.log_in()
    assert answer.status == 403
    assert "Nobody can log in" in answer.text


@pytest.mark.parametrize("path", DEEDS)
def test_a_form_without_the_sessions_token_does_nothing(browser: Browser, world: World, path: str) -> None:
    for form in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        assert browser.post(path, {**form, "role": "noise"}).status == 403
    assert browser.get("/").status == 200, "nobody was logged out"
    assert not world.recorder.state.running


def test_the_token_of_another_session_is_not_ours(browser: Browser, world: World) -> None:
    other = Browser(world.server.port)
    other.log_in()
    assert browser.post("/logout", {"csrf": other.csrf()}).status == 403
    assert browser.post("/logout", {"csrf": browser.csrf()}).status == 303


def test_a_form_from_another_page_is_refused_whatever_it_knows(browser: Browser, world: World) -> None:
    form = {"csrf": browser.csrf(), "role": "noise"}
    for origin in ("http://evil.example", "null", f"http://localhost:{world.server.port}"):
        assert browser.post("/record/start", form, Origin=origin).status == 403
    assert browser.post("/record/start", form, Sec_Fetch_Site="cross-site").status == 403
    assert not world.recorder.state.running
    assert browser.post("/logout", form, Origin=world.address, Sec_Fetch_Site="same-origin").status == 303


def test_a_name_that_could_point_anywhere_is_not_answered(browser: Browser) -> None:
    for path in ("/", "/login", "/static/page.css"):
        answer = browser.get(path, Host="evil.example")
        assert answer.status == 403
        assert "[web] names" in answer.text
    assert browser.get("/", Host="door.lan:8737").status == 200


@pytest.mark.parametrize("path", ["/", "/login", "/nothing", "/static/page.css", "/clips/nothing.wav", "/events/999"])
def test_every_answer_tells_browsers_what_must_not_be_done_with_it(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    for rule in ("frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert rule in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "Python" not in headers["Server"]


def test_a_refusal_has_the_same_headers(visitor: Browser) -> None:
    assert visitor.get("/", Host="evil.example").headers["X-Frame-Options"] == "DENY"


def test_pages_hold_no_script_or_style_of_their_own(browser: Browser, world: World) -> None:
    world.happen("decision", outcome="open", resident="Anna", scores={"Anna": 1.0}, open_llr=4.0, refuse_llr=-3.0)
    world.keep_clip()
    for path in ("/", "/events", "/events/1", "/clips", "/record", "/health", "/nothing"):
        page = browser.get(path).text
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page), path


HOST = b"HTTP/1.1\r\nHost: localhost\r\n"
NO_REQUESTS = (
    b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", b"GET /%ff%00 " + HOST + b"\r\n",
    b"POST /login " + HOST + b"Content-Length: -1\r\n\r\n",
    b"POST /login " + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET http://evil.example/ " + HOST + b"\r\n", b"GET /../../etc/passwd HTTP/1.0\r\n\r\n",
    b"POST /login " + HOST + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n\r\n--x",
)  # fmt: skip


@pytest.mark.parametrize("line", NO_REQUESTS)
def test_what_is_no_request_is_refused_and_harms_nothing(
    visitor: Browser, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=20.0) as raw:
        raw.sendall(line)
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer == b"" or re.match(rb"HTTP/1\.\d (30[13]|4\d\d|505) ", answer), answer[:80]
    assert b"root:" not in answer
    assert visitor.get("/login").status == 200
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


def test_a_flood_is_cut_off(browser: Browser) -> None:
    assert browser.post("/login", {"csrf": "x", "password": "x" * 20_000}).status == 413
    assert browser.get("/", X_Long="x" * 40_000).status in (413, 431)
    assert browser.get("/").status == 200
