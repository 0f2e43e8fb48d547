"""A kept clip is labelled by a person alone, and then stands where training reads it."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError, StateError
from device.service import cli
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.forget import forget_person
from device.service.kept_clips import Label, clip_path, delete_clip, label_clip, list_clips, people_of
from device.service.privacy import safe, thin_out
from device.service.recordings import Shelf
from device.service.review_command import review
from device.sound.pcm import Samples
from device.sound.wavfile import read_wav, write_wav
from training.corpus.layouts import Place, Source, find_recordings

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
PEOPLE = ("Anna", "Zoë-Ann")


def kept(state: Path, number: int = 1, *, nearest: str = "Anna", outcome: str = "refuse", minute: int = 3) -> str:
    (state / "clips").mkdir(exist_ok=True, mode=0o700)
    name = f"20261124T18{minute:02d}11.00000{number}-{number}-{safe(nearest)}-{outcome}.wav"
    write_wav(state / "clips" / name, np.full(48_000, number, dtype=np.int16))
    return name


def places(state: Path) -> dict[str, Place]:
    """What training makes of the recordings."""
    folder = state / "recordings"
    return find_recordings(Source("folder", folder), root=folder, allowed=PEOPLE).places


def test_clips_are_told_with_what_their_names_say(tmp_path: Path) -> None:
    names = [kept(tmp_path, 2, nearest="Zoë-Ann", outcome="say_more", minute=9), kept(tmp_path, 1)]
    (tmp_path / "clips" / "notes.txt").touch()
    first, second = list_clips(tmp_path, PEOPLE)
    assert (first.name, first.nearest, first.outcome, first.seconds) == (names[1], "Anna", "refuse", 3.0)
    assert (second.nearest, second.outcome) == ("Zoë-Ann", "say_more")
    assert first.heard_at == datetime(2026, 11, 24, 18, 3, 11, 1)
    assert list_clips(tmp_path / "elsewhere") == ()


def test_a_resident_who_was_refused_is_found_by_training_under_the_day_it_was_heard(tmp_path: Path) -> None:
    name = kept(tmp_path, 7, nearest="Zoë-Ann")
    path = label_clip(tmp_path, name, Label("allowed", "Anna"), people=PEOPLE, now=NOW)
    assert list(places(tmp_path).values()) == [Place("allowed", "Anna", "2026-11-24")]
    assert set(read_wav(path)) == {7}
    assert list_clips(tmp_path) == ()
    assert "Zoë" not in path.name
    assert "Zo" not in path.with_suffix(".json").read_text(), "whoever it was like may ask to be forgotten"
    told = json.loads(path.with_suffix(".json").read_text())
    assert (told["role"], told["person"], told["outcome"]) == ("allowed", "Anna", "refuse")
    assert [each.path for each in Shelf(tmp_path).files()] == [path.relative_to(tmp_path / "recordings").as_posix()]


def test_everything_about_a_labelled_clip_is_private(tmp_path: Path) -> None:
    path = label_clip(tmp_path, kept(tmp_path), Label("others"), people=PEOPLE, now=NOW)
    assert stat.S_IMODE(path.with_suffix(".json").stat().st_mode) == 0o600
    for folder in list(path.parents)[:4]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_strangers_of_one_minute_are_one_voice_and_a_known_one_keeps_the_name(tmp_path: Path) -> None:
    for number, minute, who in ((1, 3, ""), (2, 3, ""), (3, 9, ""), (4, 9, "the postman")):
        label_clip(tmp_path, kept(tmp_path, number, minute=minute), Label("others", who), people=PEOPLE, now=NOW)
    found = sorted((each.role, each.speaker) for each in places(tmp_path).values())
    assert found == [("others", "the postman"), ("others", "visitor-20261124T1803"),
                     ("others", "visitor-20261124T1803"), ("others", "visitor-20261124T1809")]  # fmt: skip


@pytest.mark.parametrize(
    "label",
    [Label("allowed", "Anan"), Label("allowed", ""), Label("others", "../../etc"), Label("others", "Anna"),
     Label("others", "allowed")],
)  # fmt: skip
def test_a_label_that_would_make_a_resident_or_leave_the_folder_is_refused(tmp_path: Path, label: Label) -> None:
    name = kept(tmp_path)
    with pytest.raises(DataError):
        label_clip(tmp_path, name, label, people=PEOPLE, now=NOW)
    assert [clip.name for clip in list_clips(tmp_path)] == [name]
    assert not (tmp_path / "recordings").exists()


@pytest.mark.parametrize("name", ["", "..", "../events.db", "a.wav", "20261124T180311.000001-1-Anna-refuse.wav\0"])
def test_what_is_no_clips_name_leads_nowhere(tmp_path: Path, name: str) -> None:
    kept(tmp_path)
    (tmp_path / "events.db").touch()
    with pytest.raises(DataError, match="no such clip"):
        clip_path(tmp_path, name)
    with pytest.raises(DataError, match="no such clip"):
        delete_clip(tmp_path, name)


def test_a_link_among_the_clips_is_not_followed(tmp_path: Path) -> None:
    name = kept(tmp_path)
    real = tmp_path / "clips" / name
    real.rename(tmp_path / "precious")
    real.symlink_to(tmp_path / "precious")
    assert list_clips(tmp_path) == ()
    with pytest.raises(DataError):
        clip_path(tmp_path, name)


def test_a_clip_that_cannot_be_moved_stays_where_it_is(tmp_path: Path) -> None:
    name = kept(tmp_path)
    (tmp_path / "recordings").write_text("a file where a folder should be")
    with pytest.raises(StateError):
        label_clip(tmp_path, name, Label("allowed", "Anna"), people=PEOPLE, now=NOW)
    assert clip_path(tmp_path, name).exists()


def test_quota_and_age_concern_unlabelled_clips_alone(tmp_path: Path) -> None:
    path = label_clip(tmp_path, kept(tmp_path, 1), Label("allowed", "Anna"), people=PEOPLE, now=NOW)
    kept(tmp_path, 2)
    ages = {each.name: 1.0 for each in list_clips(tmp_path)}
    thin_out(tmp_path / "clips", ages, max_bytes=0, keep_seconds=100.0)
    assert list_clips(tmp_path) == ()
    assert path.exists()


def test_forgetting_somebody_removes_their_labelled_clips_and_those_like_them(tmp_path: Path, models: Path) -> None:
    own = label_clip(tmp_path, kept(tmp_path, 1, nearest="Zoë-Ann"), Label("allowed", "Anna"), people=PEOPLE, now=NOW)
    other = label_clip(tmp_path, kept(tmp_path, 2), Label("others", "postman"), people=PEOPLE, now=NOW)
    kept(tmp_path, 3)
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models)))
    forget_person("Anna", config, state=tmp_path, events=tmp_path / "events.db", now=NOW)
    assert not own.exists()
    assert not own.with_suffix(".json").exists()
    assert list_clips(tmp_path) == ()
    assert other.exists()


def test_the_bundle_and_the_recordings_say_who_may_be_named(tmp_path: Path, models: Path) -> None:
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models)))
    (tmp_path / "recordings" / "allowed" / "Newcomer").mkdir(parents=True)
    assert {"Newcomer", "anna"} <= {
        each if each == "Newcomer" else each.lower() for each in people_of(config, tmp_path)
    }
    broken = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(tmp_path)))
    assert people_of(broken, tmp_path) == ("Newcomer",)


class Played:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def play(self, samples: Samples) -> None:
        self.heard.append(int(samples[0]))


def walked(state: Path, answers: list[str], player: Played | None = None) -> dict[str, int]:
    left = iter(answers)

    def ask(_text: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return review(state, PEOPLE, player=player, ask=ask, now=lambda: NOW)


def test_a_review_plays_each_clip_and_does_as_it_is_told(tmp_path: Path) -> None:
    for number in range(1, 6):
        kept(tmp_path, number)
    player = Played()
    done = walked(tmp_path, ["1", "what?", "0", "3", "p", "s", "k", "d", "s postman"], player)
    assert done == {"labelled": 3, "skipped": 1, "deleted": 1, "left": 1}
    assert player.heard == [1, 2, 2, 3, 4, 5]
    assert sorted((each.role, each.speaker) for each in places(tmp_path).values()) == [
        ("allowed", "Anna"), ("others", "postman"), ("others", "visitor-20261124T1803")]  # fmt: skip


@pytest.mark.parametrize("answers", [[], ["q"], [""], ["k", "q"]])
def test_without_an_answer_nothing_is_labelled(tmp_path: Path, answers: list[str]) -> None:
    for number in (1, 2):
        kept(tmp_path, number)
    done = walked(tmp_path, answers)
    assert (done["labelled"], done["deleted"], done["left"]) == (0, 0, 2)
    assert not (tmp_path / "recordings").exists()


def test_a_clip_that_goes_meanwhile_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = kept(tmp_path)

    def ask(_text: str) -> str:
        if not (tmp_path / "clips" / name).exists():
            return "k"
        (tmp_path / "clips" / name).unlink()
        return "1"

    assert review(tmp_path, PEOPLE, player=None, ask=ask, now=lambda: NOW)["skipped"] == 1
    assert "no such clip" in capsys.readouterr().out


def test_the_command_lists_what_waits_and_says_when_nothing_does(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[relay]\npin = 17\n[model]\nbundle = "{models}"\n')
    command = ["events", "review", "--config", str(path), "--state-dir", str(tmp_path)]
    assert cli.main(command) == 0
    assert "keep_clips is off" in capsys.readouterr().out
    name = kept(tmp_path)
    assert cli.main([*command, "--list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["path"], told["outcome"]) == (name, str(tmp_path / "clips" / name), "refuse")
