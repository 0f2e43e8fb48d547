"""Nothing in the log can be altered, removed or put elsewhere without a trace."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.service.audit import Head, forge, read_link, verify
from tests.service.test_events import sink, spoken, verdict

LINES = 9


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Nine lines in two files."""
    path = tmp_path / "e"
    made = sink(path, max_bytes=1_100)
    for number in range(1, LINES + 1):
        made.record(spoken(number))
    assert verdict(path).problems == []
    return path


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


def found(path: Path) -> list[str]:
    return [str(each) for each in verdict(path).problems]


def test_an_altered_line_is_found_with_its_place(log: Path) -> None:
    rewrite(log, lambda lines: [lines[0].replace('"speech"', '"spaech"'), *lines[1:]])
    assert found(log) == [f"{log}:1: was altered"]


def test_a_space_is_an_alteration(log: Path) -> None:
    rewrite(log, lambda lines: [lines[0].replace(": ", ":  ", 1), *lines[1:]])
    assert found(log) == [f"{log}:1: was altered"]


def test_an_altered_line_with_a_right_hash_of_its_own_betrays_itself_at_the_next(log: Path) -> None:
    def replace(lines: list[str]) -> list[str]:
        link = read_link(lines[1])
        assert not isinstance(link, str)
        forged, _ = forge({**link.told, "number": 99}, Head(n=link.n - 1, hash=link.previous))
        return [lines[0], forged, *lines[2:]]

    rewrite(log, replace)
    assert found(log) == [f"{log}:3: does not follow the line before it: one of the two was replaced"]


def test_a_removed_line_is_found(log: Path) -> None:
    rewrite(log, lambda lines: [lines[0], *lines[2:]])
    (problem,) = found(log)
    assert "1 lines before it are missing" in problem


def test_lines_removed_from_the_end_are_found_by_the_head(log: Path) -> None:
    rewrite(log, lambda lines: lines[:-1])
    (problem,) = found(log)
    assert f"the last 1 lines are missing ({LINES} to {LINES})" in problem


def test_swapped_lines_are_found(log: Path) -> None:
    rewrite(log, lambda lines: [lines[1], lines[0], *lines[2:]])
    assert any("out of order" in each for each in found(log))


def test_a_repeated_line_is_found(log: Path) -> None:
    rewrite(log, lambda lines: [lines[0], lines[0], *lines[1:]])
    assert any("out of order" in each for each in found(log))


def test_an_inserted_line_is_found(log: Path) -> None:
    rewrite(log, lambda lines: [lines[0], '{"kind": "relay_on"}', *lines[1:]])
    assert found(log) == [f"{log}:2: is not a line of this log"]


def test_a_missing_older_file_is_found(log: Path) -> None:
    log.with_name("e.1").unlink()
    assert "lines before it are missing" in found(log)[0]


def test_lines_removed_from_the_beginning_are_found(log: Path) -> None:
    rewrite(log.with_name("e.1"), lambda lines: lines[1:])
    assert "1 lines before it are missing" in found(log)[0]


def test_a_missing_head_is_said(log: Path) -> None:
    log.with_name("e.head").unlink()
    assert "the head is missing" in found(log)[0]


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_change_of_any_byte_is_found(rng: random.Random) -> None:
    lines, head = [], Head()
    for number in range(6):
        line, head = forge({"kind": "speech", "number": number, "name": "Zoë"}, head)
        lines.append(line)
    content = bytearray("\n".join(lines).encode())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    altered = content.decode(errors="replace").split("\n")
    assert verify([(Path("e"), altered)], head, head_path=Path("h")).problems


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_only_the_whole_log_in_its_order_is_accepted(order: list[int], removed: set[int]) -> None:
    lines, head = [], Head()
    for number in range(6):
        line, head = forge({"kind": "speech", "number": number}, head)
        lines.append(line)
    kept = [lines[place] for place in order if place not in removed]
    problems = verify([(Path("e"), kept)], head, head_path=Path("h")).problems
    assert bool(problems) == (kept != lines)
