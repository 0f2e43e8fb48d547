"""Nobody leaves a bundle in silence: a household refreshed with bad recordings, little speech, guests, further days."""

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from device.errors import ConfigError, DataError, VoicelatchError
from device.sound.wavfile import read_wav, write_wav
from tests.conftest import ROOT
from training.learning_settings import Backbone
from training.recipe import Data, Enrol, Publish, Recipe
from training.run import Outcome, run

EVENING = ROOT / "device" / "simulated" / "evening"
Refresh = Callable[..., Outcome]


def record(home: Path, name: str, wav: str, *, days: tuple[str, ...] = ("9", "10"), role: str = "allowed") -> None:
    """A made-up voice, its sound divided among the days."""
    sound = read_wav(EVENING / f"{wav}.wav")
    for number, day in enumerate(days):
        folder = home / role / name / day
        folder.mkdir(parents=True, exist_ok=True)
        write_wav(folder / "a.wav", sound[number * len(sound) // len(days) : (number + 1) * len(sound) // len(days)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    for name in ("Anna", "Bruno"):
        record(folder, name, name.lower())
    return folder


@pytest.fixture
def refresh(home: Path, tmp_path: Path) -> Refresh:
    def once(*, said: list[str] | None = None, sessions: str = "all", without: tuple[str, ...] = (),
             least_seconds: float = 1.0) -> Outcome:  # fmt: skip
        recipe = Recipe(
            data=Data(folder=str(home)),
            backbone=Backbone(source=str(ROOT / "models/backbone")),
            enrol=Enrol(sessions=sessions, min_speech_seconds=least_seconds),
            publish=Publish(name="home", models=str(tmp_path / "models")),
        )
        say = (said if said is not None else []).append
        return run(recipe, runs=tmp_path / "runs", progress=lambda *_: None, say=say, without=without)

    return once


def current(tmp_path: Path) -> str:
    return (tmp_path / "models/current").read_text().strip()


def spoil(home: Path, name: str) -> None:
    for path in (home / "allowed" / name).rglob("*.wav"):
        path.write_bytes(b"no sound at all")


def test_a_resident_of_whom_no_file_can_be_used_stops_the_refresh_by_name(
    home: Path, refresh: Refresh, tmp_path: Path
) -> None:
    refresh()
    spoil(home, "Anna")
    with pytest.raises(DataError, match="no recording of Anna can be used") as caught:
        refresh()
    assert "allowed/Anna/9/a.wav" in str(caught.value)
    assert "--without Anna" in str(caught.value)
    assert current(tmp_path) == "home-1"
    said: list[str] = []
    assert refresh(without=("Anna",), said=said).bundle.residents == ("Bruno",)
    assert "Anna is no longer known" in said


def test_somebody_new_of_whom_no_file_can_be_used_stops_it_too(home: Path, refresh: Refresh) -> None:
    record(home, "Cora", "courier")
    spoil(home, "Cora")
    with pytest.raises(DataError, match="no recording of Cora"):
        refresh()


def test_whose_folder_is_gone_has_left_and_it_is_said(home: Path, refresh: Refresh) -> None:
    refresh()
    shutil.rmtree(home / "allowed/Anna")
    said: list[str] = []
    assert refresh(said=said).bundle.residents == ("Bruno",)
    assert "Anna is no longer known" in said


def test_an_emptied_folder_of_a_resident_stops_it_and_of_somebody_new_is_said(home: Path, refresh: Refresh) -> None:
    (home / "allowed/Dora").mkdir()
    said: list[str] = []
    assert refresh(said=said).bundle.residents == ("Anna", "Bruno")
    assert "left out Dora: no recording in the folder yet" in said
    shutil.rmtree(home / "allowed/Anna/9")
    shutil.rmtree(home / "allowed/Anna/10")
    with pytest.raises(DataError, match="no recording of Anna"):
        refresh()


def test_somebody_new_with_little_speech_is_left_out_and_the_others_are_published(home: Path, refresh: Refresh) -> None:
    record(home, "Cora", "courier", days=("1", "2", "3", "4", "5", "6"))
    for day in "23456":
        shutil.rmtree(home / "allowed/Cora" / day)
    said: list[str] = []
    assert refresh(said=said, least_seconds=4.0).bundle.residents == ("Anna", "Bruno")
    assert any(line.startswith("left out Cora: ") and "4 s are needed" in line for line in said)


def test_a_resident_with_too_little_speech_stops_it(home: Path, refresh: Refresh) -> None:
    refresh(least_seconds=4.0)
    for name in ("Anna",):
        sound = read_wav(home / "allowed" / name / "9/a.wav")
        shutil.rmtree(home / "allowed" / name / "10")
        write_wav(home / "allowed" / name / "9/a.wav", sound[: len(sound) // 3])
    with pytest.raises(DataError, match="too little speech") as caught:
        refresh(least_seconds=4.0)
    assert "Anna" in str(caught.value)
    assert "Bruno" not in str(caught.value)


def test_a_name_that_nobody_has_is_no_without(refresh: Refresh) -> None:
    with pytest.raises(ConfigError, match="Ana"):
        refresh(without=("Ana",))


def test_a_second_day_is_enrolled_and_judged_by_leaving_the_last_one_out(home: Path, refresh: Refresh) -> None:
    said: list[str] = []
    bundle = refresh(said=said).bundle
    # Two files each, and the later day (10 after 9) is the test.
    assert len(bundle.manifest["enrolled_recordings"]) == 4
    assert any(line.split()[:3] == ["resident_test", "2", "people"] for line in said)
    again: list[str] = []
    refresh(said=again)
    assert any("both are judged without them" in line for line in again)
    assert any(line.startswith("old  home #1: opened on") for line in again)
    assert len(refresh(sessions="first").bundle.manifest["enrolled_recordings"]) == 2


def test_two_spellings_of_one_name_are_one_resident(home: Path, refresh: Refresh) -> None:
    record(home, unicodedata.normalize("NFD", "Zoë"), "courier", days=("1",))
    record(home, unicodedata.normalize("NFC", "Zoë"), "clara", days=("2",))
    assert refresh().bundle.residents == ("Anna", "Bruno", "Zo\u00eb")


@pytest.mark.parametrize("role", ["others", "strangers"])
def test_a_guest_or_a_strangers_clip_makes_no_figure_worse_and_no_claim(
    home: Path, refresh: Refresh, tmp_path: Path, role: str
) -> None:
    before = refresh().bundle.thresholds
    record(home, "guest-1", "courier", role=role, days=("1",))
    record(home, "guest-2", "clara", role=role, days=("1",))
    said: list[str] = []
    outcome = refresh(said=said)
    now = outcome.bundle.thresholds
    assert now.far_upper_bound < 1.5 * before.far_upper_bound
    assert outcome.figures == {}
    if role == "strangers":
        assert any("too few to say how many would be let in" in line for line in said)
    report = json.loads((tmp_path / "models/home-2/report.json").read_text())
    assert "long" not in report
    assert all(each["nearest_stranger"]["all_visits"] > 100 for each in report["outlook"]["residents"])


def test_nothing_is_published_when_everybody_is_left_out(home: Path, refresh: Refresh) -> None:
    with pytest.raises(VoicelatchError):
        refresh(without=("Anna", "Bruno"))
