"""How each resident is likely to fare: left out in turn, beside the nearest resident and the nearest stranger."""

import json
from typing import Any

import numpy as np
import pytest

from device.sound.pcm import CLIP_SAMPLES, Clip
from device.verdict.bundle import Thresholds
from training.calibrate import evidence_of, neutral
from training.clips import SpokenClip
from training.enrol import enrol
from training.outlook import Household, left_out, look_ahead, nearest_resident, nearest_strangers, outlook_of
from training.outlook_advice import advise, carries, terminal_lines
from training.outlook_page import section
from training.report import reports_of
from training.voices import Voices, joined

SIZE = 16
RNG = np.random.default_rng(11)
LIMITS = Thresholds(open_llr=4.0, refuse_llr=-2.0, max_clips=3, target_far=0.01, far_upper_bound=0.02,
                    validation_speakers=20, validation_visits=300)  # fmt: skip


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def voice(axis: int, *, day: int | None = None) -> np.ndarray:
    """A direction for a person, turned a long way for a ``day`` on which the voice is another."""
    made = np.zeros(SIZE)
    made[axis] = 1.0
    if day is not None:
        made[day] += 2.0
    return made + RNG.normal(0.0, 0.03, SIZE)


def spoken(person: str, session: str) -> SpokenClip:
    return SpokenClip(person, session, Clip(np.zeros(CLIP_SAMPLES, dtype=np.int16), 2.5, False, 0, 0.0, 3.0))


def household(*parts: tuple[str, str, int, int, int | None]) -> Household:
    """From (person, session, clips, axis, the day's own axis)."""
    rows = [
        (person, session, voice(axis, day=day)) for person, session, clips, axis, day in parts for _ in range(clips)
    ]
    people, sessions = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    voices = Voices(np.stack([unit(row[2]) for row in rows]), np.ones(len(rows)), people, sessions)
    cohort = np.stack([unit(RNG.normal(0.0, 1.0, SIZE)) for _ in range(60)])
    head = enrol(voices, cohort, neutral(20), prototypes=3)
    return Household(clips=[spoken(*each) for each in zip(people, sessions, strict=True)], voices=voices, cohort=cohort,
                     head=head, thresholds=LIMITS, prototypes=3)  # fmt: skip


def test_a_voice_that_is_the_same_on_both_days_is_let_in_on_the_day_left_out() -> None:
    home = household(("Anna", "d1", 6, 0, None), ("Anna", "d2", 6, 0, None), ("Bruno", "d1", 6, 1, None))
    told = left_out(home, "Anna")
    assert (told["kind"], told["visits"], told["refused"], told["frr"]) == ("session", 4, 0, 0.0)
    assert [each["session"] for each in told["by_session"]] == ["d1", "d2"]
    # Two of two days, two visits each, none refused: that allows for a lot.
    assert told["upper_bound"] == pytest.approx(1 - 0.05 ** (1 / 4), abs=1e-3)


def test_a_voice_that_is_another_on_its_second_day_is_refused_there_and_not_forgotten_by_the_bundle() -> None:
    home = household(("Anna", "d1", 6, 0, 5), ("Anna", "d2", 6, 0, 6), ("Bruno", "d1", 6, 1, None))
    told = left_out(home, "Anna")
    assert told["refused"] == told["visits"] == 4
    # The bundle itself, which knows both days, would let her in: that is what the leaving out is for.
    assert LIMITS.max_clips * evidence_of(home.head, home.voices)[:12, 0].min() > LIMITS.open_llr


def test_one_day_alone_is_judged_by_groups_of_clips_and_said_to_flatter() -> None:
    told = left_out(household(("Anna", "1", 9, 0, None), ("Bruno", "1", 6, 1, None)), "Anna")
    assert told["kind"] == "group"
    assert told["visits"] == 4
    assert "flatters" in carries(told)
    assert "4 visits are a hint only" in carries(told)


def test_a_single_clip_leaves_nothing_to_be_said() -> None:
    told = left_out(household(("Anna", "1", 1, 0, None), ("Bruno", "1", 6, 1, None)), "Anna")
    assert (told["kind"], told["visits"], told["frr"], told["upper_bound"]) == ("none", 0, None, None)
    assert "nothing can be said" in carries(told)


def test_the_nearest_resident_is_the_one_whose_voice_is_alike() -> None:
    home = household(("Anna", "1", 6, 0, None), ("Bruno", "1", 6, 1, None), ("Clara", "1", 6, 0, None))
    evidence = evidence_of(home.head, home.voices)
    told = nearest_resident(home, evidence, "Anna")
    assert told is not None
    assert told["name"] == "Clara"
    assert told["taken_for"] == told["visits"] == 2
    assert nearest_resident(household(("Anna", "1", 6, 0, None)), evidence, "Anna") is None


def test_the_nearest_stranger_is_the_one_whose_visits_come_closest_and_all_are_counted() -> None:
    # Three visits of Olaf's three clips each, one of Petra's; columns: Anna, Bruno.
    evidence = np.array([[1.0, -3.0]] * 6 + [[2.0, -3.0]] * 3 + [[-5.0, -1.0]] * 3)
    speakers, sessions = ["Olaf"] * 9 + ["Petra"] * 3, ["1"] * 12
    told = nearest_strangers(evidence, ["Anna", "Bruno"], speakers, sessions, LIMITS)
    assert told["Anna"] is not None
    assert told["Bruno"] is not None
    assert (told["Anna"]["name"], told["Anna"]["visits"], told["Anna"]["let_in"]) == ("Olaf", 3, 1)
    assert (told["Anna"]["all_visits"], told["Anna"]["all_let_in"]) == (4, 1)
    assert told["Anna"]["mean_peak_llr"] == 4.0
    assert told["Bruno"]["name"] == "Petra"
    assert nearest_strangers(np.zeros((0, 1)), ["Anna"], [], [], LIMITS) == {"Anna": None}


