"""The guardian as a real process on a pin that keeps its level: signals at every stage, askers that vanish or crawl."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benches.gpio_guardian import GuardianProcess, guardian
from tests.conftest import ROOT

PULSE = b"pulse 0123abcd 9.000\n"
BEAT = b"alive 0123abcd\n"
# How much later than allowed a pulse may end.
GRACE_SECONDS = 0.5


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GuardianProcess]:
    with guardian(tmp_path) as made:
        yield made


def idle(_place: GuardianProcess) -> list[socket.socket]:
    return []


def connected(place: GuardianProcess) -> list[socket.socket]:
    return [place.ask()]


def asking(place: GuardianProcess) -> list[socket.socket]:
    return [place.ask(PULSE[:10])]


def just_on(place: GuardianProcess) -> list[socket.socket]:
    line = place.ask(PULSE)
    assert line.recv(64) == b"on 0123abcd 9.000\n"
    return [line]


def in_mid_pulse(place: GuardianProcess) -> list[socket.socket]:
    lines = just_on(place)
    for _ in range(3):
        lines[0].sendall(BEAT)
    return [*lines, place.ask(b"status 00000000\n")]


def ending(place: GuardianProcess) -> list[socket.socket]:
    lines = just_on(place)
    lines[0].sendall(b"off 0123abcd\n")
    return lines


STAGES = (idle, connected, asking, just_on, in_mid_pulse, ending)


@pytest.mark.parametrize("stage", STAGES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_at_any_stage_leaves_the_pin_off(
    place: GuardianProcess, number: signal.Signals, stage: Callable[[GuardianProcess], list[socket.socket]]
) -> None:
    lines = stage(place)
    place.kill(number)
    assert place.ends() == 0
    assert not place.is_on
    for line in lines:
        line.close()


@pytest.mark.parametrize("stage", STAGES, ids=lambda each: each.__name__)
def test_after_sigkill_at_any_stage_the_one_shot_drives_the_pin_off(
    place: GuardianProcess, stage: Callable[[GuardianProcess], list[socket.socket]]
) -> None:
    lines = stage(place)
    # Without the second process, which would be quicker.
    os.kill(place.second, signal.SIGSTOP)
    place.kill(signal.SIGKILL)
    assert place.ends() == -signal.SIGKILL
    os.kill(place.second, signal.SIGKILL)
    if stage in (just_on, in_mid_pulse):
        assert place.is_on, "the bench must keep the level, or the test shows nothing"
    assert place.off() == 0
    assert not place.is_on
    for line in lines:
        line.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_while_it_starts_leaves_the_pin_off(tmp_path: Path, number: signal.Signals) -> None:
    place = GuardianProcess(tmp_path).start(wait=False)
    place.kill(number)
    place.ends()
    assert place.off() == 0
    assert not place.is_on
    place.close()


def test_a_pulse_lasts_as_asked_and_its_end_is_told(place: GuardianProcess) -> None:
    assert place.answer(b"pulse 0123abcd 0.400\n") == b"on 0123abcd 0.400\noff 0123abcd time\n"
    (length,) = place.pulses()
    assert 0.39 <= length <= 0.4 + GRACE_SECONDS


def test_an_asker_that_falls_silent_loses_the_pulse(place: GuardianProcess) -> None:
    assert place.answer(PULSE) == b"on 0123abcd 9.000\noff 0123abcd silence\n"
    assert place.pulses()[0] <= 1.0 + GRACE_SECONDS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_daemon_that_dies_or_freezes_in_mid_pulse_shuts_the_door(
    place: GuardianProcess, number: signal.Signals
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from device.hardware.guardian_relay import GuardianRelay\n"
        "relay = GuardianRelay(Path(sys.argv[1])); relay.pulse(open_seconds=9.0); print('on', flush=True)\n"
        "time.sleep(60)"
    )
    daemon = subprocess.Popen([sys.executable, "-c", code, str(place.socket)], cwd=ROOT, stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == b"on\n"
    assert place.is_on
    daemon.send_signal(number)
    at_seconds = time.monotonic()
    place.until(on=False)
    assert place.trace()[-1].at_seconds - at_seconds <= 1.0 + GRACE_SECONDS
    daemon.kill()
    daemon.communicate()


def test_another_user_is_refused_without_a_word(tmp_path: Path) -> None:
    with guardian(tmp_path, user=str(os.getuid() + 1)) as place:
        with place.ask() as line:
            assert line.recv(64) == b""
        place.kill(signal.SIGTERM)
        assert place.ends() == 0
        assert f"user {os.getuid()}: foreign" in place.said()
        assert [each.on for each in place.trace()] == [False]


@pytest.mark.parametrize(
    "junk",
    [b"\x00" * 200, b"\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n", b"pulse 0123abcd 99.999\n", b"pulse 0123abcd nan\n",
     b"alive 0123abcd\n", b"\n\n\n\n", PULSE[:-1] + b" " + PULSE, b"a" * 100_000],
)  # fmt: skip
def test_junk_switches_nothing_on_and_does_no_harm(place: GuardianProcess, junk: bytes) -> None:
    # It may hang up before all of it was sent.
    with contextlib.suppress(OSError):
        assert b"on " not in place.answer(junk)
    assert place.answer(b"status 00000000\n") == b"off 00000000 idle\n"
    assert [each.on for each in place.trace()] == [False]


@pytest.mark.parametrize("junk", [b"open sesame\n", PULSE, b"alive ffffffff\n", b"off ffffffff\n", b"a" * 99])
def test_junk_in_a_pulse_ends_it(place: GuardianProcess, junk: bytes) -> None:
    with place.ask(PULSE) as line:
        place.until(on=True)
        line.sendall(junk)
        place.until(on=False)


def test_a_crawling_asker_is_dropped_and_keeps_nobody_waiting(place: GuardianProcess) -> None:
    with place.ask(PULSE[:5]) as crawling:
        assert place.answer(b"pulse 00000000 0.200\n") == b"on 00000000 0.200\noff 00000000 time\n"
        assert crawling.recv(64) == b""


def test_a_crowd_is_turned_away_and_leaves_room_again(place: GuardianProcess) -> None:
    # Frozen meanwhile, so that it meets all of them at once.
    place.kill(signal.SIGSTOP)
    crowd = [place.ask() for _ in range(12)]
    place.kill(signal.SIGCONT)
    for each in crowd:
        assert each.recv(64) == b""
        each.close()
    assert place.answer(b"status 00000000\n") == b"off 00000000 idle\n"
    place.kill(signal.SIGTERM)
    place.ends()
    assert place.said().count("too many") == 8


def test_whoever_hung_up_before_it_was_heard_gets_nothing(place: GuardianProcess) -> None:
    place.kill(signal.SIGSTOP)
    place.ask(PULSE).close()
    place.kill(signal.SIGCONT)
    assert place.answer(b"status 00000000\n") == b"off 00000000 idle\n"
    assert [each.on for each in place.trace()] == [False]


def test_a_frozen_guardian_that_wakes_ends_the_pulse_that_is_over(place: GuardianProcess) -> None:
    with place.ask(b"pulse 0123abcd 0.300\n") as line:
        place.until(on=True)
        place.kill(signal.SIGSTOP)
        time.sleep(0.4)
        line.sendall(BEAT)
        place.kill(signal.SIGCONT)
        place.until(on=False)


def test_anyone_of_the_user_can_switch_off(place: GuardianProcess) -> None:
    with place.ask(PULSE) as line:
        place.until(on=True)
        assert place.answer(b"off 00000000\n") == b"off 00000000 asked\n"
        assert not place.is_on
        assert line.recv(64) + line.recv(64) == b"on 0123abcd 9.000\noff 0123abcd asked\n"


def test_a_second_asker_is_told_that_it_is_busy(place: GuardianProcess) -> None:
    with place.ask(PULSE):
        place.until(on=True)
        assert place.answer(b"pulse 00000000 1.000\n") == b"refused 00000000 busy\n"
        assert place.answer(b"status 00000000\n").startswith(b"on 00000000 ")


def test_its_limits_are_its_own_and_also_hold_after_its_start(tmp_path: Path) -> None:
    with guardian(tmp_path, settings="max_on_seconds = 2.0\nmin_gap_seconds = 30.0") as place:
        assert place.answer(b"pulse 00000000 2.001\n") == b"refused 00000000 too-long\n"
        assert place.answer(b"pulse 00000000 2.000\n") == b"refused 00000000 too-soon\n"


def test_systemd_hears_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    place = GuardianProcess(tmp_path).start(wait=False)
    assert [place.told() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    place.kill(signal.SIGTERM)
    while (told := place.told()) == "WATCHDOG=1":
        pass
    assert told == "STOPPING=1"
    assert place.ends() == 0
    place.close()
