"""No audio is kept unless asked; what is kept is bounded, private, and goes when somebody asks for it."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError, DataError
from device.service import cli
from device.service.background import MOST_WAITING, Background
from device.service.boot import BootTime
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.extras import Extras, config_digest, keeper_for, make_extras
from device.service.forget import forget_person
from device.service.guard_settings import PrivacyConfig, ReplayConfig
from device.service.privacy import ClipKeeper, files_of, safe, thin_out
from device.service.replay import ReplayFile, make_memory
from device.service.schedule import ScheduleConfig
from device.simulated.clock import ManualClock
from device.sound.wavfile import read_wav
from device.verdict.guards import KeepsNothing
from tests.doubles import Bench, loud, quiet
from tests.event_logs import change, kinds, lines, sink, spoken, verdict
from tests.replay.test_memory import made

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def config(models: Path, **more: object) -> Config:
    return Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models)), **more)  # type: ignore[arg-type]


def kept(tmp_path: Path, script: list[float], *, max_megabytes: float = 50.0) -> Bench:
    segments = [part for _ in script for part in (loud(3.2), quiet(15))]
    bench = Bench(segments, script)
    background = Background()
    bench.door.keeper = ClipKeeper(folder=tmp_path / "clips", clock=bench.clock, background=background,
                                   config=PrivacyConfig(keep_clips=True, max_megabytes=max_megabytes))  # fmt: skip
    bench.hear()
    background.close()
    return bench


def test_nothing_is_kept_unless_asked(tmp_path: Path, models: Path) -> None:
    keeper = keeper_for(config(models), Extras(state=tmp_path), ManualClock())
    assert isinstance(keeper, KeepsNothing)
    bench = Bench([loud(3.2), quiet(5)], [9.0], keeper=keeper).hear()
    assert bench.events.of("decision")[0].details["kept_clip"] == ""
    assert list(tmp_path.iterdir()) == []


def test_kept_clips_are_whole_named_in_the_event_and_private(tmp_path: Path) -> None:
    bench = kept(tmp_path, [9.0, -5.0])
    names = [str(event.details["kept_clip"]) for event in bench.events.of("decision")]
    assert [name.split("-")[-1] for name in names] == ["open.wav", "refuse.wav"]
    folder = tmp_path / "clips"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert len(read_wav(folder / names[0])) == 48_000
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_clips_have_a_quota_and_an_age(tmp_path: Path) -> None:
    kept(tmp_path, [-5.0] * 4)
    clips = sorted((tmp_path / "clips").iterdir())
    size = clips[0].stat().st_size
    ages = {path.name: 100.0 - number for number, path in enumerate(clips)}
    thin_out(tmp_path / "clips", ages, max_bytes=2 * size, keep_seconds=1000.0)
    assert sorted((tmp_path / "clips").iterdir()) == clips[2:]
    thin_out(tmp_path / "clips", {clips[2].name: 98.0, clips[3].name: 97.0}, max_bytes=100 * size, keep_seconds=97.5)
    assert sorted((tmp_path / "clips").iterdir()) == clips[3:]


def test_a_folder_that_cannot_be_written_does_not_reach_the_door(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "clips").write_text("a file where a folder should be")
    bench = kept(tmp_path, [9.0])
    assert bench.outcomes == ["open"]
    assert "the door goes on" in caplog.text


def test_work_that_piles_up_is_dropped_and_never_waited_for() -> None:
    import threading

    gate, background = threading.Event(), Background()
    done = [background.submit(gate.wait) for _ in range(MOST_WAITING + 10)]
    assert not all(done)
    assert background.dropped > 0
    gate.set()
    background.close()


def test_keeping_needs_a_state_directory(models: Path) -> None:
    asked = config(models, privacy=PrivacyConfig(keep_clips=True))
    with pytest.raises(ConfigError, match="state directory"):
        keeper_for(asked, Extras(), ManualClock())


def test_without_a_state_directory_a_restart_forgets_what_was_heard_and_the_log_says_so(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = make_extras(config(models), ManualClock(), state=None, simulate=True)
    assert made.replay_file is None
    assert "a restart forgets what was heard" in caplog.text


def test_the_replay_memory_outlives_a_restart_unless_told_otherwise(tmp_path: Path, models: Path) -> None:
    asked, clock = config(models), ManualClock()
    first = make_extras(asked, clock, state=tmp_path, simulate=True)
    first.memory.add(made(7), now_seconds=0.0)
    first.close(clock)
    assert stat.S_IMODE((tmp_path / "replay.npz").stat().st_mode) == 0o600
    clock.advance(3600.0)
    second = make_extras(asked, clock, state=tmp_path, simulate=True)
    assert len(second.memory.prints(now_seconds=clock.monotonic_seconds())) == 1
    clock.advance(24 * 3600.0)
    assert second.memory.prints(now_seconds=clock.monotonic_seconds()) == []


def test_no_restart_forgets_what_was_heard(tmp_path: Path, models: Path) -> None:
    clock = ManualClock()
    first = make_extras(config(models), clock, state=tmp_path, simulate=True)
    first.memory.add(made(7), now_seconds=0.0)
    first.close(clock)
    without = config(models, replay=ReplayConfig(keep_on_disk=False))
    assert len(make_extras(without, clock, state=tmp_path, simulate=True).memory) == 0
    assert len(make_extras(config(models), clock, state=tmp_path, simulate=True).memory) == 1


@pytest.mark.parametrize(
    ("later", "left"),
    [(BootTime("a", 4000.0), 1), (BootTime("a", 9000.0), 0), (BootTime("b", 10.0), 1), (BootTime("", 9000.0), 1)],
    ids=["an hour later", "hours later", "another boot", "an unknown boot"],
)
def test_prints_age_by_what_the_machine_ran_and_by_no_calendar(tmp_path: Path, later: BootTime, left: int) -> None:
    memory, background = make_memory(ReplayConfig(keep_hours=2.0)), Background()
    memory.add(made(7), now_seconds=0.0)
    path = tmp_path / "replay.npz"
    ReplayFile(path, background, boot=lambda: BootTime("a", 400.0)).save(memory, ManualClock())
    background.close()
    # The calendar is years ahead by now: a clock that was set, or never was.
    clock = ManualClock(start_seconds=20_000.0, wall_start=datetime(2031, 1, 1, tzinfo=UTC))
    again = make_memory(ReplayConfig(keep_hours=2.0))
    ReplayFile(path, Background(), boot=lambda: later).load(again, clock)
    assert len(again.prints(now_seconds=clock.monotonic_seconds())) == left


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY"])
def test_a_damaged_replay_memory_begins_anew(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "replay.npz").write_bytes(content)
    memory = make_memory(ReplayConfig())
    file = ReplayFile(tmp_path / "replay.npz", Background())
    file.load(memory, ManualClock())
    assert len(memory) == 0
    assert file.problem
    assert "begins anew" in caplog.text


def test_a_byte_that_a_worn_card_changed_in_the_replay_memory_does_not_keep_the_door_from_starting(
    tmp_path: Path,
) -> None:
    memory, background = make_memory(ReplayConfig()), Background()
    memory.add(made(7), now_seconds=0.0)
    path = tmp_path / "replay.npz"
    ReplayFile(path, background).save(memory, ManualClock())
    background.close()
    whole = path.read_bytes()
    problems = set[str]()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        file = ReplayFile(path, Background())
        file.load(make_memory(ReplayConfig()), ManualClock())
        problems.add(file.problem)
    assert len(problems) > 2, "no damage was noticed"


def test_a_link_in_place_of_the_replay_memory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "replay.npz").symlink_to(tmp_path / "secret")
    file = ReplayFile(tmp_path / "replay.npz", Background())
    file.load(make_memory(ReplayConfig()), ManualClock())
    assert "symbolic link" in file.problem
    assert "hunter2" not in file.problem


def test_a_replay_memory_of_an_older_program_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, background = make_memory(ReplayConfig()), Background()
    memory.add(made(7), now_seconds=0.0)
    monkeypatch.setattr("device.service.replay.FORM", np.array([6144.0, 12.0]))
    ReplayFile(tmp_path / "replay.npz", background).save(memory, ManualClock())
    background.close()
    monkeypatch.undo()
    later = make_memory(ReplayConfig())
    ReplayFile(tmp_path / "replay.npz", Background()).load(later, ManualClock())
    assert len(later) == 0
    assert "another version" in caplog.text


def test_the_configs_digest_changes_with_any_setting(models: Path) -> None:
    plain = config(models)
    assert config_digest(plain) == config_digest(config(models))
    assert config_digest(plain) != config_digest(config(models, replay=ReplayConfig(threshold=30.0)))


def lived_in(tmp_path: Path, models: Path) -> tuple[Path, Config]:
    """A state directory with clips, recordings, a replay memory and a log about Anna and Bruno."""
    kept(tmp_path, [9.0, -5.0])
    for person in ("Anna", "Bruno"):
        folder = tmp_path / "recordings" / "allowed" / person / "2026-01-01"
        folder.mkdir(parents=True)
        (folder / "a.wav").write_bytes(b"sound")
    (tmp_path / "clips" / f"20260101T180000.000000-9-{safe('Bruno')}-refuse.wav").write_bytes(b"sound")
    (tmp_path / "replay.npz").write_bytes(b"prints")
    log = sink(tmp_path / "events.db")
    for event in Bench([loud(3.2), quiet(15)], [9.0]).hear().events.events:
        log.record(event)
    log.close()
    return tmp_path / "events.db", config(models, schedule=(ScheduleConfig(person="Anna"),))


def everything(log: Path) -> str:
    """Every byte of the log's files, free pages and the write-ahead log included."""
    return "".join(path.read_bytes().decode(errors="replace") for path in sorted(log.parent.glob(f"{log.name}*")))


