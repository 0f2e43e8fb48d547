"""The daemon's side: a guardian that is gone, slow or lying is an error in good time, and the door stays shut."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.errors import RelayError
from device.hardware.guardian_relay import GuardianRelay, ask_off
from tests.benches.gpio_guardian import GuardianProcess, guardian

TIMEOUT_SECONDS = 0.3
# A busy machine may be late; a door path that hangs would be later still.
LATE_SECONDS = 5.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GuardianProcess]:
    with guardian(tmp_path) as made:
        yield made


Talk = Callable[[socket.socket, bytes, bytes], None]


@contextmanager
def liar(path: Path, talk: Talk) -> Iterator[list[bytes]]:
    """Answers a status truly, and everything else as ``talk(line, verb, token)`` does; yields all that was heard."""
    heard: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(4)

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                words = line.recv(64).split()
                heard.append(b" ".join(words))
                if words and words[0] == b"status":
                    line.sendall(b"off %s idle\n" % words[1])
                elif words:
                    talk(line, words[0], words[1])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10.0)
        assert not thread.is_alive()


def until_hung_up(line: socket.socket) -> None:
    line.settimeout(10.0)
    # A reset is what hanging up looks like where something was left unread.
    with contextlib.suppress(ConnectionResetError):
        while line.recv(64):
            pass


def says(answer: bytes) -> Talk:
    def talk(line: socket.socket, _verb: bytes, token: bytes) -> None:
        line.sendall(answer.replace(b"TOKEN", token))
        until_hung_up(line)

    return talk


def drips(line: socket.socket, _verb: bytes, token: bytes) -> None:
    """A byte at a time, and the line is never finished in time."""
    try:
        for byte in b"on %s 3.0" % token:
            line.sendall(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        # It was hung up on, as it should be.
        return


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(says(b""), id="nothing"),
        pytest.param(says(b"on TOKEN 3.000"), id="half a line"),
        pytest.param(says(b"on TOKEN 9.000\n"), id="longer than asked"),
        pytest.param(says(b"on 00000000 3.000\n"), id="somebody else's answer"),
        pytest.param(says(b"off TOKEN asked\n"), id="off"),
        pytest.param(says(b"refused TOKEN too-soon\n"), id="refused"),
        pytest.param(says(b"fault TOKEN on-unasked\n"), id="fault"),
        pytest.param(says(b"ok\n"), id="another language"),
        pytest.param(says(b"\xff" * 500), id="noise"),
        pytest.param(says(b"on TOKEN 3.000\non TOKEN 3.000\n"), id="twice"),
        pytest.param(lambda line, _verb, _token: line.close(), id="hangs up"),
        pytest.param(drips, id="drips"),
    ],
)
def test_a_slow_or_lying_guardian_is_an_error_and_is_hung_up_on(tmp_path: Path, talk: Talk) -> None:
    path = tmp_path / "relay.sock"
    with liar(path, talk) as heard:
        relay = GuardianRelay(path, timeout_seconds=TIMEOUT_SECONDS)
        began_seconds = time.monotonic()
        with pytest.raises(RelayError):
            relay.pulse(open_seconds=3.0)
        assert time.monotonic() - began_seconds < LATE_SECONDS
        assert not relay.is_on
        relay.close()
    # The liar's threads end only when the relay has hung up: see the join.
    assert heard[1].startswith(b"pulse ")


@pytest.mark.parametrize("answer", [b"", b"on TOKEN 2.000\n", b"refused TOKEN fault\n", b"off 00000000 asked\n"])
def test_a_guardian_that_does_not_confirm_off_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with liar(tmp_path / "relay.sock", says(answer)):
        relay = GuardianRelay(tmp_path / "relay.sock", timeout_seconds=TIMEOUT_SECONDS)
        with pytest.raises(RelayError):
            relay.off()


def test_no_guardian_means_no_relay(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match="voicelatch-guardian"):
        GuardianRelay(tmp_path / "relay.sock")


def test_a_guardian_that_went_away_opens_nothing_and_one_that_came_back_does(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket)
    place.kill(signal.SIGTERM)
    place.ends()
    with pytest.raises(RelayError, match="cannot be reached"):
        relay.pulse(open_seconds=1.0)
    with pytest.raises(RelayError):
        relay.off()
    place.start()
    relay.pulse(open_seconds=9.0)
    assert place.is_on
    relay.close()
    assert not place.is_on


def test_a_guardian_that_dies_in_mid_pulse_is_noticed(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket)
    relay.pulse(open_seconds=9.0)
    place.kill(signal.SIGKILL)
    place.ends()
    threads_end()
    assert not relay.is_on


def test_a_frozen_guardian_is_an_error_in_good_time_and_grants_nothing_when_it_wakes(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket, timeout_seconds=TIMEOUT_SECONDS)
    place.kill(signal.SIGSTOP)
    began_seconds = time.monotonic()
    with pytest.raises(RelayError, match="stays shut"):
        relay.pulse(open_seconds=3.0)
    assert time.monotonic() - began_seconds < LATE_SECONDS
    place.kill(signal.SIGCONT)
    ask_off(place.socket)
    assert [each.on for each in place.trace()] == [False]


def test_signs_of_life_keep_a_pulse_for_as_long_as_asked(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket)
    relay.pulse(open_seconds=1.6)
    threads_end()
    assert not relay.is_on
    assert 1.55 <= place.pulses()[0] <= 1.6 + 0.5


def test_another_opening_needs_another_pulse(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket)
    for _ in range(3):
        relay.pulse(open_seconds=0.2)
        threads_end()
        assert not relay.is_on
    assert len(place.pulses()) == 3


def test_no_thread_means_no_opening(place: GuardianProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = GuardianRelay(place.socket)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RelayError, match="stays shut"):
        relay.pulse(open_seconds=9.0)
    assert not relay.is_on
    place.until(on=False)


def test_a_new_daemon_ends_what_the_last_one_left_on(place: GuardianProcess) -> None:
    with place.ask(b"pulse 0123abcd 9.000\n"):
        place.until(on=True)
        relay = GuardianRelay(place.socket)
        assert not place.is_on
        assert not relay.is_on


def test_the_dry_run_moves_nothing(place: GuardianProcess) -> None:
    relay = GuardianRelay(place.socket)
    assert relay.probe() is False
    relay.pulse(open_seconds=9.0)
    assert relay.probe() is True
    relay.off()
    assert relay.probe() is False
    assert [each.on for each in place.trace()] == [False, True, False]


def threads_end() -> None:
    """Wait for the threads of pulses."""
    for each in threading.enumerate():
        if each.name == "pulse":
            each.join(20.0)
            assert not each.is_alive()
