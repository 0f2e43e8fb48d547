"""The daemon writes the log while another process looks at it or changes it: nothing is lost, nothing set aside."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.ports import Event
from device.service import cli
from device.service.event_reader import EventReader
from device.service.forget import forget_in_log
from device.service.log_files import LogFiles
from tests.conftest import ROOT
from tests.event_logs import kinds, lines, sink, spoken, told, verdict

COMMANDS = {
    "list": ["events", "list"],
    "why": ["events", "why", "5"],
    "verify": ["events", "verify"],
    "export": ["events", "export", "--csv", "-"],
    "review": ["events", "review", "--state-dir", "STATE"],
    "status": ["status"],
    "check": ["check", "--simulate"],
    "forget": ["forget", "Anna", "--state-dir", "STATE"],
}
# Runs the same command again and again, each time in the way of the command line.
AGAIN = """
import sys
from device.service import cli
for _ in range(int(sys.argv[1])):
    cli.main(sys.argv[2:])
"""
# Every page opens the log for itself, on its own thread.
PAGES = """
import sys, threading
from pathlib import Path
from device.service.event_reader import EVERYTHING, EventReader
def look():
    for _ in range(25):
        with EventReader(Path(sys.argv[1])) as reader:
            assert reader.latest(500, EVERYTHING) is not None
            reader.get(3)
threads = [threading.Thread(target=look) for _ in range(4)]
[each.start() for each in threads]
[each.join() for each in threads]
"""


NOW = datetime(2026, 2, 1, tzinfo=UTC)


def opened(person: str) -> Event:
    details = {"outcome": "open", "resident": person}
    return Event(kind="decision", at_seconds=1.0, wall_time=datetime(2026, 1, 2, tzinfo=UTC), details=details)


def everything(folder: Path) -> str:
    return "".join(path.read_bytes().decode(errors="replace") for path in folder.glob("events.db*"))


class Writer:
    """The daemon's side, in a process of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        command = [sys.executable, "-m", "tests.event_log_writer", str(path)]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self) -> list[int]:
        """Have it end; how many events it wrote, and how many it lost."""
        result, _ = self.process.communicate(timeout=120)
        return [int(each) for each in result.split()]


@pytest.fixture
def state(tmp_path: Path, models: Path) -> Path:
    """A state directory with a configuration."""
    (tmp_path / "c.toml").write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n'
                                     f'[events]\npath = "{tmp_path / "events.db"}"\n')  # fmt: skip
    return tmp_path


@contextmanager
def a_writer(state: Path) -> Iterator[Writer]:
    """Afterwards everything it wrote is there, in order, in a chain that verifies."""
    writer = Writer(state / "events.db")
    try:
        yield writer
        count, lost = writer.end()
    finally:
        writer.process.kill()
        writer.process.wait()
    assert lost == 0
    assert [each["number"] for each in told(writer.path) if "number" in each] == list(range(count))
    assert verdict(writer.path).problems == []
    assert not {"chain_cut", "file_damaged", "events_lost"} & set(kinds(writer.path))
    assert [path.name for path in state.glob("*.damaged-*")] == []


def again(state: Path, command: list[str], times: int) -> subprocess.Popen[str]:
    arguments = [str(state) if each == "STATE" else each for each in command]
    config = ["--config", str(state / "c.toml")] if command[0] != "status" else []
    return subprocess.Popen([sys.executable, "-c", AGAIN, str(times), *arguments, *config], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_runs_again_and_again_costs_the_daemon_no_event(name: str, state: Path) -> None:
    with a_writer(state):
        command = again(state, COMMANDS[name], 2 if name == "check" else 8)
        result, _ = command.communicate(timeout=120)
        assert "Traceback" not in result
        assert "PROBLEM" not in result
    if name == "forget":
        assert kinds(state / "events.db").count("forgotten") >= 2


def test_following_costs_the_daemon_no_event_and_shows_every_one(state: Path) -> None:
    with a_writer(state):
        follower = again(state, ["events", "follow", "--json", "--last", "10000"], 1)
        assert follower.stdout is not None
        seen = []
        while 199 not in seen:
            seen.append(json.loads(follower.stdout.readline()).get("number"))
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=60)
    assert seen == list(range(len(seen)))


