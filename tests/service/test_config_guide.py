"""What `config explain` says is what the example says, about every key there is, and what the classes allow."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.service import cli
from device.service.config import Config, MicrophoneConfig, ModelConfig, RelayConfig, read_config
from device.service.config_command import MASK, shown
from device.service.config_guide import as_toml, comments_in, example_text, find, guide
from device.service.schedule import ScheduleConfig
from tests.conftest import ROOT

EXAMPLE = ROOT / "systemd/voicelatch.toml"
GUIDE = guide()


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = cli.main(["config", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_text_is_that_of_the_example_which_is_installed_with_the_program() -> None:
    assert example_text() == EXAMPLE.read_text()
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "voicelatch.toml" in packaged["device.service"]
    installed = (ROOT / "systemd/install/program.sh").read_text()
    assert 'cp -rL "$here/device"' in installed, "a link would lead nowhere there"


def test_the_example_holds_every_key_and_no_other() -> None:
    assert set(comments_in(EXAMPLE.read_text())) == set(GUIDE)


@pytest.mark.parametrize("key", GUIDE)
def test_every_key_has_a_text_that_is_its_own_or_names_it(key: str) -> None:
    comment = comments_in(EXAMPLE.read_text())[key]
    assert len(comment.text) > 20
    if key != comment.keys[0]:
        assert key.split(".")[1] in comment.text, f"the comment above {comment.keys[0]} does not speak of {key}"


@pytest.mark.parametrize("key", [key for key in GUIDE if not key.startswith("schedule.")])
def test_the_example_shows_the_default(key: str) -> None:
    if GUIDE[key].default:
        assert tomllib.loads(f"a = {comments_in(EXAMPLE.read_text())[key].value}") == tomllib.loads(
            f"a = {GUIDE[key].default}"
        )


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("relay.open_seconds", "0.2 to 10"),
        ("relay.pin", "0 to 27"),
        ("relay.guardian", "absolute, or empty"),
        ("model.runtime", "auto, ai-edge-litert, tflite-runtime"),
        ("schedule.after", "HH:MM, 00:00 to 24:00"),
        ("microphone.device", ""),
        ("mqtt.ca_file", ""),
    ],
)
def test_what_a_key_may_hold_comes_from_its_class(key: str, allowed: str) -> None:
    assert GUIDE[key].allowed == allowed


def test_a_comment_belongs_to_the_keys_below_it_until_the_next() -> None:
    found = comments_in(
        "# About a\n# and b.\n[t]\n# One.\na = 1\nb = 2\n# Two.\nc = 3\n\n# Of the table.\n# [[u]]\n# d = 4\n"
    )
    assert {key: (each.text, each.keys, each.value) for key, each in found.items()} == {
        "t.a": ("One.", ("t.a", "t.b"), "1"), "t.b": ("One.", ("t.a", "t.b"), "2"), "t.c": ("Two.", ("t.c",), "3"),
        "u.d": ("Of the table.", ("u.d",), "4"),
    }  # fmt: skip


def test_explain_says_kind_limits_default_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "explain", "relay.open_seconds")
    assert code == 0
    for part in ("a number, 0.2 to 10; default 3.0", "holds the latch"):
        assert part in said
    assert run(capsys, "explain", "open_seconds")[1] == said
    assert "must be set" in run(capsys, "explain", "relay.pin")[1]
    (told,) = json.loads(run(capsys, "explain", "relay.open_seconds", "--json")[1])
    assert (told["key"], told["default"]) == ("relay.open_seconds", "3.0")
    whole = run(capsys, "explain", "policy")[1]
    assert whole.count("What visits cost") == 1, "a shared text is told once"
    assert "minutes_a_failure" in run(capsys, "explain")[1]


@pytest.mark.parametrize(
    ("asked", "near"),
    [("relay.pinn", "relay.pin"), ("wait_second", "policy.wait_seconds"), ("pin", "relay.pin or button.pin"),
     ("polcy", "policy"), ("zzzzzz", "lists them all")],
)  # fmt: skip
def test_an_unknown_key_suggests_the_nearest(asked: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "explain", asked)
    assert (code, near in said) == (78, True), said
    with pytest.raises(ConfigError):
        find(asked)


CONFIG = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"))


def read_back(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "back.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_what_is_shown_reads_back_as_the_same_configuration(tmp_path: Path) -> None:
    hours = (ScheduleConfig(person="Anna", days=("mon",)), ScheduleConfig(person="Bruno"))
    config = replace(CONFIG, microphone=MicrophoneConfig(device='Zoë\'s "mic" \\ \x7f\t\n'), schedule=hours)
    assert read_back(tmp_path, shown(config, everything=True)) == config
    assert read_back(tmp_path, shown(config, everything=False)) == config
    assert "open_seconds" not in shown(config, everything=False)


@given(st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False),
                 st.text(), st.lists(st.text())))  # fmt: skip
def test_every_value_survives_being_written(value: object) -> None:
    assert tomllib.loads(f"a = {as_toml(value)}") == {"a": value}


def test_show_effective_names_every_key_and_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[relay]\npin = 5\n[model]\nbundle = "models"\n[mqtt]\nuser = "door"\npassword_file = "/etc/p"\n')
    code, said = run(capsys, "show", "--effective", "--config", path)
    assert code == 0
    told = tomllib.loads(said)
    assert {f"{table}.{key}" for table, values in told.items() for key in values} == {
        key for key in GUIDE if not key.startswith("schedule.")
    }
    assert (told["relay"]["pin"], told["mqtt"]["password_file"]) == (5, "/etc/p")
    assert json.loads(run(capsys, "show", "--json", "--config", path)[1])["relay"]["pin"] == 5
    assert tomllib.loads(run(capsys, "show", "--config", path)[1]) == tomllib.loads(path.read_text())


def test_a_secret_is_masked_and_its_absence_is_not() -> None:
    from device.service.config_command import _written

    written = dict(_written({"password": "x", "session_secret": "y", "password_hash": "", "password_file": "/etc/p"}))
    assert written == {"password": f'"{MASK}"', "session_secret": f'"{MASK}"', "password_hash": '""',
                       "password_file": '"/etc/p"'}  # fmt: skip


def test_config_check_is_check(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[relay]\npin = 17\n[model]\nallow_unsigned = true\nbundle = "{models}"\n')
    code, said = run(capsys, "check", "--simulate", "--config", path)
    assert (code, "ok" in said) == (0, True), said
    path.write_text("[relay]\npinn = 1\n")
    code, said = run(capsys, "check", "--simulate", "--config", path)
    assert (code, "did you mean 'pin'" in said) == (78, True), said
