"""The survey's advice: what is said, and at which figure it begins."""

from dataclasses import replace

import pytest

from training.corpus.index import Recording, Rejected
from training.corpus.survey import Part, Survey, people_of
from training.corpus.survey_likeness import Likeness, Pair, Surroundings
from training.corpus.survey_voices import Spread
from training.corpus.survey_warnings import ENOUGH_OTHERS, Advice, advise

GOOD = Recording(
    path="allowed/Anna/1/a.wav", role="allowed", speaker="Anna", session="1", seconds=40.0, sample_rate_hz=16000,
    sha256="", sound_sha256="", level_dbfs=-25.0, clipped_share=0.0, snr_db=30.0, speech_seconds=30.0,
)  # fmt: skip
NOBODY_ALIKE = Likeness(residents=(), surroundings=(), reference=Spread.of([0.0, 0.5]), look_alike_cosine=0.7)
TWO_DAYS = (GOOD, replace(GOOD, session="2", path="allowed/Anna/2/a.wav"))


def others(count: int, **changes: object) -> tuple[Part, ...]:
    found = [
        replace(GOOD, role="others", speaker=f"o{number}", path=f"others/o{number}.wav", **changes)  # type: ignore[arg-type]
        for number in range(count)
    ]
    return (Part(name="others", role="others", recordings=tuple(found)),) if found else ()


def survey(*recordings: Recording, groups: tuple[Part, ...] | None = None, likeness: Likeness = NOBODY_ALIKE,
           rejected: tuple[Rejected, ...] = ()) -> Survey:  # fmt: skip
    return Survey(
        name="home",
        residents=people_of(recordings),
        groups=others(ENOUGH_OTHERS) if groups is None else groups,
        voices=(),
        likeness=likeness,
        rejected=rejected,
    )


def said(*recordings: Recording, **more: object) -> list[str]:
    return [each.sentence for each in advise(survey(*recordings, **more))]  # type: ignore[arg-type]


def anna(**changes: object) -> list[str]:
    """What is said when the first of Anna's two recordings is changed."""
    return said(replace(TWO_DAYS[0], **changes), TWO_DAYS[1])  # type: ignore[arg-type]


def test_there_is_nothing_to_say_of_a_good_household() -> None:
    assert said(*TWO_DAYS) == []


def test_too_little_speech_in_one_session_is_told_with_what_is_missing() -> None:
    assert said(replace(GOOD, speech_seconds=21.0)) == [
        "Anna has 21 s of speech in one session: record 40 s more on another day."
    ]


def test_too_little_to_enrol_is_called_that() -> None:
    assert said(replace(GOOD, speech_seconds=19.99)) == [
        "Anna has 19 s of speech in one session, too little to enrol (20 s): record 50 s more on another day."
    ]
    assert "too little to enrol" not in said(replace(GOOD, speech_seconds=20.0))[0]
    assert said(replace(GOOD, speech_seconds=0.0))[0].endswith("record 60 s more on another day.")


@pytest.mark.parametrize(("seconds", "expected"), [(29.9, ["10 s more."]), (30.0, [])])
def test_a_minute_in_several_sessions_is_enough(seconds: float, expected: list[str]) -> None:
    found = anna(speech_seconds=seconds)
    assert len(found) == len(expected)
    assert all(text.endswith(end) for text, end in zip(found, expected, strict=True))
    assert all("59 s of speech in 2 sessions" in text for text in found)


def test_a_single_session_is_not_enough_however_long() -> None:
    found = said(replace(GOOD, seconds=500.0, speech_seconds=400.0))
    assert found == [
        "Anna has 400 s of speech in one session. Another day is another voice: record a minute on another day."
    ]


def test_a_first_session_that_cannot_be_enrolled_alone_is_told_with_the_way_out() -> None:
    long = replace(TWO_DAYS[1], seconds=90.0, speech_seconds=80.0)
    found = said(replace(GOOD, speech_seconds=19.9), long)
    assert len(found) == 1
    assert "first session, 1, has only 19 s" in found[0]
    assert 'sessions = "all"' in found[0]
    assert said(replace(GOOD, speech_seconds=20.0), long) == []


def test_clipped_recordings_are_named_from_a_thousandth_on_the_worst_first() -> None:
    assert anna(clipped_share=0.00099) == []
    assert anna(clipped_share=0.001)[0].startswith(
        "1 of 2 recordings of Anna is clipped: allowed/Anna/1/a.wav (0.1%). "
    )
    many = [replace(GOOD, path=f"{n}.wav", session=str(n), clipped_share=n / 100) for n in range(6)]
    text = said(*many)[0]
    assert "5 of 6 recordings of Anna are clipped: 5.wav (5.0%), 4.wav (4.0%), 3.wav (3.0%) and 2 more." in text