def test_forgetting_removes_a_persons_files_and_name_and_leaves_the_others(tmp_path: Path, models: Path) -> None:
    log, asked = lived_in(tmp_path, models)
    told = forget_person("Anna", asked, state=tmp_path, events=log, now=NOW)
    assert told.lines >= 2
    assert "Anna" not in everything(log)
    assert "Bruno" in everything(log)
    assert told.pseudonym in everything(log)
    assert not (tmp_path / "recordings" / "allowed" / "Anna").exists()
    assert (tmp_path / "recordings" / "allowed" / "Bruno").exists()
    assert not (tmp_path / "replay.npz").exists()
    assert [path.name.split("-")[2] for path in (tmp_path / "clips").iterdir()] == ["Bruno"]
    assert any("[[schedule]]" in each for each in told.remains)
    assert any("journal" in each for each in told.remains)


def test_after_forgetting_the_chain_is_whole_says_so_and_goes_on(tmp_path: Path, models: Path) -> None:
    log, asked = lived_in(tmp_path, models)
    before = verdict(log)
    running = sink(log)
    running.record(spoken(1))
    forget_person("Anna", asked, state=tmp_path, events=log, now=NOW)
    assert "Anna" not in everything(log), "nor in what a daemon that runs has beside it"
    running.record(spoken(2))
    found = verdict(log)
    assert found.problems == []
    (note,) = found.notes
    assert "forgotten" in note.what
    assert found.lines == before.lines + 3
    assert kinds(log)[-2:] == ["forgotten", "speech"]


