"""Households made from packs: who lives there, who is a stranger, and what is refused."""

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import DataError
from training.corpus.household import add_parser, build_household
from training.corpus.index import index_folder
from training.corpus.split import split

HEAD = ("path", "kind", "use", "corpus", "speaker", "session", "licence")


def write_manifest(pack: Path, rows: list[tuple[str, ...]]) -> None:
    with (pack / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Six speakers to evaluate with two sessions, one with one, three to train on, a crowd, noise and rooms."""
    rows = [(f"e{who}-{day}.wav", "speech", "evaluate", "c", str(who), day) for who in range(6) for day in ("1", "2")]
    rows += [("once.wav", "speech", "evaluate", "c", "once", "1")]
    rows += [(f"t{who}.wav", "speech", "train", "d", str(who), "") for who in range(3)]
    rows += [("crowd.wav", "speech", "train", "d", "unlabelled", "")]
    rows += [("rain.wav", "noise", "both", "n", "", ""), ("hall.wav", "rir", "both", "n", "", "")]
    rows += [("nave.wav", "rir", "evaluate", "n", "", "")]
    (tmp_path / "pack").mkdir()
    for seed, row in enumerate(rows):
        sound = np.random.default_rng(seed).uniform(-0.3, 0.3, 8000)
        soundfile.write(tmp_path / "pack" / row[0], sound, 16000)
    write_manifest(tmp_path / "pack", [(*row, "CC0") for row in rows])
    return tmp_path / "pack"


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_everybody_gets_the_role_the_pack_binds_them_to(pack: Path, tmp_path: Path) -> None:
    made = build_household(pack, tmp_path / "h", residents=2, seed=3)
    index = index_folder(tmp_path / "h")
    assert index.rejected == ()
    assert len(index.recordings) == made.files == 20
    assert {each.speaker for each in index.of("allowed")} == set(made.residents)
    assert {each.speaker for each in index.of("others")} == {"d-0", "d-1", "d-2"}
    strangers = {each.speaker for each in index.of("strangers")}
    assert strangers == {"c-once", *(f"c-{who}" for who in range(6))} - set(made.residents)
    assert [each.path for each in index.of("crowd")] == ["crowd/crowd.wav"]
    assert {each.path for each in index.of("rir") if each.evaluate_only} == {"rir/evaluate-only/n/nave.wav"}


def test_the_draw_repeats_for_a_seed_and_differs_between_seeds(pack: Path, tmp_path: Path) -> None:
    made = [build_household(pack, tmp_path / f"h{n}", residents=2, seed=seed) for n, seed in enumerate((1, 1, 2, 3, 4))]
    assert made[0] == made[1]
    assert tree(tmp_path / "h0") == tree(tmp_path / "h1")
    assert len({each.residents for each in made}) > 1


def test_only_people_with_a_second_session_can_be_residents(pack: Path, tmp_path: Path) -> None:
    assert "c-once" not in build_household(pack, tmp_path / "h", residents=6, seed=1).residents
    with pytest.raises(DataError, match="too few speakers with two sessions"):
        build_household(pack, tmp_path / "more", residents=7, seed=1)


def test_named_residents_live_there_and_the_rest_is_drawn(pack: Path, tmp_path: Path) -> None:
    made = build_household(pack, tmp_path / "h", residents=3, seed=1, named=["c:4", "c:0"])
    assert {"c-0", "c-4"} < set(made.residents)
    assert len(made.residents) == 3
    for wrong in (["c:once"], ["d:1"], ["c:0", "c:1", "c:2", "c:3"]):
        with pytest.raises(DataError, match="cannot be had"):
            build_household(pack, tmp_path / "other", residents=3, seed=1, named=wrong)


def test_files_are_linked_or_on_request_copied(pack: Path, tmp_path: Path) -> None:
    build_household(pack, tmp_path / "links", residents=2, seed=1)
    build_household(pack, tmp_path / "copies", residents=2, seed=1, copy=True)
    assert (tmp_path / "links/noise/n/rain.wav").is_symlink()
    assert not (tmp_path / "copies/noise/n/rain.wav").is_symlink()
    assert (tmp_path / "copies/noise/n/rain.wav").read_bytes() == (pack / "rain.wav").read_bytes()


def test_an_existing_folder_is_left_as_it_is(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "h").mkdir()
    with pytest.raises(DataError, match="exists already"):
        build_household(pack, tmp_path / "h", residents=2, seed=1)
    assert list((tmp_path / "h").iterdir()) == []


BAD_ROWS = [
    (("../secret.wav", "speech", "train", "d", "9", "", ""), "does not hold"),
    (("gone.wav", "speech", "train", "d", "9", "", ""), "does not hold"),
    (("t0.wav", "speech", "train", "d", "../../9", "", ""), "not a name"),
    (("t0.wav", "speech", "both", "d", "9", "", ""), "cannot be placed"),
    (("t0.wav", "music", "train", "d", "9", "", ""), "cannot be placed"),
    (("t0.wav", "speech", "evaluate", "d", "unlabelled", "", ""), "cannot be placed"),
    (("t0.wav", "speech", "train", "d", "0", "", ""), "one name"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
def test_a_manifest_that_cannot_be_followed_leaves_nothing_behind(
    pack: Path, tmp_path: Path, row: tuple[str, ...], message: str
) -> None:
    (tmp_path / "secret.wav").write_bytes(b"secret")
    with (pack / "manifest.csv").open("a", newline="") as file:
        csv.writer(file).writerow(row)
    with pytest.raises(DataError, match=message):
        build_household(pack, tmp_path / "h", residents=2, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "secret.wav"]


def test_a_folder_without_a_manifest_or_its_columns_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a pack"):
        build_household(tmp_path, tmp_path / "h", residents=2, seed=1)
    (tmp_path / "manifest.csv").write_text("path,kind\n")
    with pytest.raises(DataError, match="columns are missing"):
        build_household(tmp_path, tmp_path / "h", residents=2, seed=1)


def test_the_command_takes_named_residents_and_prints_who_lives_there(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    words = ["household", str(pack), str(tmp_path / "h"), "--residents", "1", "--resident", "c:5"]
    arguments = parser.parse_args(words)
    assert arguments.action(arguments) == 0
    assert "20 recordings, residents c-5" in capsys.readouterr().out


def test_a_household_from_the_real_pack_splits_without_a_leak(speech_pack: Path, tmp_path: Path) -> None:
    made = build_household(speech_pack, tmp_path / "h", residents=5, seed=7)
    strangers = {path.name for path in (tmp_path / "h/strangers").iterdir()}
    others = {path.name for path in (tmp_path / "h/others").iterdir()}
    assert len(made.residents) == 5
    assert not strangers & set(made.residents)
    assert not others & (strangers | set(made.residents))
    # The index of the small half is enough here: opening everything takes a minute.
    for role in ("others", "strangers"):
        for person in sorted((tmp_path / "h" / role).iterdir())[6:]:
            person.rename(tmp_path / person.name)
    (tmp_path / "h/crowd").rename(tmp_path / "crowd")
    parts = split(index_folder(tmp_path / "h"), seed=7, validation_fraction=0.2, test_fraction=0.2,
                  enrol_sessions="first")  # fmt: skip
    assert (
        {each.speaker for each in parts.enrol} == {each.speaker for each in parts.resident_test} == set(made.residents)
    )
