"""What people are asked to say, and when it is enough."""

import pytest

from device.enrolment.progress import Day, Progress, in_order, missing
from device.enrolment.prompts import MANNERS, SENTENCES, prompts_for

TODAY = "2026-11-24"


def anna(*days: Day) -> Progress:
    return Progress("allowed", "Anna", days)


def test_a_session_goes_through_all_manners_from_near_to_far() -> None:
    manners = list(dict.fromkeys(each.manner.name for each in prompts_for(0)))
    assert manners == [each.name for each in MANNERS]
    assert {"whispered", "shouted", "far"} <= set(manners)


def test_the_next_session_asks_for_other_sentences() -> None:
    first, second = ({each.text for each in prompts_for(session)} for session in (0, 1))
    assert len(first) == len(prompts_for(0))
    assert len(second - first) > len(first) / 2


def test_no_sentence_is_asked_for_twice_and_all_are_long_enough_to_count() -> None:
    assert len(set(SENTENCES)) == len(SENTENCES)
    assert all(len(each.split()) >= 9 for each in SENTENCES)


@pytest.mark.parametrize(
    ("days", "percent"),
    [
        ((), 0),
        ((Day("2026-11-20", 9, 30.0),), 25),
        ((Day("2026-11-20", 40, 600.0),), 50),
        ((Day("2026-11-20", 20, 60.0), Day("2026-11-21", 20, 59.9)), 99),
        ((Day("2026-11-20", 20, 60.0), Day("2026-11-21", 20, 60.0)), 100),
        ((Day("2026-11-20", 20, 10.0), Day("2026-11-21", 20, 60.0), Day("2026-11-22", 20, 60.0)), 100),
    ],
)
def test_a_long_day_is_no_second_day_and_99_is_not_enough(days: tuple[Day, ...], percent: int) -> None:
    assert anna(*days).percent == percent


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((), "60 s of speech on each of 2 days"),
        ((Day(TODAY, 9, 22.5),), "38 s more speech today and 60 s of speech on another day"),
        ((Day(TODAY, 20, 60.0),), "60 s of speech on another day"),
        # What is past cannot be added to.
        ((Day("2026-11-20", 9, 22.5), Day(TODAY, 20, 61.0)), "60 s of speech on another day"),
        ((Day("2026-11-20", 9, 60.0), Day(TODAY, 20, 61.0)), ""),
    ],
)
def test_what_is_missing_is_said_in_seconds_and_days(days: tuple[Day, ...], said: str) -> None:
    assert missing(anna(*days), today=TODAY) == said


def test_a_stranger_and_the_background_need_one_day() -> None:
    assert Progress("strangers", "Olaf", (Day(TODAY, 9, 30.0),)).percent == 100
    assert missing(Progress("noise", "", (Day(TODAY, 1, 20.0),)), today=TODAY) == "40 s more background today"


def test_residents_come_first() -> None:
    mixed = [Progress("noise", "", ()), Progress("strangers", "A", ()), Progress("allowed", "Z", ()), anna()]
    assert [each.role for each in in_order(mixed)] == ["allowed", "allowed", "strangers", "noise"]