def test_forgetting_does_not_whitewash_a_log_that_was_tampered_with(tmp_path: Path, models: Path) -> None:
    log, asked = lived_in(tmp_path, models)
    change(log, "DELETE FROM events WHERE n = 2 OR n = (SELECT max(n) FROM events)")
    forget_person("Anna", asked, state=tmp_path, events=log, now=NOW)
    problems = " ".join(str(each) for each in verdict(log).problems)
    assert "missing" in problems
    assert "problems_before" in problems
    assert "Anna" not in everything(log)


def test_what_was_set_aside_goes_where_the_name_is_in_it(tmp_path: Path, models: Path) -> None:
    log, asked = lived_in(tmp_path, models)
    aside = [log.with_name("events.db.damaged-1"), log.with_name("events.db.damaged-1-wal")]
    aside[0].write_bytes(b"SQLite format 3\0 ... Bruno")
    aside[1].write_bytes(b'\x37\x7f {"resident": "Anna"')
    forget_person("Anna", asked, state=tmp_path, events=log, now=NOW)
    assert [path.exists() for path in aside] == [True, False]


def test_a_name_that_is_part_of_another_or_of_a_word_is_left_alone(tmp_path: Path, models: Path) -> None:
    log, asked = lived_in(tmp_path, models)
    before = lines(log)
    told = forget_person("Ann", asked, state=tmp_path, events=log, now=NOW)
    assert told.lines == 0
    assert lines(log) == before
    told = forget_person("open", asked, state=tmp_path, events=log, now=NOW)
    assert any('"outcome": "open"' in line for line in lines(log))


def test_names_with_odd_letters_find_their_own_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for person in ("Zoë-Ann", "Zoë", "a*b", "a b"):
        (folder / f"20260101T180000.000000-1-{safe(person)}-open.wav").touch()
    for person in ("Zoë-Ann", "Zoë", "a*b", "a b"):
        assert len(files_of(tmp_path, person)) == 1


@pytest.mark.parametrize("person", ["", "  ", "..", "a/b", "../../etc"])
def test_what_is_no_name_is_refused(person: str, tmp_path: Path, models: Path) -> None:
    with pytest.raises(DataError, match="not a person"):
        forget_person(person, config(models), state=tmp_path, events=tmp_path / "e", now=NOW)


def test_a_link_is_removed_and_not_followed(tmp_path: Path, models: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (tmp_path / "state" / "recordings" / "allowed").mkdir(parents=True)
    (tmp_path / "state" / "recordings" / "allowed" / "Anna").symlink_to(outside)
    forget_person("Anna", config(models), state=tmp_path / "state", events=tmp_path / "e", now=NOW)
    assert (outside / "precious").exists()
    assert not (tmp_path / "state" / "recordings" / "allowed" / "Anna").is_symlink()


def test_the_command_tells_what_it_did(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lived_in(tmp_path, models)
    path = tmp_path / "c.toml"
    path.write_text(f'[relay]\npin = 17\n[model]\nbundle = "{models}"\n')
    assert cli.main(["forget", "Anna", "--config", str(path), "--state-dir", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lines"] >= 2
    assert len(told["files"]) == 4
    assert cli.main(["forget", "Bruno", "--config", str(path), "--state-dir", str(tmp_path)]) == 0
    assert "removed" in capsys.readouterr().out
