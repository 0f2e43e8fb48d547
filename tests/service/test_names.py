"""A name is one person's wherever it enters, however its letters are composed, and nothing hides in it."""

import json
import logging
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.errors import BundleError, ConfigError, DataError
from device.names import person_name
from device.ports import Event
from device.service import cli
from device.service.kept_clips import Label, label_clip, people_of
from device.service.privacy import CLIPS, files_of, safe
from device.service.recordings import Shelf, check_person
from device.service.schedule import Schedule, ScheduleConfig, check_people
from device.simulated.clock import ManualClock
from device.sound.wavfile import write_wav
from device.verdict.manifest import _residents
from tests.doubles import Bench, loud, quiet
from tests.event_logs import lines, sink, verdict
from tests.service.test_privacy import config
from training.corpus.layouts import Source, find_recordings

COMPOSED, DECOMPOSED = "Zo\u00eb", "Zoe\u0308"


@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED, f"  {DECOMPOSED} ", "\u00a0Zoe\u0308\n"])
def test_one_name_is_one_string(typed: str) -> None:
    assert person_name(typed) == COMPOSED


@pytest.mark.parametrize(
    "typed",
    ["", " ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "An\u202ena", "Anna\u200b", "An\u200dna", "\ud800", "A\u2028b",
     "\ufeffAnna", "\x1b[2JAnna", "\ue000", "x" * 101, "\u00eb" * 51, "\u200cAnna"],
)  # fmt: skip
def test_what_hides_leads_elsewhere_or_cannot_be_written_is_no_name(typed: str) -> None:
    with pytest.raises(DataError, match="not a person's name") as caught:
        person_name(typed)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "typed", ["Anna", "Ay\u015fe", "\u674e\u96f7", "O'Brien", "Jean-Luc P.", "\u0646\u0627\u0645\u200c\u0647"]
)
def test_names_of_all_scripts_are_names(typed: str) -> None:
    assert person_name(typed) == unicodedata.normalize("NFC", typed)