def test_quiet_recordings_are_named() -> None:
    assert anna(level_dbfs=-40.0) == []
    assert "1 of 2 recordings of Anna is quiet: allowed/Anna/1/a.wav (-46 dBFS)." in anna(level_dbfs=-46.2)[0]


def test_noise_is_judged_by_the_median() -> None:
    noisy = [replace(each, snr_db=9.0) for each in TWO_DAYS]
    assert "noisy: speech is typically 9 dB above the noise" in said(*noisy)[0]
    assert said(*[replace(each, snr_db=12.0) for each in TWO_DAYS]) == []
    assert said(noisy[0], TWO_DAYS[1], replace(GOOD, path="c.wav", session="3")) == []


def test_hardly_any_speech_and_a_telephone_s_rate_are_told() -> None:
    found = said(*(replace(each, seconds=200.0, sample_rate_hz=8000) for each in TWO_DAYS))
    assert "Only 15% of Anna's recordings is speech" in found[0]
    assert "recorded at 8000 Hz" in found[1]
    assert said(*(replace(each, seconds=100.0) for each in TWO_DAYS)) == []


@pytest.mark.parametrize(("count", "who"), [(0, "nobody"), (1, "one person"), (19, "19 people"), (20, "")])
def test_too_few_others_for_thresholds_are_counted(count: int, who: str) -> None:
    found = said(*TWO_DAYS, groups=others(count))
    assert [text.split(",")[0] for text in found] == ([f"others/ holds {who}"] if who else [])


def test_clipped_recordings_of_others_are_told_in_one_sentence() -> None:
    found = said(*TWO_DAYS, groups=others(20, clipped_share=0.5))
    assert len(found) == 1
    assert found[0].startswith("20 of 20 recordings in others/ are clipped")


def test_a_resident_who_also_stands_among_others_is_told_before_training_refuses() -> None:
    found = said(*TWO_DAYS, groups=(Part(name="others", role="others", recordings=(
        *others(20)[0].recordings, replace(GOOD, role="others"))),))  # fmt: skip
    assert found == ["Anna stands in allowed/ and in others/: training refuses that. Remove one of the two folders."]


def alike(cosine: float, *, own: float | None = 0.9, other: float = 0.5) -> Likeness:
    near = Pair(first="Anna", second="Olaf", cosine=other, rank=0.99)
    around = Surroundings(person="Anna", others=Spread.of([other]), nearest=(near,), own_other_session=own)
    pair = Pair(first="Anna", second="Bruno", cosine=cosine, rank=0.99)
    return replace(NOBODY_ALIKE, residents=(pair,), surroundings=(around,))


def test_look_alike_residents_are_told_from_the_closest_pair_in_a_hundred_on() -> None:
    assert said(*TWO_DAYS, likeness=alike(0.69)) == []
    assert "Anna and Bruno (0.70). The door opens to either" in said(*TWO_DAYS, likeness=alike(0.7))[0]


def test_an_other_who_is_as_near_as_the_person_on_another_day_is_told() -> None:
    found = said(*TWO_DAYS, likeness=alike(0.1, own=0.8, other=0.8))
    assert "Olaf from others/ sounds as much like Anna (0.80) as Anna on another day (0.80)" in found[0]
    assert said(*TWO_DAYS, likeness=alike(0.1, own=0.81, other=0.8)) == []
    assert said(*TWO_DAYS, likeness=alike(0.1, own=None, other=0.99)) == []


def test_files_that_were_left_out_are_told_residents_first() -> None:
    lost = tuple(
        Rejected(name, "empty file") for name in ("others/a.wav", "noise/b.wav", "rir/c.wav", "allowed/A/d.wav")
    )
    advice = advise(survey(*TWO_DAYS, rejected=lost))
    assert advice == (
        Advice(
            kind="left out",
            urgent=True,
            person="",
            sentence="4 were left out: allowed/A/d.wav (empty file), others/a.wav (empty file), noise/b.wav (empty "
            "file) and 1 more.",
        ),
    )
    assert not advise(survey(*TWO_DAYS, rejected=lost[:1]))[0].urgent


def test_what_is_urgent_comes_first_and_then_people_by_name() -> None:
    quiet = replace(GOOD, speaker="Zoe", level_dbfs=-50.0)
    short = replace(GOOD, speaker="Bruno", speech_seconds=30.0)
    found = advise(survey(quiet, replace(quiet, session="2"), short, *TWO_DAYS, groups=()))
    assert [(each.urgent, each.person) for each in found] == [(True, "Bruno"), (False, "Zoe"), (False, "")]