def test_readers_in_several_threads_cost_the_daemon_no_event(state: Path) -> None:
    with a_writer(state):
        done = subprocess.run([sys.executable, "-c", PAGES, state / "events.db"], cwd=ROOT, capture_output=True,
                              text=True, check=False, timeout=120)  # fmt: skip
        assert done.stderr == ""


def test_two_commands_at_once_that_change_the_log_cost_no_event(state: Path) -> None:
    with a_writer(state):
        commands = [again(state, ["forget", name, "--state-dir", "STATE"], 5) for name in ("Anna", "Bruno")]
        commands += [again(state, ["events", "verify"], 8)]
        for command in commands:
            result, _ = command.communicate(timeout=120)
            assert "Traceback" not in result
            assert "PROBLEM" not in result
    assert cli.main(["forget", "Anna", "--state-dir", str(state), "--config", str(state / "c.toml")]) == 0
    assert cli.main(["forget", "Bruno", "--state-dir", str(state), "--config", str(state / "c.toml")]) == 0
    assert "Anna" not in everything(state)
    assert "Bruno" not in everything(state)


def test_a_forget_that_is_killed_at_any_moment_costs_no_event(state: Path) -> None:
    with a_writer(state):
        for number in range(12):
            command = again(state, ["forget", ("Anna", "Bruno")[number % 2], "--state-dir", "STATE"], 20)
            try:
                command.wait(timeout=0.9 + number * 0.05)
            except subprocess.TimeoutExpired:
                command.kill()
            command.communicate()


def test_a_forget_that_died_before_the_head_was_written_is_no_problem_and_is_finished_by_the_next(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = state / "events.db"
    running = sink(log)
    for event in (opened("Anna"), opened("Bruno")):
        running.record(event)

    def struck(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("device.service.forget.write_head", struck)
        with pytest.raises(KeyboardInterrupt):
            forget_in_log(LogFiles(log), "Anna", "person-1", now=NOW)
    assert kinds(log)[-1] == "forgotten"
    assert verdict(log).problems == []
    assert "Anna" in everything(state), "in the write-ahead log"
    assert forget_in_log(LogFiles(log), "Anna", "person-2", now=NOW) == 0
    assert "Anna" not in everything(state)
    running.record(spoken(1))
    assert verdict(log).problems == []


@pytest.mark.parametrize("fails_in", ["the transaction", "the write-ahead log's end"])
def test_a_disk_that_is_full_during_forget_leaves_a_whole_log_and_the_daemon_goes_on(
    state: Path, fails_in: str
) -> None:
    small = state / "small"
    small.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", small], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    try:
        log = small / "events.db"
        running = sink(log)
        for _ in range(150):
            running.record(opened("Anna"))
        if fails_in == "the transaction":
            # A write-ahead log that has to grow.
            running.close()
            running.record(opened("Anna"))
        before = lines(log)
        (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 8192))
        with pytest.raises(sqlite3.OperationalError, match=r"full|I/O"):
            forget_in_log(LogFiles(log), "Anna", "person-1", now=NOW)
        assert (lines(log) == before) == (fails_in == "the transaction")
        assert verdict(log).problems == []
        (small / "filler").unlink()
        running.record(spoken(1))
        assert running.lost == 0
        forget_in_log(LogFiles(log), "Anna", "person-1", now=NOW)
        assert "Anna" not in everything(small)
        running.record(spoken(2))
        assert verdict(log).problems == []
        assert list(small.glob("*.damaged-*")) == []
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


def test_no_file_of_the_log_is_opened_while_sqlite_has_it(state: Path) -> None:
    """Closing it would drop SQLite's locks: this is how events were lost."""
    log = state / "events.db"
    running = sink(log)
    running.record(opened("Anna"))
    opened_files: list[str] = []
    sys.addaudithook(lambda name, values: opened_files.append(str(values[0])) if name == "open" else None)
    running.record(opened("Bruno"))
    forget_in_log(LogFiles(log), "Anna", "person-1", now=NOW)
    with EventReader(log) as reader:
        reader.verdict()
        list(reader.all())
    running.record(spoken(1))
    sink(log).record(spoken(2))
    assert {Path(name).name for name in opened_files if name.startswith(str(log))} <= {
        "events.db.head", "events.db.lock", "events.db.head.new",
    }  # fmt: skip