def test_without_a_test_the_people_of_the_threshold_stand_in_and_that_is_said_to_flatter() -> None:
    home = household(("Anna", "1", 6, 0, None), ("Bruno", "1", 6, 1, None))
    shipped = Voices(np.stack([unit(voice(7)) for _ in range(6)]), np.ones(6), ("0123456789abcdef",) * 6, ("1",) * 6)
    own = Voices(np.stack([unit(voice(0)) for _ in range(3)]), np.ones(3), ("Nora",) * 3, ("1",) * 3)
    told = outlook_of(home, {}, [shipped, shipped, own])
    assert "flatters" in told["strangers"]
    anna, bruno = (each["nearest_stranger"] for each in told["residents"])
    assert anna["name"] == "Nora"
    assert anna["all_visits"] == 3
    assert bruno["name"] in ("Nora", "unnamed 01234567")
    figures = {"nearest_strangers": {"Anna": None, "Bruno": None}, "counts": {"strangers": 61}}
    assert "61 of this test" in outlook_of(home, figures, [])["strangers"]


def row(**changes: Any) -> dict[str, Any]:
    left = {
        "kind": "session",
        "visits": 20,
        "refused": 1,
        "frr": 0.05,
        "upper_bound": 0.22,
        "by_session": [{"session": "d1", "visits": 10, "refused": 1}, {"session": "d2", "visits": 10, "refused": 0}],
    }
    near = {"name": "Bruno", "mean_llr": -4.2, "visits": 20, "taken_for": 0}
    stranger = {"name": "Olaf", "mean_peak_llr": -3.0, "visits": 4, "let_in": 0, "all_visits": 300, "all_let_in": 1,
                "upper_bound": 0.016}  # fmt: skip
    return {"person": "Anna", "speech_seconds": 130.0, "sessions": 2, "left_out": left, "nearest_resident": near,
            "nearest_stranger": stranger} | changes  # fmt: skip


def test_who_has_two_good_days_needs_nothing() -> None:
    assert advise(row(), target_far=0.01) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sessions": 1}, "record Anna on another day (60 s)"),
        ({"speech_seconds": 71.0}, "record 50 s more of Anna: 71 s over 2 days"),
        ({"left_out": row()["left_out"] | {"refused": 9, "frr": 0.45, "by_session": [
            {"session": "d1", "visits": 10, "refused": 2}, {"session": "d2", "visits": 10, "refused": 7}]}},
         "9 of 20 visits were refused, most on d2 (7 of 10)"),
        ({"nearest_resident": {"name": "Bruno", "mean_llr": 6.0, "visits": 20, "taken_for": 12}},
         "12 of 20 visits by Anna would also open as Bruno"),
        ({"nearest_stranger": row()["nearest_stranger"] | {"all_let_in": 30}},
         "30 of 300 visits by strangers would open as Anna"),
    ],
)  # fmt: skip
def test_what_is_amiss_is_said_with_what_to_record(changes: dict[str, Any], said: str) -> None:
    (advice,) = advise(row(**changes), target_far=0.01)
    assert said in advice


def test_the_terminal_gets_a_few_lines_a_resident_within_80_columns() -> None:
    bad = row(person="A very long name of somebody " * 2, sessions=1)
    outlook = {"residents": [row() | {"advice": []}, bad | {"advice": advise(bad, target_far=0.01)}],
               "strangers": "61 of this test"}  # fmt: skip
    lines = terminal_lines(outlook)
    assert max(map(len, lines)) <= 79
    text = "\n".join(lines)
    for part in ("Anna: 1 of 20 visits refused (at most 22% with 95 % confidence)", "nearest resident: Bruno",
                 "nearest stranger: Olaf, 0 of 4 visits let in; all: 1 of 300", "61 of this test"):  # fmt: skip
        assert part in text
    assert "-> record A very long name" in text


def test_the_page_and_the_json_hold_it_and_no_name_can_change_the_page() -> None:
    bad = "<td><script>alert(1)</script>"
    told = row(person=bad, nearest_resident={"name": bad, "mean_llr": 1.0, "visits": 2, "taken_for": 1})
    outlook = {"residents": [told | {"advice": advise(told, target_far=0.01)}], "strangers": "nobody"}
    html = section(outlook)
    assert "<script>" not in html
    assert "1 of 20" in html
    assert "What to record more of" in html
    reports = reports_of("home", {}, outlook, {"open_llr": 4.0})
    read = json.loads(reports["report.json"])
    assert read["outlook"]["residents"][0]["left_out"]["frr"] == 0.05
    assert read["evaluated"] is False
    assert b"was not evaluated" in reports["report.html"]
    assert b"<script>" not in reports["report.html"]


def test_all_of_it_is_ready_for_strict_json() -> None:
    home = household(("Anna", "1", 1, 0, None), ("Bruno", "d1", 4, 1, None), ("Bruno", "d2", 4, 1, None))
    told = look_ahead(home, {"Anna": None}, who="nobody")
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [each["person"] for each in told["residents"]] == ["Anna", "Bruno"]
    assert joined(home.voices, home.voices).speakers == home.voices.speakers * 2
