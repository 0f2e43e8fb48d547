"""Bars, and lines that change in place."""

import io

import pytest

from device.terminal.bars import bar, fitted, folded, level_bar, printable
from device.terminal.screen import Screen, is_terminal


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0.0, "----------"), (0.5, "#####-----"), (1.0, "##########"), (7.0, "##########"), (-1.0, "----------"),
     (float("nan"), "----------")],
)  # fmt: skip
def test_a_bar_has_its_width_whatever_the_number(share: float, drawn: str) -> None:
    assert bar(share, 10) == drawn


def test_a_level_is_drawn_from_70_db_below_full_scale_with_its_peak() -> None:
    assert level_bar(-35.0, 10, peak_dbfs=-7.0) == "#####----|"
    assert level_bar(0.0, 10, peak_dbfs=0.0) == "#########|"
    assert level_bar(-120.0, 10) == "----------"


def test_text_is_cut_to_its_width_and_cannot_move_the_cursor() -> None:
    assert fitted("abcdef", 4) == "abc…"
    assert printable("Anna\x1b[2J\n") == "Anna?[2J?"
    assert all(len(each) <= 30 for each in folded("one two three " * 9, 30, indent="  "))
    assert folded("", 30, indent="  ") == ["  "]


def test_lines_in_place_take_away_exactly_what_was_shown_before() -> None:
    out = io.StringIO()
    screen = Screen(out=out, live=True, columns=40)
    screen.show(["one", "two " * 20, "three"], "plain", now_seconds=0.0)
    screen.show(["four"], "plain", now_seconds=1.0)
    screen.say("kept")
    assert out.getvalue() == f"one\n{('two ' * 20)[:38]}…\nthree\n\x1b[3F\x1b[Jfour\n\x1b[1F\x1b[Jkept\n"


def test_without_a_terminal_there_are_plain_lines_a_second_apart() -> None:
    out = io.StringIO()
    screen = Screen(out=out, live=False)
    drawn = 0
    for step in range(30):
        if screen.due(now_seconds=step / 10):
            screen.show(["in place"], f"plain {step}", now_seconds=step / 10)
            drawn += 1
    assert drawn == 3
    assert out.getvalue() == "plain 0\nplain 10\nplain 20\n"


def test_a_pipe_and_a_dumb_terminal_are_no_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert is_terminal(Terminal(), {"TERM": "xterm"})
    assert not is_terminal(Terminal(), {"TERM": "dumb"})
    assert not is_terminal(Terminal(), {})
    assert not is_terminal(io.StringIO(), {"TERM": "xterm"})
