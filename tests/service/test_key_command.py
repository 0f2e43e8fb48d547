"""``voicelatch key``: make, sign, trust, list."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from device.service import cli
from device.verdict.bundle import REQUIRED, load_bundle, read_folder, write_bundle
from device.verdict.trusted_keys import read_trusted
from tests.conftest import ROOT


@pytest.fixture
def key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert cli.main(["key", "make", str(tmp_path / "door.key"), "--name", "kitchen"]) == 0
    capsys.readouterr()
    return tmp_path / "door.key"


def test_a_key_is_made_for_its_owner_alone_and_never_over_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "door.key"
    before = os.umask(0)
    try:
        assert cli.main(["key", "make", str(path)]) == 0
    finally:
        os.umask(before)
    said = capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "door.key.pub").stat().st_mode) == 0o644
    line = (tmp_path / "door.key.pub").read_text().strip()
    assert said.splitlines()[-1] == line
    assert line.endswith(" door")
    assert path.read_text().split()[1] not in said
    content = path.read_bytes()
    assert cli.main(["key", "make", str(path)]) == 73
    (tmp_path / "door.key.pub").unlink()
    assert cli.main(["key", "make", str(path)]) == 73
    assert path.read_bytes() == content
    assert sorted(each.name for each in tmp_path.iterdir()) == ["door.key"]


def test_a_link_in_a_key_s_place_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    for link in ("a.key", "b.key.pub"):
        (tmp_path / link).symlink_to(victim)
    assert cli.main(["key", "make", str(tmp_path / "a.key")]) == 73
    assert cli.main(["key", "make", str(tmp_path / "b.key")]) == 73
    assert not victim.exists()
    assert not (tmp_path / "b.key").exists()


def test_a_bundle_is_signed_trusted_and_then_loads(
    tmp_path: Path, models: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / "models/demo", read_folder(models / "demo", REQUIRED))
    (tmp_path / "models/current").write_text("demo\n")
    trusted = tmp_path / "trusted_keys"
    assert cli.main(["key", "sign", str(tmp_path / "models"), "--key", str(key)]) == 0
    assert cli.main(["key", "trust", f"{key}.pub", "--trusted-keys", str(trusted)]) == 0
    (known,) = read_trusted(trusted)
    assert known.comment == "kitchen"
    assert load_bundle(tmp_path / "models", keys=(known,)).signed_by == known.id
    assert sorted(each.name for each in (tmp_path / "models").iterdir()) == ["current", "demo"]
    assert known.id in capsys.readouterr().out
    assert cli.main(["key", "sign", str(tmp_path), "--key", str(key)]) == 65
    assert cli.main(["key", "sign", str(tmp_path / "models"), "--key", str(tmp_path / "absent")]) == 78


@pytest.mark.parametrize("as_words", [True, False])
def test_a_line_is_added_once_whole_and_what_stood_there_stays(
    tmp_path: Path, key: Path, as_words: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    trusted, line = tmp_path / "trusted_keys", Path(f"{key}.pub").read_text().strip()
    trusted.write_text("# ours\n")
    words = line.split() if as_words else [line]
    for said in ("reload the daemon", "trusted already"):
        assert cli.main(["key", "trust", *words, "--trusted-keys", str(trusted)]) == 0
        assert said in capsys.readouterr().out
    assert trusted.read_text() == f"# ours\n{line}\n"
    assert stat.S_IMODE(trusted.stat().st_mode) == 0o644
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(".new")]


def test_a_file_that_ends_without_a_line_s_end_keeps_its_last_line(tmp_path: Path, key: Path) -> None:
    assert cli.main(["key", "make", str(tmp_path / "second.key")]) == 0
    trusted = tmp_path / "trusted_keys"
    trusted.write_text(Path(f"{key}.pub").read_text().strip())
    assert cli.main(["key", "trust", str(tmp_path / "second.key.pub"), "--trusted-keys", str(trusted)]) == 0
    assert [each.comment for each in read_trusted(trusted)] == ["kitchen", "second"]


def test_every_trusted_key_has_a_name_of_its_own(tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = ["--trusted-keys", str(tmp_path / "trusted_keys")]
    nameless = " ".join(Path(f"{key}.pub").read_text().split()[:2])
    assert cli.main(["key", "trust", nameless, *trusted]) == 78
    assert "--name NAME" in capsys.readouterr().err
    assert cli.main(["key", "trust", nameless, "--name", "front door", *trusted]) == 0
    assert cli.main(["key", "make", str(tmp_path / "other.key"), "--name", "front door"]) == 0
    assert cli.main(["key", "trust", str(tmp_path / "other.key.pub"), *trusted]) == 78
    assert "another key has this name" in capsys.readouterr().err
    for bad in ("two\nlines", "x" * 101, "\x1b[2J"):
        assert cli.main(["key", "trust", str(tmp_path / "other.key.pub"), "--name", bad, *trusted]) == 78
        assert cli.main(["key", "make", str(tmp_path / "third.key"), "--name", bad]) == 78
    assert len(read_trusted(tmp_path / "trusted_keys")) == 1


def test_a_private_key_given_by_mistake_is_neither_trusted_nor_repeated(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = key.read_text().split()[1]
    for given in ([str(key)], key.read_text().split()):
        assert cli.main(["key", "trust", *given, "--trusted-keys", str(tmp_path / "trusted_keys")]) == 78
        said = capsys.readouterr().err
        assert "this is the private key" in said
        assert secret not in said
    assert not (tmp_path / "trusted_keys").exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/passwd", path),
                                  lambda path: path.write_text("root:x:0:0\n")])  # fmt: skip
def test_what_is_no_list_of_keys_is_left_as_it_is(
    tmp_path: Path, key: Path, make: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "trusted_keys")
    kind = (tmp_path / "trusted_keys").lstat().st_mode
    assert cli.main(["key", "trust", f"{key}.pub", "--trusted-keys", str(tmp_path / "trusted_keys")]) == 78
    assert "root:" not in capsys.readouterr().err
    assert (tmp_path / "trusted_keys").lstat().st_mode == kind


def test_the_list_says_whom_the_door_trusts(tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trusted, config = tmp_path / "trusted_keys", tmp_path / "door.toml"
    head = f'[relay]\npin = 17\n[model]\nbundle = "models"\ntrusted_keys_file = "{trusted}"\n'
    config.write_text(head)
    assert cli.main(["key", "list", "--config", str(config)]) == 0
    assert "no key is trusted" in capsys.readouterr().out
    assert cli.main(["key", "trust", f"{key}.pub", "--trusted-keys", str(trusted)]) == 0
    config.write_text(f"{head}allow_unsigned = true\n")
    capsys.readouterr()
    assert cli.main(["key", "list", "--config", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["allow_unsigned"], [each["name"] for each in told["keys"]]) == (True, ["kitchen"])
    assert cli.main(["key", "list", "--trusted-keys", str(trusted)]) == 0
    assert f"{told['keys'][0]['id']}  kitchen" in capsys.readouterr().out
    assert cli.main(["key", "list", "--config", str(tmp_path / "absent")]) == 78


def test_what_runs_the_door_loads_nothing_that_signs() -> None:
    code = "import sys, device.service.daemon; sys.exit('device.verdict.signing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
