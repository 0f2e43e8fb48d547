"""Whom the door knows: nobody is forgotten, or known, without an event that says who."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.gateway.telling import Teller
from device.ports import Event
from device.service import cli
from device.service.config import Config, ModelConfig, RelayConfig, read_config
from device.service.daemon import build_door, serve
from device.service.extras import Extras
from device.service.forget import forget_in_log, forget_person
from device.service.known_people import NAME, KnownPeople, PeopleChange, recall_people, remember_people
from device.service.log_files import LogFiles
from device.simulated.events import RecordedEvents
from device.verdict.bundle import point_current
from device.web.words import line_of, messages_of
from tests.event_logs import lines, sink
from tests.faults.test_disk_and_bundle import Bench
from tests.other_people import renamed_bundle

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DETAILS = {
    "reason": "Anna is no longer known. Bea is new.", "no_longer_known": ["Anna"], "newly_known": ["Bea"],
    "residents_before": ["Anna", "Bruno", "Clara", "David"], "residents": ["Bea", "Bruno", "Clara", "David"],
    "lost_count": 1, "new_count": 1,
}  # fmt: skip


def changed(events: object) -> list[dict[str, object]]:
    assert isinstance(events, RecordedEvents)
    return [dict(each.details) for each in events.of("residents_changed")]


def test_a_reload_that_exchanges_somebody_says_who_is_gone_and_who_is_new(tmp_path: Path, models: Path) -> None:
    bench = Bench(tmp_path, models)

    def exchange() -> None:
        renamed_bundle(models, bench.models / "next", {"Anna": "Bea"})
        point_current(bench.models, "next")
        bench.wishes.reload = True

    bench.serve(exchange)
    assert changed(bench.events) == [DETAILS]


def test_a_reload_of_the_same_people_says_nothing(tmp_path: Path, models: Path) -> None:
    bench = Bench(tmp_path, models)

    def again() -> None:
        bench.wishes.reload = True

    bench.serve(again)
    assert changed(bench.events) == []


def test_a_bundle_that_was_exchanged_while_the_daemon_was_stopped_is_noticed(tmp_path: Path, models: Path) -> None:
    bench = Bench(tmp_path, models)
    state = tmp_path / "state"
    state.mkdir()
    remember_people(state, ["Anna", "Bruno", "Clara", "David"])
    renamed_bundle(models, bench.models / "next", {"Anna": "Bea"})
    point_current(bench.models, "next")
    hardware = replace(bench.hardware, extras=Extras(state=state, people=KnownPeople(state)))
    bench.wishes.stop = True
    serve(build_door(read_config(bench.config), hardware), hardware, bench.wishes, lambda: None)
    assert changed(bench.events) == [DETAILS]
    assert recall_people(state) == ("Bea", "Bruno", "Clara", "David")
    assert (state / NAME).stat().st_mode & 0o077 == 0


def test_the_first_bundle_of_a_door_is_no_change_and_a_torn_note_stops_nothing(tmp_path: Path) -> None:
    heard: list[str] = []
    (tmp_path / NAME).write_text('["An')
    people = KnownPeople(tmp_path)
    people.serving(["Anna"])
    people.tell(lambda kind, **_: heard.append(kind))
    assert heard == []
    assert recall_people(tmp_path) == ("Anna",)


def test_two_spellings_of_one_name_are_no_change() -> None:
    assert not PeopleChange.between(["Zoe\u0308"], ["Zo\u00eb"])


def test_the_page_and_the_broker_say_it_and_without_names_only_how_many() -> None:
    event = {"kind": "residents_changed", "time": "2026-01-02T03:04:05", **DETAILS}
    assert line_of(event).headline == "Anna is no longer known. Bea is new."
    assert [each["tone"] for each in messages_of(event)] == ["trouble"]
    named, unnamed = (Teller(names=names).event(event) for names in (True, False))
    assert named is not None
    assert unnamed is not None
    assert named.type == "residents_changed"
    assert named.facts["reason"] == "Anna is no longer known. Bea is new."
    assert (unnamed.facts["no_longer_known"], unnamed.facts["newly_known"]) == (1, 1)
    assert "Anna" not in json.dumps(unnamed.facts)


def test_who_is_forgotten_is_forgotten_in_these_events_and_in_the_note(tmp_path: Path, models: Path) -> None:
    log = sink(tmp_path / "events.db")
    log.record(Event(kind="residents_changed", at_seconds=1.0, wall_time=NOW, details=DETAILS))
    log.close()
    assert forget_in_log(LogFiles(tmp_path / "events.db"), "Anna", "person-1", now=NOW) == 1
    assert not any("Anna" in line for line in lines(tmp_path / "events.db"))
    remember_people(tmp_path, ["Anna"])
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models)))
    forgotten = forget_person("Anna", config, state=tmp_path, events=tmp_path / "none", now=NOW)
    assert recall_people(tmp_path) == ()
    # The event of the next bundle says again who is no longer known.
    assert "run this once more" in forgotten.remains[0]


def test_use_says_whom_the_door_will_no_longer_know(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed_bundle(models, tmp_path / "first", {})
    renamed_bundle(models, tmp_path / "second", {"Anna": "Bea"})
    point_current(tmp_path, "first")
    assert cli.main(["use", "second", "--models", str(tmp_path)]) == 0
    assert "Anna is no longer known. Bea is new." in capsys.readouterr().out
    assert cli.main(["use", "first", "--models", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["no_longer_known"] == ["Bea"]
