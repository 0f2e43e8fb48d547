"""Whoever reads a command's output may stop reading, as `head` does: it ends quietly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.event_logs import sink, spoken

COMMANDS = (
    ["events", "list"], ["events", "list", "--json"], ["events", "follow"], ["events", "export", "--csv", "-"],
    ["events", "verify"], ["events", "why", "5"], ["events", "list", "--kind", "nothing"], ["status"], ["--help"],
    ["config", "explain"], ["check", "--simulate"], ["forget", "Anna"],
)  # fmt: skip


@pytest.fixture
def arguments(tmp_path: Path, models: Path) -> list[str]:
    log = sink(tmp_path / "events.db")
    for number in range(3000):
        log.record(spoken(number))
    log.close()
    (tmp_path / "c.toml").write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n'
                                     f'[events]\npath = "{tmp_path / "events.db"}"\n')  # fmt: skip
    return ["--config", str(tmp_path / "c.toml")]


def options(command: list[str], arguments: list[str]) -> list[str]:
    return arguments if command[0] in ("events", "check", "forget") and "--help" not in command else []


def run(*command: str, stdout: int, stderr: int = subprocess.PIPE, module: str = "device") -> tuple[int, str]:
    # Unbuffered, there is nothing left to hand over at the end.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-m", module, *command], cwd=ROOT, stdout=stdout, stderr=stderr, text=True,
                          check=False, timeout=60, env=environment)  # fmt: skip
    return done.returncode, done.stderr or ""


def unread() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_whose_output_nobody_reads_ends_without_a_word(command: list[str], arguments: list[str]) -> None:
    writing = unread()
    try:
        code, errors = run(*command, *options(command, arguments), stdout=writing)
    finally:
        os.close(writing)
    assert "Traceback" not in errors
    assert "defect" not in errors
    assert "BrokenPipe" not in errors
    assert code in (141, 0, 2, 66, 69), errors


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[6], ["status"], ["no-such-command"]], ids=" ".join)
def test_so_it_does_where_nobody_reads_its_errors_either(command: list[str], arguments: list[str]) -> None:
    writing = unread()
    try:
        code, _ = run(*command, *options(command, arguments), stdout=writing, stderr=writing)
    finally:
        os.close(writing)
    assert code in (141, 0, 2), code


@pytest.mark.parametrize("command", [["events", "list"], ["events", "follow"]], ids=" ".join)
def test_after_the_first_line_was_read_the_rest_is_not_missed(command: list[str], arguments: list[str]) -> None:
    with subprocess.Popen([sys.executable, "-m", "device", *command, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert "speech" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr.read() == ""


def test_without_any_output_at_all_it_does_its_work(arguments: list[str]) -> None:
    command = " ".join([sys.executable, "-m", "device", "events", "list", *arguments])
    assert subprocess.run(f"{command} >&- 2>&-", shell=True, cwd=ROOT, check=False, timeout=60).returncode == 0


def test_a_full_disk_under_the_output_is_one_message_and_a_code(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        code, errors = run("events", "verify", *arguments, stdout=full.fileno())
    assert code == 73
    assert "cannot be written" in errors
    assert "Traceback" not in errors


def test_the_workshop_ends_quietly_too() -> None:
    writing = unread()
    try:
        code, errors = run("--help", stdout=writing, module="training")
    finally:
        os.close(writing)
    assert (code, errors) == (141, "")
