"""Which bundle is in service, what came before, and whether a refresh is worth publishing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import BundleError
from device.verdict.bundle import load_bundle, point_current, read_folder, write_folder
from training.at_the_door import Visit
from training.cli import main
from training.compare import Held, refuse_a_worse_one, why_not_comparable
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


def held(name: str, residents: dict[str, list[int]], strangers: list[int]) -> Held:
    """Visits by name, 1 where the door opened."""
    inside = [Visit(person, bool(each), 3.0) for person, visits in residents.items() for each in visits]
    return Held(name, tuple(inside), tuple(Visit(f"s{n}", bool(each), 3.0) for n, each in enumerate(strangers)))


def some(opened: int, of: int) -> list[int]:
    return [1] * opened + [0] * (of - opened)


OLD = held("home #4", {"Anna": some(25, 30), "Bruno": some(25, 30)}, some(7, 700))


def compared(new: Held, *, force: bool = False) -> list[str]:
    said: list[str] = []
    refuse_a_worse_one(OLD, new, force=force, say=said.append, rng=np.random.default_rng(1))
    return said


def test_a_better_or_equal_refresh_is_told_and_goes_ahead() -> None:
    said = compared(replace(OLD, residents=held("", {"Anna": some(26, 30), "Bruno": some(25, 30)}, []).residents))
    assert said[0].startswith("old  home #4: opened on 50 of 60")
    assert said[1].startswith("new  home #4: opened on 51 of 60")
    assert "no visit ends otherwise" in compared(OLD)[2]


@pytest.mark.parametrize("more", [1, 2])
def test_one_strangers_visit_more_than_before_is_chance_and_not_worse(more: int) -> None:
    said = compared(replace(OLD, strangers=held("", {}, some(7 + more, 700)).strangers))
    assert "which may be chance" in said[2]


def test_one_residents_visit_less_is_chance_and_not_worse() -> None:
    said = compared(replace(OLD, residents=held("", {"Anna": some(24, 30), "Bruno": some(25, 30)}, []).residents))
    assert "which may be chance" in said[2]


WORSE = {
    "many more strangers": held("home #5", {"Anna": some(25, 30), "Bruno": some(25, 30)}, some(17, 700)),
    "everybody refused": held("home #5", {"Anna": some(0, 30), "Bruno": some(0, 30)}, some(7, 700)),
    "one resident lost": held("home #5", {"Anna": some(15, 30), "Bruno": some(30, 30)}, some(0, 700)),
}


@pytest.mark.parametrize("new", WORSE.values(), ids=WORSE)
def test_a_refresh_that_is_worse_beyond_chance_is_refused_unless_forced(new: Held) -> None:
    with pytest.raises(BundleError, match="worse than the one in service"):
        compared(new)
    assert "published all the same" in compared(new, force=True)[-1]


def test_the_resident_who_lost_is_named() -> None:
    with pytest.raises(BundleError, match="clearly refused more often: Anna"):
        compared(WORSE["one resident lost"])


def test_a_single_stranger_of_a_single_visit_decides_nothing() -> None:
    old, new = (held(name, {"Anna": some(5, 5)}, [let_in]) for name, let_in in (("a", 0), ("b", 1)))
    refuse_a_worse_one(old, new, force=False, say=print, rng=np.random.default_rng(1))


def test_a_door_that_never_opens_and_one_that_always_opens_are_both_worse() -> None:
    now = OLD.standing
    never, always = replace(now, opened=0, let_in=0), replace(now, opened=60, let_in=700)
    assert now.cost < never.cost < always.cost


def test_an_old_bundle_that_was_enrolled_on_strangers_of_the_test_is_not_compared(shelf: Path, models: Path) -> None:
    new = load_bundle(publish(shelf, models, 8, enrolled_recordings=[]))
    old = load_bundle(publish(shelf, models, 7, enrolled_recordings=["a" * 16]))
    assert why_not_comparable(old, new, ["b" * 64]) == ""
    assert "enrolled on recordings of this test" in why_not_comparable(old, new, ["b" * 64, "a" * 64])
    manifest = {key: value for key, value in old.manifest.items() if key != "enrolled_recordings"}
    assert "does not say" in why_not_comparable(replace(old, manifest=manifest), new, [])
