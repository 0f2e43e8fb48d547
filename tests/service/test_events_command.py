"""events list, verify and why; and what a decision's event tells."""

import csv
import json
import shutil
import stat
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.ports import Event
from device.service import cli
from device.service.event_reader import EventReader, Wanted
from device.service.event_views import as_csv, in_a_line, parse_time
from device.service.events_command import follow
from device.service.explain import explain, find_decision
from device.simulated.events import RecordedEvents
from tests.doubles import Bench, loud, quiet
from tests.event_logs import change, sink, spoken

DIGEST = "ab" * 32


@pytest.fixture
def evening(tmp_path: Path, models: Path) -> Path:
    """A configuration whose log holds an opening, a refusal and what was around them."""
    path = tmp_path / "voicelatch.toml"
    path.write_text(f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\n'
                    f'[events]\npath = "{tmp_path / "log" / "e"}"\n')  # fmt: skip
    bench = Bench([loud(3.2), quiet(15), loud(3.2), quiet(5)], [9.0, -5.0])
    bench.door.serves = {"bundle": "home", "bundle_sequence": 3, "bundle_digest": DIGEST, "config_digest": "cd" * 32}
    bench.door.events = sink(tmp_path / "log" / "e")
    bench.hear()
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = cli.main(["events", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_list_is_one_line_an_event_and_can_be_narrowed(evening: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "list", "--config", evening)
    assert code == 0
    assert "relay_on" in said
    code, said = run(capsys, "list", "--config", evening, "--kind", "decision", "--json")
    assert [json.loads(line)["outcome"] for line in said.splitlines()] == ["open", "refuse"]
    code, said = run(capsys, "list", "--config", evening, "--since", "1h")
    # On standard error: nothing was found, but a filter may also be mistaken.
    assert (code, said) == (0, f"no such event; {evening.parent / 'log' / 'e'} ends at 8\n")
    assert "relay_on" in run(capsys, "list", "--config", evening, "--since", "2026-01-01T17:59+00:00")[1]


def test_a_list_can_be_narrowed_by_person_outcome_both_ends_of_time_and_number(
    evening: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def numbers(*filters: object) -> list[int]:
        code, said = run(capsys, "list", "--config", evening, "--json", *filters)
        assert code == 0
        return [json.loads(line)["n"] for line in said.splitlines()]

    everything = numbers()
    decisions = numbers("--kind", "decision")
    assert len(decisions) == 2
    assert numbers("--outcome", "open") == decisions[:1]
    assert numbers("--kind", "decision", "--person", "Anna", "--last", 1) == decisions[1:]
    assert numbers("--person", "Nobody") == []
    assert numbers("--last", 3) == everything[-3:]
    assert numbers("--until", "2026-01-01T17:59+00:00") == []
    assert numbers("--until", "2099-01-01", "--since", "2020-01-01") == everything
    with pytest.raises(SystemExit):
        cli.main(["events", "list", "--config", str(evening), "--last", "0"])


def test_a_line_for_people_says_what_was_decided_and_holds_no_surprise_for_a_terminal(
    evening: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "list", "--config", evening, "--kind", "decision")[1].splitlines()
    assert "  open           sounds like Anna" in said[0]
    assert "  refuse         like no resident: best is Anna" in said[1]
    undecided = in_a_line({"kind": "decision", "outcome": "say_more", "resident": "Anna", "reason": "undecided"})
    assert undecided.endswith("say more       nearest Anna: undecided")
    told = in_a_line({"n": 7, "time": "2026-01-01T18:00:00.123+00:00", "kind": "fault", "reason": "a\n  b\x1b[2J"})
    assert told.isprintable()
    assert told.startswith("     7  2026-01-01 18:00:00  fault          reason a b")


def test_events_are_exported_for_a_spreadsheet_and_for_programs(
    evening: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, "export", "--config", evening, "--csv", tmp_path / "door.csv", "--kind", "decision")
    assert (code, "2 events written" in said) == (0, True)
    assert stat.S_IMODE((tmp_path / "door.csv").stat().st_mode) == 0o600
    with (tmp_path / "door.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["outcome"], row["resident"]) for row in rows] == [("open", "Anna"), ("refuse", "Anna")]
    assert json.loads(rows[0]["details"])["bundle_sequence"] == 3
    assert run(capsys, "export", "--config", evening, "--json", tmp_path / "door.json")[0] == 0
    listed = run(capsys, "list", "--config", evening, "--json")[1].splitlines()
    assert json.loads((tmp_path / "door.json").read_text()) == [json.loads(line) for line in listed]
    assert run(capsys, "export", "--config", evening, "--csv", "-", "--last", 1)[1].count("\n") == 2
    code, said = run(capsys, "export", "--config", evening, "--csv", tmp_path / "absent" / "door.csv")
    assert (code, "cannot be written" in said) == (73, True)


def test_a_name_that_a_spreadsheet_would_take_for_a_formula_is_a_text_there(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(Event(kind="relay_on", at_seconds=0.0, wall_time=datetime(2026, 1, 2, tzinfo=UTC),
                     details={"resident": "=1+1", "evidence": -2.5}))  # fmt: skip
    with EventReader(tmp_path / "e") as reader:
        (row,) = csv.DictReader(as_csv(reader.all()).splitlines())
    assert (row["resident"], row["evidence"]) == ("'=1+1", "-2.5")


def test_verify_leaves_with_0_or_1_and_names_the_line(evening: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "verify", "--config", evening)
    assert (code, "whole" in said) == (0, True)
    log = evening.parent / "log" / "e"
    change(log, "UPDATE events SET text = replace(text, '\"outcome\": \"open\"', '\"outcome\": \"dance\"'), "
                "outcome = replace(outcome, 'open', 'dance') WHERE n = 2")  # fmt: skip
    code, said = run(capsys, "verify", "--config", evening)
    assert (code, f"{log}:2: was altered" in said) == (1, True)
    code, said = run(capsys, "verify", "--config", evening, "--json")
    assert code == 1
    assert json.loads(said)["problems"] == [{"file": str(log), "line": 2, "what": "was altered"}]


def test_why_explains_an_opening_from_its_relay_too(evening: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = [json.loads(line) for line in run(capsys, "list", "--config", evening, "--json")[1].splitlines()]
    relay = next(each["n"] for each in listed if each["kind"] == "relay_on")
    code, said = run(capsys, "why", relay, "--config", evening)
    assert code == 0
    for part in ("The door was opened for Anna.", "+9.000", "it takes +5.000 to open (margin +4.000)", "Bruno",
                 "home #3", DIGEST, "cd" * 32, "still count: 0; the next visit is judged at once",
                 "replay: not guarded against"):  # fmt: skip
        assert part in said, part
    assert json.loads(run(capsys, "why", relay, "--config", evening, "--json")[1])["kind"] == "decision"


def test_why_explains_a_refusal_and_says_which_numbers_there_are(
    evening: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [json.loads(line) for line in run(capsys, "list", "--config", evening, "--json")[1].splitlines()]
    refused = next(each["n"] for each in listed if each.get("outcome") == "refuse")
    said = run(capsys, "why", refused, "--config", evening)[1]
    assert "stayed shut" in said
    assert "failed visits that still count: 1" in said
    code, said = run(capsys, "why", 999, "--config", evening)
    assert (code, f"1 to {len(listed)}" in said) == (66, True)


def test_a_log_that_is_not_there_is_one_message(evening: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(evening.parent / "log")
    code, said = run(capsys, "list", "--config", evening)
    assert (code, "there is no event log here" in said) == (66, True)


def test_following_tells_each_event_once_as_it_comes_and_goes_on_in_a_log_begun_anew(tmp_path: Path) -> None:
    log, path = sink(tmp_path / "e"), tmp_path / "e"
    log.record(spoken(1))
    numbers = iter(range(2, 9))

    def sleep(_seconds: float) -> None:
        number = next(numbers)
        if number == 4:
            log.close()
            for each in tmp_path.iterdir():
                each.unlink()
            return
        log.record(spoken(number))

    with EventReader(path) as reader:
        events = follow(reader, 1, sleep=sleep)
        assert [event.told["number"] for event in islice(events, 4)] == [2, 3, 5, 6]


def test_following_leaves_out_what_was_not_asked_for(tmp_path: Path) -> None:
    log = sink(tmp_path / "e")
    log.record(spoken(1))
    kinds = iter(["speech", "gap", "speech", "gap"])

    def sleep(_seconds: float) -> None:
        log.record(Event(kind=next(kinds), at_seconds=0.0, wall_time=datetime(2026, 1, 2, tzinfo=UTC)))

    with EventReader(tmp_path / "e") as reader:
        assert [event.n for event in islice(follow(reader, 1, Wanted(kinds=("gap",)), sleep=sleep), 2)] == [3, 5]


def test_times_are_ago_or_iso_in_the_doors_zone() -> None:
    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    assert parse_time("2h", now) == datetime(2026, 1, 2, 10, 0, tzinfo=UTC)
    assert parse_time("2026-01-01", now) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigError, match="not a time"):
        parse_time("yesterday", now)


def test_an_event_of_another_version_is_explained_as_far_as_it_goes() -> None:
    assert "outcome of another version: dance" in explain({"n": 1, "kind": "decision", "outcome": "dance"})
    assert "lost_seconds: 1" in explain({"n": 1, "kind": "gap", "lost_seconds": 1})
    assert find_decision([{"n": 1, "kind": "relay_on"}], 1) == {"n": 1, "kind": "relay_on"}
    assert find_decision([], 1) is None


def test_guards_lock_out_and_hours_are_told() -> None:
    said = explain({"n": 1, "kind": "decision", "outcome": "replay", "replay_likeness": 30.0, "replay_compared": 4,
                    "replay_threshold": 17.0, "button_seconds_ago": None, "schedule": "within hours",
                    "locked_seconds": 30.0, "failed_visits": 5.5,
                    "strict_seconds": 5400})  # fmt: skip
    for part in (
        "heard this very recording",
        "30.0 alike",
        "never pressed",
        "within hours",
        "judged in 30 s",
        "still count: 5.5",
        "90 min",
    ):
        assert part in said


def test_the_doors_decisions_can_be_chained_whatever_they_hold(tmp_path: Path) -> None:
    events = RecordedEvents()
    bench = Bench([loud(6.5), quiet(5)], [float("nan"), float("inf")])
    bench.door.events = events
    bench.hear()
    log = sink(tmp_path / "e")
    for event in events.events:
        log.record(Event(kind=event.kind, at_seconds=event.at_seconds, wall_time=event.wall_time,
                         details=event.details))  # fmt: skip
    assert log.lost == 0
