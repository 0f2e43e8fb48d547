"""Whoever is forgotten is told which older bundles still know the voice; they go where that is asked for."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from device.errors import StateError
from device.service import cli
from device.service.older_bundles import bundles_that_know, remove_bundles


@pytest.fixture
def shelf(tmp_path: Path, models: Path) -> Path:
    """``now`` is in service; two older ones know Anna, one of them is damaged; one knows Zoë; one is no bundle."""
    folder = tmp_path / "models"
    for name in ("now", "old-1", "old-2", "others"):
        shutil.copytree(models / "demo", folder / name)
    (folder / "old-2/head.npz").write_bytes(b"damaged")
    (folder / "old-2/SHA256SUMS").unlink()
    manifest = json.loads((folder / "others/manifest.json").read_text()) | {"residents": ["Zoe\u0308"]}
    (folder / "others/manifest.json").write_text(json.dumps(manifest))
    (folder / "backbone").mkdir()
    (folder / "current").write_text("now\n")
    return folder


def forget(shelf: Path, person: str, *more: str) -> int:
    path, state = shelf.parent / "c.toml", shelf.parent / "state"
    state.mkdir(exist_ok=True)
    path.write_text(f'[relay]\npin = 17\n[model]\nbundle = "{shelf}"\n')
    return cli.main(["forget", person, "--config", str(path), "--state-dir", str(state), *more])


def folders(shelf: Path) -> set[str]:
    return {each.name for each in shelf.iterdir() if each.is_dir() and not each.is_symlink()}


def test_older_bundles_are_named_with_the_command_that_removes_them(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forget(shelf, "Anna") == 0
    said = capsys.readouterr().err
    assert "know this voice: old-1, old-2" in said
    assert "sudo voicelatch forget Anna --older-bundles" in said
    assert folders(shelf) == {"now", "old-1", "old-2", "others", "backbone"}


def test_they_go_when_asked_for_and_the_one_in_service_stays(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forget(shelf, "Anna", "--older-bundles", "--json") == 0
    told = json.loads(capsys.readouterr().out)["older_bundles"]
    assert told["removed"] == [str(shelf / "old-1"), str(shelf / "old-2")]
    assert folders(shelf) == {"now", "others", "backbone"}
    assert forget(shelf, "Anna", "--older-bundles") == 0
    assert folders(shelf) == {"now", "others", "backbone"}


def test_a_name_is_the_same_however_its_letters_were_typed(shelf: Path) -> None:
    assert bundles_that_know("Zo\u00eb", shelf).names == ("others",)
    assert bundles_that_know("Nobody", shelf).names == ()


@pytest.mark.parametrize(("answer", "gone"), [("y\n", True), ("n\n", False), ("", False)])
def test_on_a_terminal_it_is_asked(shelf: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gone: bool) -> None:
    typed = io.StringIO(answer)
    typed.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", typed)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert forget(shelf, "Anna") == 0
    assert ("old-1" not in folders(shelf)) is gone


@pytest.mark.parametrize("named", ["", "current", "now"])
def test_however_the_configuration_names_it_the_one_in_service_is_never_among_them(shelf: Path, named: str) -> None:
    assert bundles_that_know("Anna", shelf / named).names == ("old-1", "old-2")


def test_a_bundle_that_came_into_service_meanwhile_is_not_removed(shelf: Path) -> None:
    known = bundles_that_know("Anna", shelf)
    (shelf / "current").write_text("old-1\n")
    with pytest.raises(StateError, match="in service by now"):
        remove_bundles(known)
    assert folders(shelf) >= {"now", "old-1"}


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("gone\n"), os.mkfifo])
def test_where_it_is_not_known_what_is_in_service_nothing_is_offered(
    shelf: Path, spoil: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    if spoil is os.mkfifo:
        (shelf / "current").unlink()
    spoil(shelf / "current")
    assert forget(shelf, "Anna", "--older-bundles") == 0
    assert "old-1" in folders(shelf)
    assert bundles_that_know("Anna", shelf).problem


def test_no_link_is_followed_to_what_is_read_or_removed(shelf: Path, tmp_path: Path) -> None:
    outside = Path(shutil.copytree(shelf / "old-1", tmp_path / "outside"))
    (shelf / "linked").symlink_to(outside)
    (shelf / "reads").mkdir()
    (shelf / "reads/manifest.json").symlink_to(outside / "manifest.json")
    shutil.rmtree(shelf / "old-2")
    (shelf / "old-1/further").symlink_to(outside)
    known = bundles_that_know("Anna", shelf)
    assert (known.names, known.problem) == (("old-1",), "reads cannot be looked at")
    remove_bundles(known)
    assert (outside / "manifest.json").exists()
    assert not (shelf / "old-1").exists()


def test_a_folder_s_name_moves_nobody_s_cursor(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shelf / "old-1").rename(shelf / "old\x1b]0;all is well\a")
    (shelf / "old-2").rename(shelf / "older\x9b2J")
    assert forget(shelf, "Anna") == 0
    assert forget(shelf, "Anna", "--older-bundles") == 0
    said = capsys.readouterr()
    assert not {"\x1b", "\a", "\x9b"} & {*said.out, *said.err}
    assert "old?]0;all is well?" in said.err
    assert "old?]0;all is well?" in said.out


def test_what_could_not_be_looked_at_is_said_also_where_the_others_are_removed(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shelf / "old-1/manifest.json").write_text("{")
    assert forget(shelf, "Anna", "--older-bundles") == 0
    assert "further bundles may know this voice: old-1 cannot be looked at" in capsys.readouterr().err


def test_without_the_right_to_it_the_command_is_said(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(StateError, match=r"Permission denied[\s\S]*sudo voicelatch forget NAME --older-bundles"):
        remove_bundles(bundles_that_know("Anna", shelf))


def test_a_path_in_an_error_moves_nobody_s_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "\x1b]0;all is well\a.toml"
    config.write_text("[relay]\npin = 'x'\n")
    assert cli.main(["check", "--simulate", "--config", str(config)]) == 78
    assert cli.main(["forget", "Anna", "--config", str(config)]) == 78
    said = capsys.readouterr()
    assert not {"\x1b", "\a"} & {*said.out, *said.err}
    assert "\n" in said.err.strip()
