"""How long the relay may be on within an hour: the rules, their file, and a guardian and a door that live by them."""

import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from device.errors import RelayError
from device.guardian.budget import NAME, Budget, BudgetFile, charged, is_left, settled
from device.guardian.errors import SettingsError, SocketError
from device.guardian.settings import read_settings
from device.hardware.guardian_relay import GuardianRelay
from device.service.relay_allowance import RelayAllowance
from device.simulated.clock import ManualClock
from device.simulated.relay import SimulatedRelay
from device.sound.pcm import Clip
from device.verdict.values import Decision, Outcome
from tests.benches.gpio_guardian import GuardianProcess, guardian

SMALL = "max_on_seconds_an_hour = 10.0"
CLIP = Clip(np.zeros(48_000, np.int16), 3.0, False, 0, 0.0, 3.0)


def decided(outcome: Outcome) -> Decision:
    return Decision(outcome=outcome, resident="Anna", evidence=9.0, clips=1, reason="like Anna")


def test_an_hour_frees_what_it_was_charged_with_and_no_moment_earlier() -> None:
    budget = Budget(max_on_seconds=10.0)
    for at in (0.0, 100.0):
        assert is_left(budget, seconds=5.0, now_seconds=at)
        budget = charged(budget, seconds=5.0, now_seconds=at)
    assert not is_left(budget, seconds=0.001, now_seconds=3599.9)
    assert is_left(budget, seconds=5.0, now_seconds=3600.0)
    assert not is_left(budget, seconds=5.001, now_seconds=3600.0)
    assert charged(budget, seconds=1.0, now_seconds=3650.0).charges == ((100.0, 5.0), (3650.0, 1.0))


def test_a_pulse_is_charged_in_full_until_it_has_ended_and_then_with_what_it_took() -> None:
    budget = charged(Budget(max_on_seconds=10.0), seconds=10.0, now_seconds=5.0)
    assert not is_left(budget, seconds=1.0, now_seconds=6.0)
    assert settled(budget, now_seconds=7.0).charges == ((5.0, 2.0),)
    assert settled(budget, now_seconds=17.5).charges == ((5.0, 12.5),), "one that was held for too long counts as such"


def test_a_clock_that_runs_back_frees_nothing() -> None:
    budget = charged(Budget(max_on_seconds=10.0), seconds=10.0, now_seconds=5000.0)
    for now in (4000.0, 0.0, -math.inf, math.nan):
        assert not is_left(budget, seconds=1.0, now_seconds=now)
    assert settled(budget, now_seconds=4000.0).charges == budget.charges


