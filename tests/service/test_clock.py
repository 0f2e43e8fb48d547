"""The calendar is doubted: its steps are in the log, a new zone counts at once, and hours need the right time."""

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.hardware.clock import SystemClock
from device.ports import Event
from device.service import cli
from device.service.clock_state import SystemClockState, kernel_is_synchronised
from device.service.clock_watch import ClockWatch, newest_unix_seconds
from device.service.config import read_config
from device.service.daemon import Hardware, build_door
from device.service.elapsed import Moment, elapsed_seconds
from device.service.extras import Extras
from device.service.schedule import Schedule, ScheduleConfig
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.verdict.bundle import load_bundle, resolve_current
from tests.doubles import Bench, loud, quiet
from tests.event_logs import kinds, sink, verdict

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEVER_SET = "the clock was not set"


def at(seconds: float, wall: datetime) -> Event:
    return Event(kind="speech", at_seconds=seconds, wall_time=wall)


def test_a_clock_that_is_set_while_the_door_runs_is_a_line_of_the_chain(tmp_path: Path) -> None:
    watch = ClockWatch(sink(tmp_path / "e"))
    watch.record(at(10.0, START - timedelta(days=500)))
    watch.record(at(20.0, START - timedelta(days=500) + timedelta(seconds=10.9)))
    watch.record(at(30.0, START))
    watch.record(at(40.0, START + timedelta(seconds=10)))
    watch.record(at(50.0, START - timedelta(hours=1)))
    watch.close()
    assert kinds(tmp_path / "e") == ["speech", "speech", "clock_set", "speech", "speech", "clock_set", "speech"]
    assert verdict(tmp_path / "e").problems == []


def test_it_says_by_how_much_and_what_the_clock_would_have_shown() -> None:
    events = RecordedEvents()
    watch = ClockWatch(events)
    watch.record(at(10.0, START))
    watch.record(at(70.0, START + timedelta(seconds=60 + 7200)))
    (event,) = events.of("clock_set")
    assert event.details["step_seconds"] == 7200.0
    assert event.details["instead_of"] == "2026-11-20T12:01:00+00:00"


@pytest.mark.parametrize(("wall", "said"), [(START - timedelta(days=1), 1), (START + timedelta(days=9), 0)])
def test_a_clock_that_starts_behind_the_newest_event_is_said(tmp_path: Path, wall: datetime, said: int) -> None:
    log = sink(tmp_path / "e")
    log.record(at(5.0, START))
    log.close()
    watch = ClockWatch(sink(tmp_path / "e"), newest_unix_seconds(tmp_path / "e"))
    watch.record(at(1.0, wall))
    assert kinds(tmp_path / "e").count("clock_set") == said


@pytest.mark.parametrize("share", [0.0005, -0.0005])
def test_a_time_server_that_corrects_little_by_little_sets_nothing(share: float) -> None:
    events = RecordedEvents()
    watch = ClockWatch(events)
    for hour in range(100):
        watch.record(at(3600.0 * hour, START + timedelta(seconds=3600 * hour * (1 + share))))
    assert events.of("clock_set") == []


def test_without_a_log_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    assert newest_unix_seconds(tmp_path / "nothing") is None
    (tmp_path / "e").write_bytes(b"no database")
    assert newest_unix_seconds(tmp_path / "e") is None


@pytest.mark.parametrize(
    ("before", "now", "seconds"),
    [
        (Moment(10.0, 1000.0), Moment(20.0, 1010.0), 10.0),
        (Moment(10.0, 1000.0), Moment(20.0, 99_000.0), 10.0),
        (Moment(10.0, 1000.0), Moment(20.0, 500.0), 0.0),
        (Moment(900.0, 1000.0), Moment(20.0, 9000.0), 20.0),
        (Moment(900.0, 1000.0), Moment(20.0, 1005.0), 5.0),
    ],
)
def test_no_more_time_has_passed_than_both_clocks_agree_on(before: Moment, now: Moment, seconds: float) -> None:
    assert elapsed_seconds(before, now) == seconds


@pytest.fixture
def zone() -> Iterator[None]:
    """The zone of this process is given back."""
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_a_zone_that_changes_counts_without_a_restart(tmp_path: Path) -> None:
    zones = Path("/usr/share/zoneinfo")
    if not (zones / "Asia" / "Tokyo").exists():
        pytest.skip("no time zones here")
    for name in ("Asia/Tokyo", "America/Lima"):
        shutil.copy(zones / name, tmp_path / Path(name).name)
    clock = SystemClock()
    os.environ["TZ"] = f":{tmp_path / 'Tokyo'}"
    time.tzset()
    assert clock.wall_time().utcoffset() == timedelta(hours=9)
    os.environ["TZ"] = f":{tmp_path / 'Lima'}"
    assert clock.wall_time().utcoffset() == timedelta(hours=-5)
    now = datetime.now(UTC)
    hours = ScheduleConfig(person="Anna", after=f"{(now - timedelta(hours=6)):%H:%M}",
                           before=f"{(now - timedelta(hours=4)):%H:%M}")  # fmt: skip
    assert Bench([loud(3.2), quiet(5)], [9.0], guards=(Schedule((hours,), clock),)).hear().outcomes == ["open"]


