"""``web password`` and ``web serve`` as a new user runs them; the page beside a real daemon; TLS."""

import json
import os
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
from device.live.reader import LiveReader
from device.service import cli
from device.web.fence import Environ
from device.web.password import NAME, read_password
from device.web.server import PageServer
from device.web.settings import WebConfig
from tests.conftest import ROOT
from tests.web.world import PASSWORD, Browser


def door_config(folder: Path, web: str) -> Path:
    path = folder / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{ROOT / "models/demo"}"\n{web}')
    return path


def test_a_password_is_set_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    answers = iter([PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda _text: next(answers))
    assert cli.main(["web", "password", "--state-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert str(tmp_path / NAME) in out
    assert PASSWORD not in out
    assert read_password(tmp_path / NAME).matches(PASSWORD)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_a_slip_of_the_finger_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSWORD, PASSWORD + "x"])
    monkeypatch.setattr("getpass.getpass", lambda _text: next(answers))
    assert cli.main(["web", "password", "--state-dir", str(tmp_path)]) == 78
    assert not list(tmp_path.iterdir())


def test_without_anybody_to_ask_nothing_is_set_and_the_other_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_text: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    assert cli.main(["web", "password", "--state-dir", str(tmp_path)]) == 78
    assert "--stdin" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_configuration_says_where_it_is_kept(tmp_path: Path) -> None:
    config = door_config(tmp_path, f'[web]\npassword_file = "{tmp_path / "elsewhere"}"\n')
    command = [sys.executable, "-m", "device", "web", "password", "--stdin", "--config", str(config)]
    subprocess.run(command, cwd=ROOT, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
    assert read_password(tmp_path / "elsewhere").matches(PASSWORD)


def test_a_page_that_is_switched_off_or_has_no_password_is_not_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--runtime-dir", str(tmp_path), "--state-dir", str(tmp_path)]
    assert cli.main(["web", "serve", "--config", str(door_config(tmp_path, "")), *arguments]) == 78
    assert "web.enabled" in capsys.readouterr().err
    config = door_config(tmp_path, "[web]\nenabled = true\n")
    assert cli.main(["web", "serve", "--config", str(config), *arguments]) == 78
    assert "voicelatch web password" in capsys.readouterr().err


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    """A simulated door's folder, its daemon running."""
    config = door_config(tmp_path, "[web]\nenabled = true\nport = 0\n")
    command = [sys.executable, "-m", "device", "run", "--config", str(config), "--simulate",
               "--runtime-dir", str(tmp_path)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"STATE_DIRECTORY": str(tmp_path)})  # fmt: skip
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["kind"] == "started"
        yield tmp_path
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def page(door: Path) -> Iterator[tuple[subprocess.Popen[str], Browser]]:
    """The page beside that door, and somebody who has logged in."""
    command = [sys.executable, "-m", "device", "web"]
    where = ["--state-dir", str(door)]
    for typed, code in (("", 78), (PASSWORD, 0)):
        done = subprocess.run([*command, "password", "--stdin", *where], cwd=ROOT, input=typed, text=True, check=False)
        assert done.returncode == code
    serve = [*command, "serve", "--config", str(door / "voicelatch.toml"), "--runtime-dir", str(door), *where]
    process = subprocess.Popen(serve, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = next(line for line in process.stderr if "the page is at" in line).split()[-1]
        assert "the door is there" in next(process.stderr)
        browser = Browser(int(address.rstrip("/").rpartition(":")[2]))
        assert browser.log_in().status == 303
        yield process, browser
    finally:
        process.kill()
        process.communicate()


def is_held(door: Path) -> bool:
    with LiveReader(door / "live.sock", topics=["status"]) as reader:
        while (told := reader.read())["kind"] != "status":
            continue
    return bool(told["held"])


def wait_until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_page_is_served_beside_a_running_door_and_ends_when_asked_to(
    door: Path, page: tuple[subprocess.Popen[str], Browser]
) -> None:
    process, browser = page
    wait_until(lambda: "<td>listening" in browser.get("/health").text)
    assert "The door began to listen." in browser.get("/events?show=all").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(20.0) == 0
    assert not is_held(door), "the door goes on"


def test_a_page_that_is_killed_while_somebody_is_recorded_lets_the_door_go(
    door: Path, page: tuple[subprocess.Popen[str], Browser]
) -> None:
    process, browser = page
    assert not is_held(door)
    assert browser.post("/record/start", {"csrf": browser.csrf(), "role": "allowed", "person": "Anna"}).status == 303
    wait_until(lambda: is_held(door))
    process.kill()
    wait_until(lambda: not is_held(door))


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


def hello(_environ: Environ, start: object) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
    return [str(_environ["wsgi.url_scheme"]).encode()]


def test_with_a_certificate_it_is_encrypted(certificate: tuple[str, str]) -> None:
    cert, key = certificate
    server = PageServer(WebConfig(port=0, tls_cert=cert, tls_key=key), hello, look_seconds=0.02)
    server.start()
    try:
        trust = ssl.create_default_context(cafile=cert)
        address = f"https://localhost:{server.port}/"
        assert urllib.request.urlopen(address, timeout=20.0, context=trust).read() == b"https"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(address, timeout=20.0)
    finally:
        server.close()


def test_a_certificate_that_is_none_and_an_address_that_is_taken_are_said(tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing.pem")
    with pytest.raises(ConfigError, match=r"web\.tls_cert"):
        PageServer(WebConfig(port=0, tls_cert=nothing, tls_key=nothing), hello)
    first = PageServer(WebConfig(port=0), hello)
    try:
        with pytest.raises(StateError, match="is the port taken"):
            PageServer(WebConfig(port=first.port), hello)
    finally:
        first.close()
