"""One fault at a time, in every stage of the pipeline and at every moment of a visit, on the manual clock.

Anna speaks for 3 s from second 1, 24 and 44 on. Whatever happens the pin is on for her alone, and off in time.
"""

from pathlib import Path

import pytest

from tests import event_logs
from tests.faults.life import OPEN_SECONDS, Fault, Life, Porch, live
from tests.faults.parts import ANNA, BROKEN, NOBODY, STRANGER
from tests.faults.schedules import STAGES, _lost

VISITS = Porch(((1.0, ANNA), (4.2, NOBODY), (24.0, ANNA), (27.2, NOBODY), (44.0, ANNA), (47.2, NOBODY)))
# Before anybody speaks, while she speaks, in mid-pulse, and as it ends.
MOMENTS = {"idle": 0.5, "speaking": 2.0, "in the pulse": 5.0, "at its end": 6.6}
UNTIL_SECONDS = 54.0


def lived(folder: Path, *faults: Fault, porch: Porch = VISITS, until_seconds: float = UNTIL_SECONDS) -> Life:
    """Live with ``faults`` and assert what holds in every case."""
    life = live(porch, faults, folder / "events.db", until_seconds=until_seconds)
    assert sum(life.struck.values()) == len(faults), "the fault must have struck"
    on = [at for at, is_on in life.pin.history if is_on]
    off = [at for at, is_on in life.pin.history if not is_on]
    assert len(on) == len(off), "the pin is off in the end"
    assert all(b - a <= OPEN_SECONDS + 0.5 for a, b in zip(on, off, strict=True))
    assert all(life.allowed(at) for at in on)
    assert life.deaf() == []
    assert _lost(folder / "events.db", life.acknowledged) == 0
    return life


def kinds(folder: Path) -> list[str]:
    return event_logs.kinds(folder / "events.db")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["exception", "out of memory", "SIGKILL"])
def test_a_fault_in_any_stage_at_any_moment_opens_nothing_and_the_door_is_back(
    tmp_path: Path, kind: str, stage: str, moment: str
) -> None:
    life = lived(tmp_path, Fault(kind, MOMENTS[moment], stage=stage))
    died = [why for _, why in life.deaths[:-1]]
    if stage in life.traps:
        # Nothing came by there any more: the status is written at the start and at the end.
        assert stage == "status"
    else:
        assert len(died) == (0 if stage == "status" else 1), died
    if died and kind != "SIGKILL":
        assert "code 70" in died[0]
        assert "fault" in kinds(tmp_path) or stage == "events"
    assert life.pin.history[-2][0] > 40.0, "the next visit opens as if nothing had been"


def test_without_a_fault_every_visit_opens(tmp_path: Path) -> None:
    life = lived(tmp_path)
    assert len(life.pin.history) == 6
    assert (life.starts, life.deaths[-1][1]) == (1, "code 0")
    assert kinds(tmp_path)[:3] == ["started", "speech", "decision"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGKILL"])
def test_a_signal_at_any_moment_shuts_the_door_at_once(tmp_path: Path, kind: str, moment: str) -> None:
    life = lived(tmp_path, Fault(kind, MOMENTS[moment], stage="microphone"))
    if moment == "in the pulse":
        on, off = life.pin.history[:2]
        assert MOMENTS[moment] <= off[0] <= MOMENTS[moment] + 0.05
        assert off[0] - on[0] < OPEN_SECONDS
    assert life.starts == 2


@pytest.mark.parametrize("kind", ["unplugged", "frozen server"])
@pytest.mark.parametrize("seconds", [10.0, 600.0])
@pytest.mark.parametrize("at_seconds", [-1.0, 2.0, 5.0])
def test_a_microphone_that_is_away_for_seconds_or_minutes_is_heard_soon_after_its_return(
    tmp_path: Path, kind: str, seconds: float, at_seconds: float
) -> None:
    until = at_seconds + seconds + 30.0
    porch = Porch((*VISITS.visits[:2], (at_seconds + seconds + 7.0, ANNA), (at_seconds + seconds + 10.2, NOBODY)))
    life = lived(tmp_path, Fault(kind, at_seconds, seconds), porch=porch, until_seconds=until)
    back = next(at for at in life.frames if at > max(at_seconds, 0.0) + seconds)
    assert back - at_seconds - seconds <= 5.0
    if seconds > 60.0:
        assert any(why == "MicrophoneError: code 69" for _, why in life.deaths)
    assert life.pin.history[-1][0] > at_seconds + seconds, "the visitor after its return is let in"


@pytest.mark.parametrize("kind", ["guardian killed", "guardian slow"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_guardian_that_is_gone_or_slow_keeps_the_door_shut_until_it_answers(
    tmp_path: Path, kind: str, moment: str
) -> None:
    life = lived(tmp_path, Fault(kind, MOMENTS[moment], 6.0))
    assert life.pin.history[-2][0] > 40.0
    assert all(why.endswith(("code 0", "code 69")) for _, why in life.deaths)


def test_a_guardian_that_stays_away_is_found_by_the_canary_and_starves_the_watchdog(tmp_path: Path) -> None:
    life = lived(tmp_path, Fault("guardian killed", 8.0, 60.0), porch=Porch(VISITS.visits[:2]), until_seconds=90.0)
    assert life.deaths[0][1] == "killed: the watchdog"
    assert all(why == "RelayError: code 69" for _, why in life.deaths[1:-1])
    assert "canary_failed" in kinds(tmp_path)


@pytest.mark.parametrize("kind", ["disk full", "disk read-only"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_disk_that_takes_nothing_does_not_reach_the_door_and_the_log_says_what_is_missing(
    tmp_path: Path, kind: str, moment: str
) -> None:
    life = lived(tmp_path, Fault(kind, MOMENTS[moment], 12.0))
    assert (life.starts, len(life.pin.history)) == (1, 6)
    assert "events_lost" in kinds(tmp_path)


@pytest.mark.parametrize("kind", ["calendar", "clock jump", "overflow", "frozen daemon", "slow model", "bad reload"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_daemon_goes_through_without_dying(tmp_path: Path, kind: str, moment: str) -> None:
    # The clock jumps by up to half a minute, so that the second visit is another one.
    porch = Porch((*VISITS.visits[:2], (50.0, ANNA), (53.2, NOBODY)))
    life = lived(tmp_path, Fault(kind, MOMENTS[moment], 3.5), porch=porch, until_seconds=62.0)
    # Where the clock jumps by more than the watchdog allows, systemd believes that the daemon hangs.
    assert life.starts == 1 or (kind, life.deaths[0][1]) == ("clock jump", "killed: the watchdog")
    assert life.pin.history[-2][0] > 50.0
    if life.starts == 1 and kind in ("clock jump", "overflow", "frozen daemon"):
        assert "gap" in kinds(tmp_path)
    if kind == "bad reload":
        assert "reload_refused" in kinds(tmp_path)


@pytest.mark.parametrize("who", [STRANGER, BROKEN])
def test_a_stranger_and_a_score_that_is_no_number_open_nothing(tmp_path: Path, who: int) -> None:
    life = lived(tmp_path, porch=Porch(((1.0, who), (4.2, NOBODY))), until_seconds=10.0)
    assert life.pin.history == []
