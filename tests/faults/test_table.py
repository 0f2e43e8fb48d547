"""The fault table of tests/README.md: every row names tests, and every test that is named exists."""

import ast
import re

from tests.conftest import ROOT

README = ROOT / "tests/README.md"
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    lines = [line for line in README.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}


def test_every_row_says_what_fails_what_must_happen_and_where_that_was_seen() -> None:
    found = rows()
    assert len(found) >= 25
    for row in found:
        assert len(row) == 3, row
        assert all(row)
        assert TEST.search(row[2]), f"no test shows: {row[0]}"


def test_every_test_that_the_table_names_exists() -> None:
    named = TEST.findall(README.read_text())
    assert named
    missing = [f"{file}::{name}" for file, name in named if name not in defined_in(file)]
    assert missing == []
    spelt = re.findall(r"`([^`]*::[^`]*)`", README.read_text())
    assert len(spelt) == len(named), "a name that is not of the form file.py::test_name"
