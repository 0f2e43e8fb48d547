"""What is kept for a time goes after that time, as both clocks agree on it, and not because of a date."""

from datetime import datetime, timedelta
from pathlib import Path

from device.service.background import Background
from device.service.boot import BootTime
from device.service.guard_settings import PrivacyConfig, ReplayConfig
from device.service.privacy import ClipKeeper
from device.service.replay import ReplayFile, make_memory
from device.simulated.clock import ManualClock
from device.sound.pcm import Clip
from device.verdict.values import Decision, Outcome
from tests.doubles import loud
from tests.replay.test_memory import made


class SetClock(ManualClock):
    """A manual clock whose calendar somebody sets."""

    calendar_off = timedelta()

    def wall_time(self) -> datetime:
        return super().wall_time() + self.calendar_off


def keep_one(tmp_path: Path, clock: ManualClock, *, keep_days: float = 7.0, max_megabytes: float = 50.0) -> str:
    """By a keeper of its own, as after a start."""
    background = Background()
    settings = PrivacyConfig(keep_clips=True, keep_days=keep_days, max_megabytes=max_megabytes)
    keeper = ClipKeeper(folder=tmp_path / "clips", clock=clock, background=background, config=settings)
    clip = Clip(loud(3.0), 3.0, filled=False, index=0, started_at_seconds=0.0, ended_at_seconds=3.0)
    decision = Decision(outcome=Outcome.REFUSE, resident="Anna", evidence=0.0, clips=1, reason="")
    name = keeper.keep(clip, decision)
    background.close()
    return name


def clips_in(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "clips").iterdir()}


def test_a_clock_that_is_set_deletes_no_clip_and_keeps_none_for_ever(tmp_path: Path) -> None:
    clock = SetClock()
    clock.calendar_off = timedelta(days=-500)
    names = {keep_one(tmp_path, clock)}
    clock.calendar_off = timedelta()
    clock.advance(60.0)
    names.add(keep_one(tmp_path, clock))
    assert clips_in(tmp_path) == names, "500 days by their dates, a minute in truth"
    clock.calendar_off = timedelta(days=-4000)
    clock.advance(60.0)
    names.add(keep_one(tmp_path, clock))
    assert clips_in(tmp_path) == names
    for _ in range(8):
        clock.advance(86_400.0)
        last = keep_one(tmp_path, clock)
    assert not names & clips_in(tmp_path)
    assert last in clips_in(tmp_path)
    assert not any("Anna" in path.read_text() for path in tmp_path.glob("*.json"))


def test_the_quota_takes_the_oldest_clips_whatever_their_dates_say(tmp_path: Path) -> None:
    clock = SetClock()
    before = [keep_one(tmp_path, clock, max_megabytes=1.0) for _ in range(10) if clock.advance(60.0) is None]
    clock.calendar_off = timedelta(days=-500)
    clock.advance(60.0)
    newest = keep_one(tmp_path, clock, max_megabytes=1.0)
    assert newest in clips_in(tmp_path)
    assert before[0] not in clips_in(tmp_path)


def test_a_date_alone_makes_the_replay_memory_forget_nothing(tmp_path: Path) -> None:
    memory, background, clock = make_memory(ReplayConfig()), Background(), SetClock(start_seconds=50.0)
    memory.add(made(1), now_seconds=40.0)
    ReplayFile(tmp_path / "replay.npz", background, boot=lambda: BootTime("a", 50.0)).save(memory, clock)
    background.close()
    for days in (500, -500):
        later, restarted = make_memory(ReplayConfig()), SetClock(start_seconds=20.0)
        restarted.calendar_off = timedelta(days=days)
        ReplayFile(tmp_path / "replay.npz", Background(), boot=lambda: BootTime("b", 20.0)).load(later, restarted)
        assert len(later.prints(now_seconds=20.0)) == 1
    later, days_after = make_memory(ReplayConfig()), SetClock(start_seconds=50.0 + 2 * 86_400)
    same_boot = ReplayFile(tmp_path / "replay.npz", Background(), boot=lambda: BootTime("a", 50.0 + 2 * 86_400))
    same_boot.load(later, days_after)
    assert len(later.prints(now_seconds=50.0 + 2 * 86_400)) == 0
