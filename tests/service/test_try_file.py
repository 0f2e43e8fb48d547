"""What visits cost outlives the process: no restart, no clock and no broken file gives a try back."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.service import try_file
from device.service.background import Background
from device.service.boot import BootTime, boot_time, elapsed_seconds
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.extras import make_extras
from device.service.status import StatusFile, look
from device.service.try_file import NAME, TryFile
from device.simulated.clock import ManualClock
from device.verdict.policy import PolicySpec, PolicyState, forget, judge, standing
from device.verdict.tries import Tries, TryLimits, is_strict, wait_left_seconds
from device.verdict.values import ResidentScore, Score
from training.door_tries import is_new_visit, most_within

LIMITS = TryLimits()
SPEC = PolicySpec(open_llr=5.0, refuse_llr=-2.0, limits=LIMITS)


@dataclass
class Machine:
    """A machine that boots, with its disk; processes of the daemon come and go on it."""

    folder: Path
    boots: int = 1
    booted_at_seconds: float = 0.0
    clock: ManualClock = field(default_factory=ManualClock)

    def boot_time(self) -> BootTime:
        return BootTime(f"boot-{self.boots}", self.clock.monotonic_seconds() - self.booted_at_seconds)

    def reboot(self, *, off_seconds: float = 60.0) -> None:
        self.clock.advance(off_seconds)
        self.boots, self.booted_at_seconds = self.boots + 1, self.clock.monotonic_seconds()

    def start(self, **more: object) -> TryFile:
        made = TryFile(path=self.folder / NAME, clock=self.clock, boot=self.boot_time, background=AtOnce(), **more)  # type: ignore[arg-type]
        made.begin(LIMITS)
        return made


class AtOnce(Background):
    """Work is done before ``submit`` returns; where ``drops``, the process is killed before it is."""

    drops = False

    def submit(self, work: Callable[[], None]) -> bool:
        if not self.drops:
            work()
        return not self.drops


def keep(kept: TryFile, tries: Tries) -> None:
    state = PolicyState(tries=tries)
    kept.remember(tries, standing(SPEC, state, now_seconds=tries.at_seconds))


def test_a_restart_forgets_nothing_and_time_counts_on_meanwhile(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.start()
    assert (first.first.used, first.first.failures, first.problem) == (0.0, 0.0, "")
    keep(first, Tries(5.0, 9.0, 0.0))
    first.close()
    machine.clock.advance(1200.0)
    later = machine.start()
    assert later.first.used == 0.0
    assert later.first.failures == pytest.approx(8.0)
    assert later.problem == ""


def test_who_kills_the_daemon_pays_for_a_visit_that_may_not_have_been_written(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    keep(machine.start(), Tries(2.0, 3.0, 0.0))
    assert (machine.start().first.used, machine.start().first.failures) == (3.0, 5.0)


def test_killing_the_daemon_again_and_again_ends_in_the_wait_and_the_higher_bar(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for _ in range(20):
        last = machine.start().first
    assert wait_left_seconds(LIMITS, last) == 45.0
    assert is_strict(LIMITS, last)


def test_across_two_boots_no_time_has_passed_whatever_the_calendar_says(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.start()
    keep(first, Tries(5.0, 9.0, 0.0))
    first.close()
    machine.reboot(off_seconds=7 * 86_400.0)
    later = machine.start().first
    assert (later.used, later.failures) == (5.0, 9.0)


def test_a_calendar_that_is_set_forgives_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    first = machine.start()
    keep(first, Tries(5.0, 9.0, 0.0))
    first.close()
    machine.clock = ManualClock(wall_start=datetime(2031, 1, 1, tzinfo=UTC))
    assert machine.start().first.failures == 9.0


def test_a_kernel_that_does_not_name_its_boot_gives_no_time() -> None:
    assert elapsed_seconds(BootTime("", 10.0), BootTime("", 1000.0)) == 0.0
    assert elapsed_seconds(BootTime("a", 10.0), BootTime("a", 1000.0)) == 990.0
    assert elapsed_seconds(BootTime("a", 1000.0), BootTime("a", 10.0)) == 0.0
    assert elapsed_seconds(BootTime("a", float("nan")), BootTime("a", 10.0)) == 0.0
    assert boot_time().seconds > 0.0


BROKEN = [b"", b"{", b"[]", b"null", b'{"used": 0}', b"\xff\xfe", b"[" * 9000, b"0" * 10_000,
          json.dumps({"used": -5.0, "failures": 0.0, "boot": "b", "boot_seconds": 0.0, "running": False}).encode(),
          b'{"used": NaN, "failures": 0.0, "boot": "b", "boot_seconds": 0.0, "running": false}',
          b'{"used": 0.0, "failures": "0", "boot": "b", "boot_seconds": 0.0, "running": false}']  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_a_file_that_says_nothing_is_as_if_everything_had_been_spent(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    began = Machine(tmp_path).start()
    assert wait_left_seconds(LIMITS, began.first) == 45.0
    assert is_strict(LIMITS, began.first)
    assert began.problem
    # And it is written anew, so that it heals.
    assert json.loads((tmp_path / NAME).read_text())["failures"] == LIMITS.most_failures


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(json.dumps({"used": 0.0, "failures": 0.0, "boot": "b", "boot_seconds": 0.0, "running": False}))
    (tmp_path / NAME).symlink_to(other)
    assert is_strict(LIMITS, Machine(tmp_path).start().first)
    assert "0.0" in other.read_text()


def test_a_disk_that_cannot_be_written_makes_every_start_begin_strictly(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    for _ in range(3):
        began = Machine(tmp_path).start()
        assert is_strict(LIMITS, began.first)
        assert began.problem


def test_a_write_that_fails_later_never_reaches_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = TryFile(path=tmp_path / NAME, clock=ManualClock())
    began.begin(LIMITS)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(try_file, "_write", full)
    keep(began, Tries(1.0, 1.0, 0.0))
    began.close()
    assert began.background.failed == 2


def test_a_disk_that_is_full_for_a_while_forgives_nothing_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, write = Machine(tmp_path), try_file._write
    first = machine.start()
    keep(first, Tries(1.0, 1.0, 0.0))

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(try_file, "_write", full)
    for visits in range(2, 16):
        with pytest.raises(OSError, match="No space left"):
            keep(first, Tries(6.0, float(visits), 0.0))
    # Somebody pulls the plug, and the disk has room again when the machine is back.
    monkeypatch.setattr(try_file, "_write", write)
    machine.reboot()
    later = machine.start()
    assert is_strict(LIMITS, later.first)
    assert wait_left_seconds(LIMITS, later.first) == 45.0
    assert "could not be written" in later.problem
    assert os.listdir(tmp_path) == [NAME]


def test_a_disk_that_has_room_again_before_the_end_forgets_nothing_and_spends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, write = Machine(tmp_path), try_file._write
    first = machine.start()

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(try_file, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        keep(first, Tries(1.0, 1.0, 0.0))
    monkeypatch.setattr(try_file, "_write", write)
    keep(first, Tries(2.0, 2.0, 0.0))
    first.close()
    assert os.listdir(tmp_path) == [NAME]
    later = machine.start()
    assert (later.first.used, later.first.failures, later.problem) == (2.0, 2.0, "")


def test_the_door_does_not_wait_for_the_disk_and_the_newest_count_is_written_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    gate, write = threading.Event(), try_file._write

    def slow(path: Path, kept: try_file.Kept) -> None:
        gate.wait(10.0)
        write(path, kept)

    began = TryFile(path=tmp_path / NAME, clock=ManualClock())
    began.begin(LIMITS)
    monkeypatch.setattr(try_file, "_write", slow)
    for count in range(100):
        keep(began, Tries(1.0, float(min(16, count)), 0.0))
    gate.set()
    began.close()
    kept = json.loads((tmp_path / NAME).read_text())
    assert (kept["failures"], kept["running"]) == (16.0, False)


def test_the_file_is_private_whole_and_names_nobody(tmp_path: Path) -> None:
    keep(Machine(tmp_path).start(), Tries(1.0, 2.0, 0.0))
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]
    assert set(json.loads((tmp_path / NAME).read_text())) == {"used", "failures", "boot", "boot_seconds", "running"}


def test_without_a_state_directory_the_log_says_that_a_restart_forgets(caplog: pytest.LogCaptureFixture) -> None:
    TryFile(path=None, clock=ManualClock()).begin(LIMITS)
    assert "a restart forgets" in caplog.text


def test_the_status_says_when_the_next_visit_is_judged_and_until_when_the_bar_is_higher(tmp_path: Path) -> None:
    machine, status = Machine(tmp_path), StatusFile(tmp_path)
    keep(machine.start(status=status), Tries(6.0, 6.0, 0.0))
    now = machine.clock.wall_time()
    text = look(tmp_path).as_text(now=now)
    assert "the next is judged from 2026-01-01T18:00:45+00:00 on" in text
    assert "more evidence than usual until 2026-01-01T18:40:00+00:00" in text
    assert "judged from" not in look(tmp_path).as_text(now=now.replace(hour=19))


def test_the_daemon_keeps_it_in_its_state_directory(tmp_path: Path) -> None:
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"))
    extras = make_extras(config, ManualClock(), state=tmp_path, simulate=True)
    assert extras.forgotten() == {}
    extras.close(ManualClock())
    assert json.loads((tmp_path / NAME).read_text())["running"] is False
    (tmp_path / NAME).write_text("{")
    (tmp_path / "replay.npz").write_text("{")
    spoilt = make_extras(config, ManualClock(), state=tmp_path, simulate=True)
    assert set(spoilt.forgotten()) == {"visits_unknown", "replay_memory_lost"}
    spoilt.close(ManualClock())


STEPS = st.one_of(
    st.tuples(st.just("clip"), st.sampled_from([-5.0, 1.0, 9.0])),
    st.tuples(st.just("pause"), st.sampled_from([1.0, 10.0, 46.0, 600.0])),
    st.tuples(st.sampled_from(["gap", "killed", "killed before it was written", "restart", "reboot", "spoilt"]),
              st.just(0.0)),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=20, max_size=120))
def test_no_restart_of_any_kind_gets_anybody_judged_more_often(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float]]
) -> None:
    machine = Machine(tmp_path_factory.mktemp("state"))
    kept = machine.start()
    state = PolicyState(tries=kept.first)
    judged: list[float] = []
    for kind, value in steps:
        if kind == "clip":
            machine.clock.advance(3.0)
            now = machine.clock.monotonic_seconds()
            state, decision = judge(SPEC, state, Score((ResidentScore("Anna", value, 0.0),), 1.0), now_seconds=now)
            if is_new_visit(decision):
                judged.append(now)
            kept.remember(state.tries, standing(SPEC, state, now_seconds=now))
        elif kind == "pause":
            machine.clock.advance(value)
        elif kind == "gap":
            state = forget(state)
        else:
            if kind == "killed before it was written":
                # The last visit that was judged is not on the disk.
                kept.background.drops = True  # type: ignore[attr-defined]
                machine.clock.advance(3.0)
                now = machine.clock.monotonic_seconds()
                state, decision = judge(SPEC, state, Score((ResidentScore("Anna", -5.0, 0.0),), 1.0), now_seconds=now)
                if is_new_visit(decision):
                    judged.append(now)
                kept.remember(state.tries, standing(SPEC, state, now_seconds=now))
            if kind == "restart":
                kept.close()
            if kind == "spoilt":
                (machine.folder / NAME).write_bytes(b"")
            if kind == "reboot":
                machine.reboot(off_seconds=30.0)
            kept = machine.start()
            state = PolicyState(tries=kept.first)
        assert wait_left_seconds(LIMITS, state.tries) <= LIMITS.wait_seconds + 1e-6
    for seconds in (60.0, 300.0, 3600.0):
        assert most_within(judged, seconds) <= LIMITS.most_judged(seconds)
