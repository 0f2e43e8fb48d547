"""The report: complete, self-contained, honest about what the counts carry."""

import json
import re
from typing import Any

import numpy as np
import pytest

from device.errors import DataError
from training.charts import det_curve, histograms
from training.report import Report

LIMITS = {"open_llr": 2.8, "refuse_llr": -2.5, "max_clips": 3}


def rates(*, intervals: bool, eer: float = 0.066) -> dict[str, Any]:
    value = {"value": eer, **({"low": 0.02, "high": 0.11} if intervals else {})}
    names = ("eer", "frr_at_far_1pct", "frr_at_far_01pct", "min_dcf", "cllr")
    counts = {"residents_accepted": 20, "residents_refused": 24, "strangers_accepted": 3, "strangers_refused": 1997}
    return {unit: dict.fromkeys(names, value) | {"at_threshold": {"far": 0.0015, "frr": 0.54, "f1": 0.597, **counts}}
            for unit in ("clip", "visit")}  # fmt: skip


def visits(opened: int, of: int) -> dict[str, Any]:
    return {"visits": of, "opened": opened, "share": opened / of, "upper_bound": 0.0099, "people": 61,
            "people_let_in": 0, "people_upper_bound": 0.048,
            "speech_seconds_until_open": 2.5 if opened else None}  # fmt: skip


def figures(*, stranger_clips: int = 2000, stranger: str = "Olaf") -> dict[str, Any]:
    rng = np.random.default_rng(1)
    row = {"clips": 9, "accepted": 0.5, "mean_llr": 1.0, "highest_llr": 3.0}
    return {
        "counts": {"residents": 5, "resident_clips": 180, "strangers": 61, "stranger_clips": stranger_clips},
        "runs_in": "int8",
        "int8": rates(intervals=True),
        "float": rates(intervals=True, eer=0.0777),
        "conditions": {"noise 10 dB": rates(intervals=False, eer=0.1234) | {"accepted": {"Anna": 0.25}}},
        "door": {"residents": visits(48, 63), "strangers": visits(0, 300)},
        "long": {"strangers": {"hours": 1.7, "decisions": 900, "openings": 0, "per_hour": 0.0,
                               "upper_bound_per_hour": 1.76}},
        "per_person": [{"role": "stranger", "person": stranger, **row}, {"role": "resident", "person": "Anna", **row}],
        "scores": {"residents": rng.normal(3, 1, 180).tolist(), "strangers": rng.normal(-5, 3, 500).tolist()},
    }  # fmt: skip


def page(**changes: Any) -> str:
    return Report("home: 5 residents", figures(**changes), LIMITS).to_html()


def test_the_page_holds_every_figure_a_reader_needs() -> None:
    html = page()
    for part in ("48 of 63", "0 of 300", "5 residents", "61 strangers", "6.60%<br><small>2.0% to 11.0%</small>",
                 "7.77%", "noise 10 dB",
                 "12.34%", "Anna", "Olaf", "as recorded", "How to read this", "0.597", "25.0%", "1.70 h", "1.8",
                 "2.5 s", "0 of 61 strangers"):  # fmt: skip
        assert part in html
    assert html.index("Anna") < html.index("Olaf")
    assert html.count("<svg viewBox=") == 4


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing() -> None:
    assert not re.search(r"https?:|src=|href=|url\(|@import|<script|<link", page())


def test_the_page_has_colours_for_light_and_for_dark() -> None:
    assert "color-scheme: light dark" in page()
    assert "prefers-color-scheme: dark" in page()


@pytest.mark.parametrize("begin", ["", "<td>", "<td "])
def test_names_of_people_cannot_change_the_page(begin: str) -> None:
    html = page(stranger=f"{begin}<script>alert(1)</script>")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>x" not in Report("<b>x", figures(), LIMITS).to_html()


def test_no_stranger_let_in_is_told_with_the_bound_and_not_as_never() -> None:
    assert "below 0.99% with 95 % confidence" in page()


def test_a_rate_that_few_clips_decide_is_called_a_hint() -> None:
    assert "FAR 0.1% is 2 of the strangers" in page(stranger_clips=2000)
    assert "more than a hint" not in page(stranger_clips=50_000)


def test_a_rate_that_no_strangers_trial_stands_behind_is_not_claimed() -> None:
    told = figures()
    told["int8"]["visit"] = told["int8"]["visit"] | {"frr_at_far_01pct": {"value": 0.4321, "strangers_behind_it": 0.3}}
    html = Report("home", told, LIMITS).to_html()
    assert "43.21%" not in html
    assert "too few strangers" in html


def test_a_door_that_never_opened_says_so() -> None:
    told = figures()
    told["door"]["residents"] = visits(0, 63)
    assert "<b>never</b>" in Report("home", told, LIMITS).to_html()


def test_a_network_that_runs_in_float_is_not_called_int8() -> None:
    told = figures() | {"runs_in": "float32"}
    html = Report("home", told, LIMITS).to_html()
    assert "float32, one clip" in html
    assert "int8, one" not in html


def test_a_report_without_its_float_network_says_nothing_of_it() -> None:
    told = figures()
    del told["float"]
    html = Report("refresh", told, LIMITS).to_html()
    assert "int8, one clip" in html
    assert "float, one clip" not in html


@pytest.mark.parametrize("key", ["counts", "runs_in", "int8", "door", "per_person", "scores", "conditions", "long"])
def test_a_missing_part_is_an_error_and_not_an_empty_table(key: str) -> None:
    told = figures()
    del told[key]
    with pytest.raises(DataError, match=key):
        Report("home", told, LIMITS)


def test_the_json_holds_the_same_and_only_what_strict_readers_take() -> None:
    report = Report("home", figures(), LIMITS)
    read = json.loads(report.to_json())
    assert read["thresholds"] == LIMITS
    assert read["int8"] == figures()["int8"]
    broken = figures() | {"float": {"clip": float("nan")}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        Report("home", broken, LIMITS).to_json()


def heights(svg: str, css: str) -> list[float]:
    return [float(each) for each in re.findall(rf'class={css} [^>]*height="([\d.]+)"', svg)]


def test_each_group_is_drawn_to_its_own_height_and_the_thresholds_are_in_the_picture() -> None:
    svg = histograms([3.0, 3.0, 5.0], [-4.0] * 100, open_llr=20.0, refuse_llr=-30.0)
    assert sorted(heights(svg, "in")) == [50.0, 100.0]
    assert heights(svg, "out") == [100.0]
    places = [float(each) for each in re.findall(r'<line x1="([\d.]+)"', svg)]
    assert len(places) == 2
    assert all(20 <= each <= 880 for each in places)


def test_equal_scores_can_still_be_drawn() -> None:
    assert "<rect" in histograms([1.0], [1.0], open_llr=1.0, refuse_llr=1.0)
    assert "<polyline" in det_curve([1.0], [1.0], open_llr=1.0)


def test_the_curve_falls_from_refusing_all_to_accepting_all_within_its_frame() -> None:
    rng = np.random.default_rng(2)
    svg = det_curve(rng.normal(1, 1, 300).tolist(), rng.normal(-1, 1, 900).tolist(), open_llr=0.0)
    found = re.search(r'points="([^"]+)"', svg)
    assert found is not None
    points = np.array([[float(number) for number in pair.split(",")] for pair in found.group(1).split()])
    assert (np.diff(points[:, 0]) <= 0).all()
    assert (np.diff(points[:, 1]) <= 0).all()
    assert points[:, 0].min() >= 60
    assert points[:, 0].max() <= 460
    assert points[:, 1].min() >= 30
    assert points[:, 1].max() <= 430