@pytest.mark.parametrize(("scheduled", "resident"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
def test_the_door_stays_shut_outside_ones_hours_however_the_name_is_composed(scheduled: str, resident: str) -> None:
    tables = (ScheduleConfig(person=scheduled, after="07:00", before="08:00"),)
    (known,) = residents([resident])
    check_people(tables, [known])
    bench = Bench([loud(3.2), quiet(15)], [9.0])
    score = bench.scorer.score

    def named(clip: object) -> object:
        found = score(clip)  # type: ignore[arg-type]
        return type(found)((type(found.residents[0])(known, 9.0, 0.5), *found.residents[1:]), 1.0)

    bench.scorer.score = named  # type: ignore[method-assign, assignment]
    bench.door.guards = (Schedule(tables, ManualClock()),)
    bench.hear()
    assert bench.relay.history == []
    assert bench.outcomes == ["outside_schedule"]


def test_hours_for_nobody_the_bundle_knows_are_refused() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        check_people((ScheduleConfig(person="anna"),), ["Anna"])


@pytest.mark.parametrize("person", ["", "a/b", "An\u202ena"])
def test_hours_of_what_is_no_name_are_a_mistake_of_the_configuration(person: str) -> None:
    with pytest.raises(ConfigError, match="not a person's name"):
        ScheduleConfig(person=person)


def residents(names: list[object]) -> tuple[str, ...]:
    return _residents(names, "manifest.json: residents")


def test_a_bundle_s_residents_are_normalised_and_two_that_are_one_are_refused() -> None:
    assert residents([DECOMPOSED, "Anna"]) == (COMPOSED, "Anna")
    with pytest.raises(BundleError, match="once"):
        residents([DECOMPOSED, COMPOSED])
    with pytest.raises(BundleError):
        residents(["An\u202ena"])


def test_recordings_of_both_folders_are_one_person_s(tmp_path: Path) -> None:
    shelf, samples = Shelf(tmp_path), np.zeros(16_000, dtype=np.int16)
    old = tmp_path / "recordings" / "allowed" / DECOMPOSED / "2026-01-01"
    old.mkdir(parents=True)
    write_wav(old / "01.wav", samples)
    assert check_person(DECOMPOSED) == COMPOSED
    kept = shelf.keep(samples, "allowed", COMPOSED, "2026-01-01")
    assert kept.parent == old, "a copy from another machine is gone on with"
    (tmp_path / "recordings" / "allowed" / COMPOSED / "2026-01-02").mkdir(parents=True)
    write_wav(tmp_path / "recordings" / "allowed" / COMPOSED / "2026-01-02" / "01.wav", samples)
    (progress,) = shelf.progress()
    assert (progress.name, [day.takes for day in progress.days]) == (COMPOSED, [2, 1])
    assert shelf.of("allowed", DECOMPOSED) == progress


def test_a_clip_is_labelled_into_the_folder_that_is_there(tmp_path: Path, models: Path) -> None:
    folder = tmp_path / "recordings" / "allowed" / DECOMPOSED
    folder.mkdir(parents=True)
    name = f"20260101T180000.000000-1-{safe(COMPOSED)}-refuse.wav"
    (tmp_path / CLIPS).mkdir()
    write_wav(tmp_path / CLIPS / name, np.zeros(16_000, dtype=np.int16))
    people = people_of(config(models), tmp_path)
    assert COMPOSED in people
    now = datetime(2026, 1, 2, tzinfo=UTC)
    moved = label_clip(tmp_path, name, Label("allowed", DECOMPOSED), people=people, now=now)
    assert folder in moved.parents


@pytest.mark.parametrize("asked", [COMPOSED, DECOMPOSED])
def test_forgetting_finds_every_spelling(asked: str, tmp_path: Path, models: Path) -> None:
    log = sink(tmp_path / "events.db")
    for name in (COMPOSED, DECOMPOSED):
        details = {"resident": name, "reason": f"{name} was refused", "scores": {name: 1.0}}
        log.record(Event(kind="decision", at_seconds=0.0, wall_time=datetime(2026, 1, 1, tzinfo=UTC), details=details))
        (tmp_path / "recordings" / "others" / name / "2026-01-01").mkdir(parents=True)
    log.close()
    (tmp_path / "c.toml").write_text(f'[relay]\npin = 17\n[model]\nbundle = "{models}"\n')
    assert len(files_of(tmp_path, asked)) == 2
    arguments = ["forget", asked, "--config", str(tmp_path / "c.toml"), "--state-dir", str(tmp_path)]
    assert cli.main(arguments) == 0
    text = unicodedata.normalize("NFC", json.dumps([json.loads(line) for line in lines(tmp_path / "events.db")]))
    assert "Zo" not in text.replace("\\u0308", "")
    assert list((tmp_path / "recordings" / "others").iterdir()) == []
    assert verdict(tmp_path / "events.db").problems == []


def test_events_of_a_person_are_listed_however_the_name_is_typed(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink(tmp_path / "events.db").record(Event(kind="decision", at_seconds=0.0, details={"resident": COMPOSED},
                                              wall_time=datetime(2026, 1, 1, tzinfo=UTC)))  # fmt: skip
    (tmp_path / "c.toml").write_text(f'[relay]\npin = 17\n[model]\nbundle = "{models}"\n')
    cli.main(["events", "list", "--person", DECOMPOSED, "--json", "--config", str(tmp_path / "c.toml"),
              "--state-dir", str(tmp_path)])  # fmt: skip
    assert COMPOSED in capsys.readouterr().out


def test_two_folders_of_one_name_are_one_person_to_training_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, day in ((COMPOSED, "2026-01-01"), (DECOMPOSED, "2026-01-02")):
        folder = tmp_path / "allowed" / name / day
        folder.mkdir(parents=True)
        (folder / "a.wav").touch()
    with caplog.at_level(logging.WARNING):
        found = find_recordings(Source("folder", tmp_path), root=tmp_path, allowed=())
    assert {(each.speaker, each.session) for each in found.places.values()} == {
        (COMPOSED, "2026-01-01"), (COMPOSED, "2026-01-02"),
    }  # fmt: skip
    assert "one person" in caplog.text
    assert all((tmp_path / name).exists() for name in found.places), "paths stay as they are on the disk"


def test_training_refuses_a_resident_s_folder_with_a_name_that_hides_something(tmp_path: Path) -> None:
    folder = tmp_path / "allowed" / "An\u202ena"
    folder.mkdir(parents=True)
    (folder / "a.wav").touch()
    with pytest.raises(DataError, match="not a person's name"):
        find_recordings(Source("folder", tmp_path), root=tmp_path, allowed=())