@pytest.mark.parametrize(
    "content",
    ["", "[[", "null", "7", '[["a", 1]]', "[[1]]", "[[1, 2, 3]]", "[[NaN, 1]]", "[[1, Infinity]]", "[[1, -5]]",
     "[[true, 1]]", "[[1" + "0" * 400 + ", 1]]", "[[9999, 1]]", "[[-1, 1]]", "\x00"],
)  # fmt: skip
def test_a_damaged_file_or_one_of_another_clock_grants_nothing_for_an_hour(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    file = BudgetFile({"RUNTIME_DIRECTORY": str(tmp_path)})
    budget, problem = file.load(Budget(), now_seconds=500.0)
    assert problem
    assert not is_left(budget, seconds=0.2, now_seconds=4099.0)
    assert is_left(budget, seconds=10.0, now_seconds=4100.0)


def test_no_file_is_a_boot_and_one_that_was_written_is_read(tmp_path: Path) -> None:
    file = BudgetFile({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert file.load(Budget(), now_seconds=1.0) == (Budget(), "")
    spent = charged(Budget(), seconds=7.5, now_seconds=3.0)
    file.save(spent)
    assert file.load(Budget(), now_seconds=4.0) == (spent, "")
    with pytest.raises(SocketError, match="cannot be written"):
        BudgetFile({"RUNTIME_DIRECTORY": str(tmp_path / "gone")}).save(spent)


@pytest.mark.parametrize("line", ["max_on_seconds_an_hour = 9.9", "max_on_seconds_an_hour = 901.0",
                                  "max_on_seconds_an_hour = 20.0\nmax_on_seconds = 21.0",
                                  'max_on_seconds_an_hour = "60"', "max_on_seconds_an_hour = nan",
                                  f"max_on_seconds_an_hour = 1{'0' * 400}"])  # fmt: skip
def test_a_limit_out_of_range_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.toml").write_text(f"[relay]\npin = 17\n{line}\n")
    with pytest.raises(SettingsError, match="max_on_seconds_an_hour"):
        read_settings(tmp_path / "c.toml")


def use_up(place: GuardianProcess) -> None:
    """All ten seconds, of which some are spent by guardians that die in a pulse: they count in full."""
    with place.ask(b"pulse 0123abcd 9.900\n"):
        place.until(on=True)
        place.kill(signal.SIGKILL)
        place.ends()
    place.off()
    place.start()


def test_who_asks_for_more_than_an_hour_allows_is_refused_also_after_a_restart_of_the_guardian(tmp_path: Path) -> None:
    with guardian(tmp_path, settings=SMALL) as place:
        use_up(place)
        assert place.answer(b"free 00000000 0.200\n") == b"refused 00000000 over-budget\n"
        assert place.answer(b"pulse 00000000 0.200\n") == b"refused 00000000 over-budget\n"
        assert not place.is_on
        relay = GuardianRelay(place.socket)
        assert "max_on_seconds_an_hour" in relay.refusal(open_seconds=3.0)
        with pytest.raises(RelayError, match="for as long as an hour allows"):
            relay.pulse(open_seconds=3.0)
        relay.close()
        place.kill(signal.SIGTERM)
        place.ends()


def test_a_short_pulse_costs_what_it_took(tmp_path: Path) -> None:
    with guardian(tmp_path, settings=SMALL) as place:
        for _ in range(3):
            with place.ask(b"pulse 0123abcd 9.000\n"):
                place.until(on=True)
                assert place.answer(b"off 00000000\n") == b"off 00000000 asked\n"
        (charges,) = [json.loads((tmp_path / NAME).read_text())]
        assert len(charges) == 3
        assert sum(seconds for _, seconds in charges) < 3.0
        assert all(0.0 < time.clock_gettime(time.CLOCK_BOOTTIME) - at < 60.0 for at, _ in charges)


def test_whether_a_pulse_would_be_granted_is_asked_without_moving_anything(tmp_path: Path) -> None:
    with guardian(tmp_path, settings="max_on_seconds = 2.0") as place:
        assert place.answer(b"free 00000000 2.000\n") == b"off 00000000 free\n"
        assert place.answer(b"free 00000000 2.001\n") == b"refused 00000000 too-long\n"
        with place.ask(b"pulse 0123abcd 2.000\n"):
            place.until(on=True)
            assert place.answer(b"free 00000000 1.000\n") == b"refused 00000000 busy\n"
            assert place.is_on
        place.until(on=False)
        assert not (tmp_path / NAME).with_name("budget.json.new").exists()


def test_an_accepted_voice_that_the_relay_would_refuse_is_a_decision_with_a_reason(tmp_path: Path) -> None:
    with guardian(tmp_path, settings=SMALL) as place:
        allowance = RelayAllowance(relay=GuardianRelay(place.socket), open_seconds=3.0)
        assert allowance.look(CLIP, decided(Outcome.OPEN)).objection is None
        use_up(place)
        objection = allowance.look(CLIP, decided(Outcome.OPEN))
        assert objection.objection is Outcome.RELAY_REFUSED
        assert "max_on_seconds_an_hour" in objection.reason
        assert allowance.look(CLIP, decided(Outcome.REFUSE)).objection is None
    with pytest.raises(RelayError, match="cannot be reached"):
        allowance.look(CLIP, decided(Outcome.OPEN))
    simulated = RelayAllowance(relay=SimulatedRelay(ManualClock()), open_seconds=3.0)
    assert simulated.look(CLIP, decided(Outcome.OPEN)).objection is None


def test_what_cannot_be_charged_is_not_granted(tmp_path: Path) -> None:
    with guardian(tmp_path) as place:
        (tmp_path / f"{NAME}.new").mkdir()
        assert not place.answer(b"pulse 0123abcd 1.000\n").startswith(b"on")
        assert place.ends() == 73
        assert [each.on for each in place.trace()] == [False]