class NeverSet:
    def problem(self, _now: datetime) -> str:
        return NEVER_SET


def bench(*, person: str, require_set: bool = True) -> Bench:
    guard = Schedule((ScheduleConfig(person=person),), ManualClock(), NeverSet(), require_set=require_set)
    return Bench([loud(3.2), quiet(15)], [9.0], guards=(guard,)).hear()


def test_whoever_has_hours_stays_outside_while_nobody_has_set_the_clock() -> None:
    door = bench(person="Anna")
    assert door.relay.history == []
    assert door.outcomes == ["outside_schedule"]
    assert NEVER_SET in str(door.events.of("decision")[0].details["reason"])


def test_whoever_has_none_comes_in_all_the_same() -> None:
    assert bench(person="Bruno").outcomes == ["open"]


def test_where_it_is_configured_hours_count_by_whatever_the_clock_shows_and_the_event_says_so() -> None:
    door = bench(person="Anna", require_set=False)
    assert door.outcomes == ["open"]
    assert door.events.of("decision")[0].details["clock"] == NEVER_SET


def state(tmp_path: Path, **more: object) -> SystemClockState:
    paths = {"synchronized": tmp_path / "synchronized", "set_from_hardware": tmp_path / "hctosys"}
    return SystemClockState(**paths, **{"kernel": lambda: False, **more})  # type: ignore[arg-type]


def test_a_clock_is_believed_when_a_time_service_the_kernel_or_a_battery_has_set_it(tmp_path: Path) -> None:
    assert "not set" in state(tmp_path).problem(START)
    assert state(tmp_path, kernel=lambda: True).problem(START) == ""
    (tmp_path / "hctosys").write_text("0\n")
    assert "not set" in state(tmp_path).problem(START)
    (tmp_path / "hctosys").write_text("1\n")
    (tmp_path / "since_epoch").write_text(f"{START.timestamp():.0f}\n")
    assert state(tmp_path).problem(START) == ""
    (tmp_path / "hctosys").unlink()
    (tmp_path / "synchronized").touch()
    assert state(tmp_path).problem(START) == ""


@pytest.mark.parametrize("shown", ["17", "", "no number", "99999999999999999999"])
def test_a_board_s_clock_without_a_battery_is_believed_by_nobody(tmp_path: Path, shown: str) -> None:
    """A Raspberry Pi 5: its clock began in 1970, the kernel took that, and the calendar was moved to the last known."""
    (tmp_path / "hctosys").write_text("1\n")
    (tmp_path / "since_epoch").write_text(shown)
    assert "not set" in state(tmp_path).problem(START)


def test_a_board_s_clock_may_show_local_time(tmp_path: Path) -> None:
    (tmp_path / "hctosys").write_text("1\n")
    (tmp_path / "since_epoch").write_text(f"{START.timestamp() + 12 * 3600:.0f}\n")
    assert state(tmp_path).problem(START) == ""


def test_a_date_before_the_program_was_written_is_believed_from_nobody(tmp_path: Path) -> None:
    (tmp_path / "synchronized").touch()
    assert "1970-01-01" in state(tmp_path).problem(datetime(1970, 1, 1, tzinfo=UTC))


def test_the_kernel_can_be_asked() -> None:
    assert kernel_is_synchronised() in (True, False)


def test_check_and_status_say_that_the_clock_was_never_set(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SystemClockState, "problem", lambda _self, _now: NEVER_SET)
    monkeypatch.setattr("device.service.check.check_people", lambda _tables, _residents: None)
    text = (
        f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\nallow_unsigned = true\n'
        '[[schedule]]\nperson = "Anna"\n'
    )
    (tmp_path / "c.toml").write_text(text)
    assert cli.main(["check", "--simulate", "--config", str(tmp_path / "c.toml")]) == 0
    assert f"CAREFUL: {NEVER_SET}; until then nobody with hours can come in" in capsys.readouterr().out
    (tmp_path / "c.toml").write_text(text.replace("[model]", "[clock]\nrequire_set = false\n[model]"))
    assert cli.main(["check", "--simulate", "--config", str(tmp_path / "c.toml")]) == 0
    assert f"CAREFUL: {NEVER_SET}\n" in capsys.readouterr().out
    cli.main(["status", "--runtime-dir", str(tmp_path)])
    assert NEVER_SET in capsys.readouterr().out


def test_the_daemon_says_at_the_start_that_nobody_knows_the_hours(tmp_path: Path, models: Path) -> None:
    events, clock = RecordedEvents(), ManualClock()
    resident = load_bundle(resolve_current(models)).residents[0]
    (tmp_path / "c.toml").write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n'
                                     f'[[schedule]]\nperson = "{resident}"\n')  # fmt: skip
    hardware = Hardware(microphone=SimulatedMicrophone([quiet(1)], clock=clock), relay=SimulatedRelay(clock),
                        clock=clock, supervisor=RecordedSupervisor(), events=events,
                        extras=Extras(clock_state=NeverSet()))  # fmt: skip
    build_door(read_config(tmp_path / "c.toml"), hardware)
    (event,) = events.of("clock_not_set")
    assert event.details["reason"] == f"{NEVER_SET}; nobody with hours can come in"
