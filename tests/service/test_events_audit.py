"""Nothing in the log can be altered, removed or put elsewhere without a trace."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.service.audit import Head, Verdict, forge, read_link, verify
from tests.event_logs import change, lines, rewrite, sink, spoken, told, verdict

LINES = 9


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Nine lines."""
    path = tmp_path / "e"
    made = sink(path)
    for number in range(1, LINES + 1):
        made.record(spoken(number))
    made.close()
    assert verdict(path).problems == []
    return path


def altered(path: Path, how: Callable[[list[str]], list[str]]) -> None:
    rewrite(path, how(lines(path)))


def found(path: Path) -> list[str]:
    return [str(each) for each in verdict(path).problems]


def checked(content: list[str], head: Head) -> Verdict:
    return verify(enumerate(content, start=1), head, path=Path("e"), head_path=Path("h"))


def test_an_altered_line_is_found_with_its_place(log: Path) -> None:
    altered(log, lambda lines: [lines[0].replace('"speech"', '"spaech"'), *lines[1:]])
    assert found(log) == [f"{log}:1: was altered"]


def test_a_space_is_an_alteration(log: Path) -> None:
    altered(log, lambda lines: [lines[0].replace(": ", ":  ", 1), *lines[1:]])
    assert found(log) == [f"{log}:1: was altered"]


def test_an_altered_line_with_a_right_hash_of_its_own_betrays_itself_at_the_next(log: Path) -> None:
    def replace(lines: list[str]) -> list[str]:
        link = read_link(lines[1])
        assert not isinstance(link, str)
        forged, _ = forge({**link.told, "number": 99}, Head(n=link.n - 1, hash=link.previous))
        return [lines[0], forged, *lines[2:]]

    altered(log, replace)
    assert found(log) == [f"{log}:3: does not follow the line before it: one of the two was replaced"]


def test_a_removed_line_is_found(log: Path) -> None:
    change(log, "DELETE FROM events WHERE n = 2")
    (problem,) = found(log)
    assert "1 lines before it are missing" in problem


def test_lines_removed_from_the_end_are_found_by_the_head(log: Path) -> None:
    altered(log, lambda lines: lines[:-1])
    (problem,) = found(log)
    assert f"the last 1 lines are missing ({LINES} to {LINES})" in problem


def test_swapped_lines_are_found(log: Path) -> None:
    altered(log, lambda lines: [lines[1], lines[0], *lines[2:]])
    assert any("out of order" in each for each in found(log))


def test_a_repeated_line_is_found(log: Path) -> None:
    altered(log, lambda lines: [lines[0], lines[0], *lines[1:]])
    assert any("out of order" in each for each in found(log))


def test_an_inserted_line_is_found(log: Path) -> None:
    altered(log, lambda lines: [lines[0], '{"kind": "relay_on"}', *lines[1:]])
    assert found(log)[0] == f"{log}:2: is not a line of this log"


def test_a_line_at_another_number_is_found(log: Path) -> None:
    change(log, "UPDATE events SET n = n + 100")
    assert len(found(log)) >= LINES


@pytest.mark.parametrize("column", ["unix_seconds", "kind", "person", "outcome"])
def test_a_column_that_says_what_its_line_does_not_is_found(log: Path, column: str) -> None:
    change(log, f"UPDATE events SET {column} = '7' WHERE n = 4")
    assert found(log) == [f"{log}:4: its columns do not say what its line says"]


def test_lines_removed_from_the_beginning_are_found(log: Path) -> None:
    change(log, "DELETE FROM events WHERE n <= 2")
    assert found(log) == [f"{log}:3: 2 lines before it are missing"]


@pytest.fixture
def shortened(tmp_path: Path) -> Path:
    """A log whose beginning went for its size."""
    path = tmp_path / "e"
    made = sink(path, max_bytes=30_000)
    for number in range(200):
        made.record(spoken(number))
    made.close()
    assert told(path)[0]["n"] > 1
    assert verdict(path).problems == []
    return path


def test_what_goes_beyond_what_the_log_itself_removed_is_found(shortened: Path) -> None:
    first = told(shortened)[0]["n"]
    change(shortened, "DELETE FROM events WHERE n <= ?", [first + 2])
    assert found(shortened) == [f"{shortened}:{first + 3}: 3 lines before it are missing"]


def test_another_beginning_than_the_one_the_log_speaks_of_is_found(shortened: Path) -> None:
    kept = lines(shortened)
    first = read_link(kept[0])
    assert not isinstance(first, str)
    forged, _ = forge(first.told, Head(n=first.n - 1, hash="ab" * 32))
    change(shortened, "UPDATE events SET text = ? WHERE n = ?", [forged, first.n])
    assert any("does not follow the line that was removed" in each for each in found(shortened))


def test_a_log_that_was_shortened_is_whole_when_its_head_lags_behind(shortened: Path) -> None:
    shortened.with_name("e.head").write_text(json.dumps({**json.loads(shortened.with_name("e.head").read_text()),
                                                         "first": 1}))  # fmt: skip
    assert found(shortened) == []


def test_a_missing_head_is_said(log: Path) -> None:
    log.with_name("e.head").unlink()
    assert "the head is missing" in found(log)[0]


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_change_of_any_byte_is_found(rng: random.Random) -> None:
    made, head = [], Head()
    for number in range(6):
        line, head = forge({"kind": "speech", "number": number, "name": "Zoë"}, head)
        made.append(line)
    content = bytearray("\n".join(made).encode())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    changed = content.decode(errors="replace").split("\n")
    assert checked(changed, head).problems


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_only_the_whole_log_in_its_order_is_accepted(order: list[int], removed: set[int]) -> None:
    made, head = [], Head()
    for number in range(6):
        line, head = forge({"kind": "speech", "number": number}, head)
        made.append(line)
    kept = [made[place] for place in order if place not in removed]
    problems = checked(kept, head).problems
    assert bool(problems) == (kept != made)
