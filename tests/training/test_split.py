"""The split: who is where, always the same, and the guard against every kind of leak."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from device.errors import DataError
from training.corpus.index import Index, Recording, Role
from training.corpus.split import Split, guard, speaker_hash, split


def recording(role: Role, speaker: str, session: str = "1", *, name: str = "a.wav") -> Recording:
    path = "/".join(part for part in (role, speaker, session, name) if part)
    content = f"{role} {speaker} {session} {name}"
    return Recording(path=path, role=role, speaker=speaker, session=session, seconds=3.0, sample_rate_hz=16000,
                     sha256=content, sound_sha256=content)  # fmt: skip


def table(*, strangers: int = 0, others: Iterable[str] = tuple(f"o{n}" for n in range(200))) -> Index:
    recordings = [recording("allowed", name, day) for name in ("Anna", "Bruno") for day in ("2026-02-01", "2026-01-01")]
    recordings += [recording("others", name) for name in others]
    recordings += [recording("strangers", f"s{number}") for number in range(strangers)]
    recordings += [recording("noise", "", "", name=f"{number}.wav") for number in range(60)]
    recordings += [recording("rir", "", "", name=f"evaluate-only/{number}.wav") for number in range(5)]
    recordings += [recording("crowd", "unknown", "1")]
    return Index(Path("/nowhere"), tuple(recordings), ())


def divided(index: Index, **changes: Any) -> Split:
    return split(index, **{"seed": 1, "validation_fraction": 0.2, "test_fraction": 0.2, "enrol_sessions": "first"}
                 | changes)  # fmt: skip


def people(recordings: Iterable[Recording]) -> set[str]:
    return {each.speaker for each in recordings}


def test_everybody_is_somewhere_once_and_in_about_the_shares_asked_for() -> None:
    parts = divided(table())
    sizes = [len(people(part)) for part in (parts.backbone, parts.validation, parts.test)]
    assert sum(sizes) == 200
    assert [size / 200 for size in sizes] == pytest.approx([0.6, 0.2, 0.2], abs=0.08)


def test_strangers_are_the_whole_test_and_are_never_learnt_from() -> None:
    parts = divided(table(strangers=9))
    assert people(parts.test) == {f"s{number}" for number in range(9)}
    assert people(parts.backbone) | people(parts.validation) == {f"o{number}" for number in range(200)}


def test_the_earliest_session_is_enrolled_whatever_the_order_of_files() -> None:
    parts = divided(table())
    assert {each.session for each in parts.enrol} == {"2026-01-01"}
    assert {each.session for each in parts.resident_test} == {"2026-02-01"}
    everything = divided(table(), enrol_sessions="all")
    assert len(everything.enrol) == 4
    assert everything.resident_test == ()


def test_another_seed_divides_otherwise_and_the_same_seed_never() -> None:
    assert divided(table()) == divided(table())
    assert people(divided(table()).validation) != people(divided(table(), seed=2).validation)


def test_people_who_join_or_leave_move_nobody() -> None:
    whole = divided(table())
    fewer = divided(table(others=[f"o{number}" for number in range(0, 200, 3)]))
    for part in ("backbone", "validation", "test"):
        assert people(getattr(fewer, part)) <= people(getattr(whole, part))


def test_noise_is_divided_by_file_and_what_is_for_evaluation_only_stays_out_of_training() -> None:
    parts = divided(table())
    assert len(parts.train_noise) + len(parts.test_noise) == 60
    assert 0 < len(parts.test_noise) < 30
    assert parts.train_rir == ()
    assert len(parts.test_rir) == 5


def test_a_resident_who_is_also_among_the_others_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="a speaker stands on both sides") as caught:
        divided(table(others=["Anna", "Olaf"]))
    assert "speaker Anna" in str(caught.value)
    assert "others/Anna/1/a.wav" in str(caught.value)


LEAKS = [
    ("validation", "backbone", "speaker"),
    ("test", "backbone", "speaker"),
    ("test", "validation", "speaker"),
    ("backbone", "resident_test", "speaker"),
    ("resident_test", "enrol", "session"),
    ("train_noise", "test_noise", "recording"),
    ("train_rir", "test_rir", "recording"),
    ("crowd", "test", "recording"),
]


@pytest.mark.parametrize(("part", "source", "what"), LEAKS)
def test_the_guard_names_a_leak_from_any_part_to_any_other(part: str, source: str, what: str) -> None:
    parts = divided(table())
    changes: dict[str, Any] = {part: getattr(parts, part) + getattr(parts, source)[:1]}
    with pytest.raises(DataError, match=f"a {what} stands on both sides") as caught:
        guard(replace(parts, **changes))
    assert getattr(parts, source)[0].path in str(caught.value)


def test_the_same_sound_under_another_speaker_or_session_is_a_leak() -> None:
    parts = divided(table())
    copied = replace(parts.validation[0], sound_sha256=parts.backbone[0].sound_sha256)
    with pytest.raises(DataError, match="a recording stands on both sides"):
        guard(replace(parts, validation=(copied,)))
    again = replace(parts.resident_test[0], sound_sha256=parts.enrol[0].sound_sha256)
    with pytest.raises(DataError, match="a recording stands on both sides"):
        guard(replace(parts, resident_test=(again,)))


def test_the_guard_names_all_offenders_at_once() -> None:
    parts = divided(table())
    leaking = replace(parts, validation=parts.validation + parts.backbone[:3])
    with pytest.raises(DataError) as caught:
        guard(leaking)
    assert all(f"speaker {each.speaker} " in str(caught.value) for each in parts.backbone[:3])


@pytest.mark.parametrize("wrong", [{"enrol_sessions": "last"}, {"validation_fraction": 0.9}, {"test_fraction": -0.1}])
def test_a_division_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="cannot split like this"):
        divided(table(), **wrong)


def test_a_speakers_hash_is_short_stable_and_not_the_name() -> None:
    assert speaker_hash("Anna") == speaker_hash("Anna") != speaker_hash("anna")
    assert len(speaker_hash("Anna")) == 16
    assert int(speaker_hash("Anna"), 16) >= 0
