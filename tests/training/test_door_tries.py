"""What somebody who tries all day comes to: the figures of the report."""

from typing import Any

import pytest

from device.verdict.policy import PolicySpec
from tests.training.test_report import LIMITS, figures
from training.door_tries import HOUR_SECONDS, PATTERNS, judged_visits, most_within, tries_figures, waits_of_a_resident
from training.metrics import clopper_pearson_upper
from training.report import Report
from training.tries_page import section

SPEC = PolicySpec(open_llr=15.0, refuse_llr=-2.0)


def shares(opened: int, visits: int) -> dict[str, Any]:
    return {"visits": visits, "opened": opened, "share": opened / visits,
            "upper_bound": clopper_pearson_upper(opened, visits)}  # fmt: skip


@pytest.fixture(scope="module")
def tries() -> dict[str, Any]:
    made = tries_figures(SPEC, shares(8, 1000), shares(1, 1000), resident_llr=12.0)
    return {**made, "residents_strict": {"visits": 20, "opened": 19, "share": 0.95}}


def test_every_pattern_stays_below_what_holds_for_any(tries: dict[str, Any]) -> None:
    *patterns, bound = tries["patterns"]
    assert [row["pattern"] for row in patterns] == list(PATTERNS)
    assert bound["most_an_hour"] == 86
    for row in patterns:
        assert row["most_an_hour"] <= bound["most_an_hour"]
        assert row["usual_a_day"] + row["strict_a_day"] <= bound["usual_a_day"] + bound["strict_a_day"]
        assert row["usual_a_day"] <= bound["usual_a_day"]
        assert row["false_openings_a_day"] <= bound["false_openings_a_day"]


def test_false_openings_are_visits_times_the_share_that_opens(tries: dict[str, Any]) -> None:
    bound = tries["patterns"][-1]
    assert bound["false_openings_a_day"] == pytest.approx(77 * 0.008 + 1849 * 0.001)
    assert bound["at_most_a_day"] > bound["false_openings_a_day"]


def test_who_returns_every_hour_is_judged_less_often_than_who_stays(tries: dict[str, Any]) -> None:
    by_name = {row["pattern"]: row for row in tries["patterns"]}
    assert by_name["returning hourly"]["most_an_hour"] < 20
    assert by_name["talking on"]["most_an_hour"] == by_name["pausing"]["most_an_hour"]


def test_a_resident_gets_in_within_a_minute_after_anything(tries: dict[str, Any]) -> None:
    waits = tries["resident_waits_seconds"]
    assert waits["who comes first"] == 6.0
    assert all(seconds is not None and seconds <= 60.0 for seconds in waits.values())


def test_a_resident_who_never_reaches_the_bar_is_told_as_such() -> None:
    waits = waits_of_a_resident(SPEC, llr=1.0)
    assert set(waits.values()) == {None}


def test_a_pause_that_ends_with_the_wait_is_no_way_around_it() -> None:
    every_wait = (45.0 * number for number in range(1, 2000))
    held = judged_visits(SPEC, every_wait, until_seconds=24 * HOUR_SECONDS, llr=-5.0)
    assert most_within([each.at_seconds for each in held], HOUR_SECONDS) <= 80


def test_the_page_tells_both_and_a_report_without_them_is_still_a_report(tries: dict[str, Any]) -> None:
    page = Report("home", {**figures(), "tries": tries}, LIMITS).to_html()
    for part in ("Somebody who tries all day", "whatever the pattern, at most", ">86<", "after a stranger&#x27;s hour",
                 "8 of 1000", "19 of 20"):  # fmt: skip
        assert part in page, part
    assert section(tries) in page
    assert "Somebody who tries all day" not in Report("home", figures(), LIMITS).to_html()
