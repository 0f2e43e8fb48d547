"""Which doors a command line and an inventory mean, and what is refused before any door is touched."""

import argparse
import subprocess
from pathlib import Path
from typing import Any

import pytest

from device.errors import ConfigError
from training.deploy.command import add_parser, doors_of
from training.deploy.door import Door
from training.deploy.inventory import DoorSettings, read_inventory
from training.deploy.remote import Remote

TWO = (
    '[doors.porch]\nhost = "pi@porch"\nkeep = 5\n[doors.cellar]\nhost = "fe80::1%eth0"\noptions = ["ProxyJump=gate"]\n'
)


def doors(*arguments: str) -> list[Door]:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return doors_of(parser.parse_args(["deploy", *arguments]))


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    path = tmp_path / "doors.toml"
    path.write_text(TWO)
    return str(path)


def test_an_inventory_gives_typed_doors_and_the_rest_by_default(inventory: str) -> None:
    read = read_inventory(Path(inventory))
    assert read == {
        "porch": DoorSettings(host="pi@porch", keep=5),
        "cellar": DoorSettings(host="fe80::1%eth0", options=("ProxyJump=gate",)),
    }
    assert read["porch"].privileged_command == "sudo -n /opt/voicelatch/bin/deploy"


def test_without_names_the_whole_inventory_is_meant_with_names_those_and_hosts_beside_them(inventory: str) -> None:
    assert [each.name for each in doors("--inventory", inventory)] == ["porch", "cellar"]
    assert [each.name for each in doors("cellar", "pi@gate", "--inventory", inventory)] == ["cellar", "pi@gate"]
    assert [each.settings.host for each in doors("pi@one", "two")] == ["pi@one", "two"]


def test_the_command_line_goes_before_the_inventory(inventory: str) -> None:
    (porch, cellar) = doors("--inventory", inventory, "--keep", "9", "--option", "User=pi", "--port", "2222")
    assert (porch.settings.keep, cellar.settings.keep) == (9, 9)
    assert (porch.settings.port, cellar.settings.options) == (2222, ("User=pi",))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["pi@a", "pi@a"],
        ["pi@a", "root@a"],
        ["--", "-oProxyCommand=x"],
        ["pi@-oProxyCommand=x"],
        ["pi@a b"],
        ["pi@a;b"],
        [""],
        ["pi@a", "--parallel", "0"],
        ["pi@a", "--keep", "1"],
        ["pi@a", "--port", "70000"],
        ["pi@a", "--folder", "here"],
        ["pi@a", "--python=-c"],
        ["pi@a", "--option", "Port"],
        ["pi@a", "--health-seconds", "nan"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        doors(*arguments)


def test_an_option_for_ssh_is_not_a_host_for_the_parser_either() -> None:
    with pytest.raises(SystemExit) as caught:
        doors("-oProxyCommand=x")
    assert caught.value.code == 2


def test_a_misspelt_name_is_not_taken_for_a_host(inventory: str) -> None:
    with pytest.raises(ConfigError, match="porch, cellar"):
        doors("prch", "--inventory", inventory)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an inventory"),
        ("[doors", "TOML"),
        ('[doors.a]\nhost = "a"\n[other]\n', "doors, other"),
        ("doors = 5", "not an inventory"),
        ("[doors]\na = 5", "host: missing"),
        ('[doors.a]\nhost = "-oProxyCommand=x"', "-oProxyCommand=x"),
        ('[doors.a]\nhost = "a"\nport = "22"', "expected int"),
        ('[doors."a b"]\nhost = "a"', "a b"),
        ('[doors.a]\nhost = "a"\nkep = 4', "did you mean 'keep'"),
        ('[doors.a]\nhost = "a"\nprivileged_command = " "', "nothing to run"),
    ],
)
def test_an_inventory_that_is_wrong_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "doors.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_inventory(path)


def test_all_problems_of_an_inventory_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "doors.toml"
    path.write_text('[doors.a]\nhost = "-a"\n[doors.b]\nkeep = 0\n')
    with pytest.raises(ConfigError) as caught:
        read_inventory(path)
    said = str(caught.value)
    assert "[doors.a]" in said
    assert "[doors.b]" in said
    with pytest.raises(ConfigError, match="no such file"):
        read_inventory(tmp_path / "absent.toml")


def test_ssh_never_asks_and_a_person_s_options_come_before_ours_but_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        called.append(command)
        return subprocess.CompletedProcess(command, 0, b"a banner\nvoicelatch-answer\n42\n", b"")

    monkeypatch.setattr(subprocess, "run", run)
    settings = DoorSettings(host="pi@a", port=2222, identity="~/key", options=("ConnectTimeout=3",), folder="/a b")
    assert Remote(settings).run("true") == "42\n"
    (command,) = called
    values = [command[index + 1] for index, part in enumerate(command) if part == "-o"]
    assert values[:3] == ["BatchMode=yes", "ConnectTimeout=3", "ConnectTimeout=10"]
    assert command[-3:-1] == ["--", "pi@a"]
    assert command[command.index("-p") + 1] == "2222"
    assert str(Path.home() / "key") in command
    # The folder is quoted for the script, and the script once more for the login shell.
    assert "cd -- '\"'\"'/a b'\"'\"'" in command[-1]
