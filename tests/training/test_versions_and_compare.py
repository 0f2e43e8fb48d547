"""Which bundle is in service, what came before, and whether a refresh is worth publishing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import BundleError
from device.verdict.bundle import load_bundle, point_current, read_folder, write_folder
from training.cli import main
from training.compare import Standing, refuse_a_worse_one, why_not_comparable
from training.publish import verify_in_a_fresh_process, write_verified
from training.versions import current_folder, next_sequence, prune, roll_back, versions


def publish(models: Path, shipped: Path, sequence: int, *, name: str = "home", **extra: object) -> Path:
    """The shipped demo under another name and number."""
    files = read_folder(shipped / "demo", ("manifest.json",))
    manifest = json.loads(files["manifest.json"]) | {"name": name, "sequence": sequence, **extra}
    folder = models / f"{name}-{sequence}"
    write_folder(folder, files | {"manifest.json": json.dumps(manifest).encode()})
    return folder


@pytest.fixture
def shelf(tmp_path: Path, models: Path) -> Path:
    """Three versions of ``home``, the second one current, one of another name, and a backbone."""
    shelf = tmp_path / "models"
    for sequence in (1, 2, 4):
        publish(shelf, models, sequence)
    publish(shelf, models, 3, name="cabin")
    shutil.copytree(models / "backbone", shelf / "backbone")
    point_current(shelf, "home-4")
    return shelf


def test_bundles_are_listed_by_their_number_and_a_backbone_is_none(shelf: Path) -> None:
    assert [each.folder for each in versions(shelf)] == ["home-1", "home-2", "cabin-3", "home-4"]
    assert next_sequence(shelf) == 5
    assert next_sequence(shelf / "nothing") == 1


def test_rolling_back_goes_to_the_version_before_of_the_same_name(shelf: Path) -> None:
    assert roll_back(shelf) == ("home-4", "home-2")
    assert roll_back(shelf) == ("home-2", "home-1")
    with pytest.raises(BundleError, match="no earlier version"):
        roll_back(shelf)
    assert current_folder(shelf) == shelf / "home-1"


def test_a_damaged_version_is_not_gone_back_to(shelf: Path) -> None:
    with (shelf / "home-2" / "model.tflite").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="altered"):
        roll_back(shelf)
    assert current_folder(shelf) == shelf / "home-4"


def test_the_rollback_command_says_where_it_went(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", "--models", str(shelf)]) == 0
    assert "home-4 -> home-2" in capsys.readouterr().out


def test_old_versions_go_and_the_one_in_service_never_does(shelf: Path) -> None:
    point_current(shelf, "home-1")
    assert prune(shelf, "home", keep=1) == ["home-2"]
    assert [each.folder for each in versions(shelf)] == ["home-1", "cabin-3", "home-4"]
    assert prune(shelf, "home", keep=5) == []


def test_a_bundle_is_verified_in_a_fresh_process_and_a_bad_one_replaces_nothing(shelf: Path, models: Path) -> None:
    good = read_folder(models / "demo", ())
    verify_in_a_fresh_process(models / "demo")
    bundle = write_verified(shelf / "home-9", good)
    assert bundle.path == shelf / "home-9"
    manifest = json.loads(good["manifest.json"])
    manifest["tensors"]["input"]["zero_point"] += 1
    with pytest.raises(BundleError, match="does not pass its own verification"):
        write_verified(shelf / "home-9", good | {"manifest.json": json.dumps(manifest).encode()})
    assert load_bundle(shelf / "home-9").manifest["tensors"] != manifest["tensors"]
    assert not list(shelf.glob(".*"))


OLD = Standing("home #4", residents=60, opened=50, strangers=700, let_in=7)


def test_a_better_or_equal_refresh_is_told_and_goes_ahead() -> None:
    said: list[str] = []
    refuse_a_worse_one(OLD, replace(OLD, opened=51), force=False, say=said.append)
    refuse_a_worse_one(OLD, OLD, force=False, say=said.append)
    assert said[0].startswith("old  home #4: opened on 50 of 60")
    assert said[1].startswith("new  home #4: opened on 51 of 60")


@pytest.mark.parametrize("worse", [{"opened": 49}, {"let_in": 8}, {"opened": 54, "let_in": 14}])
def test_a_worse_refresh_is_refused_unless_forced(worse: dict[str, int]) -> None:
    with pytest.raises(BundleError, match="worse than the one in service"):
        refuse_a_worse_one(OLD, replace(OLD, **worse), force=False, say=print)
    said: list[str] = []
    refuse_a_worse_one(OLD, replace(OLD, **worse), force=True, say=said.append)
    assert "published all the same" in said[-1]


def test_a_door_that_never_opens_and_one_that_always_opens_are_both_worse() -> None:
    never, always = replace(OLD, opened=0, let_in=0), replace(OLD, opened=60, let_in=700)
    assert OLD.cost < never.cost < always.cost


def test_an_old_bundle_that_was_enrolled_on_the_test_is_not_compared(shelf: Path, models: Path) -> None:
    new = load_bundle(publish(shelf, models, 8, enrolled_recordings=[]))
    old = load_bundle(publish(shelf, models, 7, enrolled_recordings=["a" * 16]))
    assert why_not_comparable(old, new, ["b" * 64]) == ""
    assert "enrolled on recordings of this test" in why_not_comparable(old, new, ["b" * 64, "a" * 64])
    manifest = {key: value for key, value in old.manifest.items() if key != "enrolled_recordings"}
    assert "does not say" in why_not_comparable(replace(old, manifest=manifest), new, [])
