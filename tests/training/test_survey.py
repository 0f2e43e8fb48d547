"""The survey on synthetic voices whose pitch, level and silence are known."""

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from device.errors import DataError, StateError
from device.sound.logmel import FrontendSpec
from device.verdict.interpreter import unit_length
from training.backbone import read_backbone
from training.corpus import survey_page, survey_plots
from training.corpus.index import Recording, index_folder
from training.corpus.survey import (
    CLIPS_PER_PERSON,
    MOST_DETAILED,
    Part,
    Survey,
    enough_for,
    measure,
    people_of,
    to_json,
)
from training.corpus.survey_likeness import compare
from training.corpus.survey_page import add_parser, make_survey, to_html, write_survey
from training.corpus.survey_svg import short
from training.corpus.survey_voices import Example, Spectrum, Voice, follow_pitch, long_term_spectrum
from training.corpus.survey_warnings import advise
from training.voices import Voices

RATE_HZ = 16_000
LEVEL_DBFS = -20.0
PITCH_HZ = {"Anna": 210.0, "Bruno": 115.0, "Carla": 160.0}
FORMANTS_HZ = {"Anna": (850, 1500, 2900), "Bruno": (550, 1000, 2400), "Carla": (700, 1900, 2600)}


def voice(seconds: float, *, pitch_hz: float, formants_hz: tuple[float, ...], level_dbfs: float) -> NDArray[np.float64]:
    """A pulse train through resonances, in syllables of a third of a second; full scale 1."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    cycles = np.floor(time * pitch_hz)
    sound = np.diff(cycles, prepend=-1.0)
    for formant in formants_hz:
        radius, angle = np.exp(-np.pi * 90.0 / RATE_HZ), 2 * np.pi * formant / RATE_HZ
        sound = lfilter([1.0], [1.0, -2.0 * radius * np.cos(angle), radius**2], sound)
    sound = sound * (0.65 + 0.35 * np.sin(2 * np.pi * 3.0 * time))
    return np.asarray(sound / np.sqrt(np.mean(np.square(sound))) * 10.0 ** (level_dbfs / 20.0))


def record(path: Path, who: str, *, silence: float = 1.0, seed: int = 0) -> None:
    """4 s of ``who``'s voice between two faint silences."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spoken = voice(4.0, pitch_hz=PITCH_HZ[who], formants_hz=FORMANTS_HZ[who], level_dbfs=LEVEL_DBFS)
    sound = np.concatenate([np.zeros(round(silence * RATE_HZ)), spoken, np.zeros(round(silence * RATE_HZ))])
    soundfile.write(path, sound + np.random.default_rng(seed).normal(0.0, 1e-4, len(sound)), RATE_HZ)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("r")
    for seed in range(3):
        record(folder / f"allowed/Anna/2026-01-0{1 + seed % 2}/{seed}.wav", "Anna", seed=seed)
        record(folder / f"allowed/Bruno/{seed}.wav", "Bruno", seed=10 + seed)
        record(folder / f"others/Anna's twin/{seed}.wav", "Anna", seed=20 + seed)
        record(folder / f"others/Carla/{seed}.wav", "Carla", seed=30 + seed)
    return folder


@pytest.fixture(scope="module")
def survey(root: Path, models: Path) -> Survey:
    return measure(index_folder(root), read_backbone(models / "backbone"))


@pytest.fixture(scope="module")
def html(survey: Survey) -> str:
    return to_html(survey, advise(survey))


def resident(survey: Survey, name: str) -> Part:
    return next(each for each in survey.residents if each.name == name)


def test_the_pitch_of_every_resident_is_right_within_three_percent(survey: Survey) -> None:
    for each in survey.voices:
        assert each.pitch is not None
        assert each.pitch.hz.median == pytest.approx(PITCH_HZ[each.person], rel=0.03)
        assert each.pitch.hz.low == pytest.approx(PITCH_HZ[each.person], rel=0.03)
    assert [each.person for each in survey.voices] == ["Anna", "Bruno"]


def test_hum_is_no_voice() -> None:
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    hum = 0.02 * np.sin(2 * np.pi * 60.0 * time)
    spoken = voice(3.0, pitch_hz=115.0, formants_hz=FORMANTS_HZ["Bruno"], level_dbfs=-20.0) * (time < 1.0)
    track = follow_pitch(np.round((hum + spoken) * 32767).astype(np.int16))
    assert np.nanmedian(track) == pytest.approx(115.0, rel=0.03)
    assert np.isnan(track[120:]).all()


def test_recordings_speech_and_level_are_told_for_each_person_and_session(survey: Survey) -> None:
    anna = resident(survey, "Anna")
    assert [(each.name, len(each.recordings)) for each in anna.sessions] == [("2026-01-01", 2), ("2026-01-02", 1)]
    assert anna.seconds == pytest.approx(18.0, abs=0.01)
    # 4 of 6 s are speech; the detector holds on for a moment.
    assert anna.speech_ratio == pytest.approx(4 / 6, abs=0.06)
    assert sum(each.speech_seconds for each in anna.sessions) == pytest.approx(anna.speech_seconds)
    assert anna.spread("level_dbfs").median == pytest.approx(LEVEL_DBFS + 10 * np.log10(4 / 6), abs=0.2)
    assert anna.spread("snr_db").median > 40.0


def test_the_nearest_other_is_the_one_with_the_same_voice(survey: Survey) -> None:
    around = {each.person: each for each in survey.likeness.surroundings}
    assert around["Anna"].nearest[0].second == "Anna's twin"
    twin, next_one = (1.0 - each.cosine for each in around["Anna"].nearest[:2])
    assert twin < 0.1 * next_one
    assert survey.others_heard == 2
    assert survey.others_known == 0


def test_the_average_spectrum_peaks_where_the_voice_does_and_knows_no_loudness() -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    tone = np.sin(2 * np.pi * 1000.0 * time)
    loud, faint = (long_term_spectrum([np.round(tone * peak).astype(np.int16)]) for peak in (20_000, 2_000))
    peak = loud.bands_hz[int(np.argmax(loud.level_db))]
    assert 1000.0 / 2 ** (1 / 12) <= peak <= 1000.0 * 2 ** (1 / 12)
    assert np.mean(loud.level_db) == pytest.approx(0.0, abs=0.01)
    assert np.argmax(loud.level_db) == np.argmax(faint.level_db)


def test_drawing_twice_gives_the_same_page(survey: Survey, html: str, tmp_path: Path) -> None:
    write_survey(survey, tmp_path)
    assert (tmp_path / "survey.html").read_text() == html


def test_the_json_is_strict_and_tells_what_the_page_tells(survey: Survey) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(to_json(survey, advise(survey)), parse_constant=refuse)
    anna = read["residents"][0]
    assert anna["name"] == "Anna"
    assert anna["pitch"]["hz"]["median"] == pytest.approx(210.0, rel=0.03)
    assert [each["recordings"] for each in anna["sessions"]] == [2, 1]
    assert read["groups"][0]["people"] == 2
    assert read["likeness"]["residents"][0]["second"] == "Bruno"
    assert any("Anna has 1" in each["sentence"] for each in read["advice"])


def test_a_figure_that_is_not_a_number_is_refused(survey: Survey) -> None:
    broken = replace(survey, likeness=replace(survey.likeness, look_alike_cosine=float("nan")))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(broken, ())


def outside(html: str) -> list[str]:
    """Everything by which a page could load or run something."""
    inside = re.sub(r'(href="|url\()#[\w-]+', "", re.sub(r'href="data:image/png;base64,', "", html))
    return re.findall(r"https?:|src=|href=|url\(|@import|<script|<link|<iframe|\son\w+=", inside)


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing(html: str) -> None:
    assert outside(html) == []
    assert "color-scheme: light dark" in html
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html


def test_advice_comes_first_and_every_picture_has_a_text_and_a_sentence(html: str) -> None:
    assert html.index("What to do") < html.index("<table") < html.index("<svg")
    assert "Bruno has 1" in html
    pictures = len(re.findall("<svg ", html))
    assert pictures == 11
    assert len(re.findall(r'<svg viewBox="[^"]+" role="img" aria-label="[^"]{10,}"', html)) == pictures
    assert len(re.findall(r"<figcaption>[^<]{20,}\.</figcaption>", html)) == pictures


def test_pictures_take_the_page_s_colours_and_share_no_ids(html: str) -> None:
    assert "currentColor" in html
    assert "var(--h1)" in html
    assert not re.search(r"#01f00\d|#010101", html)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', html)) <= set(ids)


def test_names_of_people_cannot_change_the_page(survey: Survey) -> None:
    name = '<script>alert("$1$")</script>'
    html = to_html(renamed(survey, name), advise(renamed(survey, name)))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def renamed(survey: Survey, name: str) -> Survey:
    anna = resident(survey, "Anna")
    mine = tuple(replace(each, speaker=name, session=name) for each in anna.recordings)
    around = tuple(replace(each, person=name) for each in survey.likeness.surroundings)
    return replace(
        survey,
        name=name,
        residents=(replace(anna, name=name, recordings=mine), *survey.residents[1:]),
        voices=tuple(replace(each, person=name, example=replace_session(each.example, name)) for each in survey.voices),
        likeness=replace(survey.likeness, surroundings=around),
    )


def replace_session(example: Example, name: str) -> Example:
    return replace(example, session=name)


def test_a_long_name_keeps_both_ends_and_an_odd_one_stays_on_its_line() -> None:
    assert short("librispeech_train_clean-405", 11) == "libri…n-405"
    assert short("Anna") == "Anna"
    assert short("An\nna") == "An?na"


def test_more_residents_than_are_shown_are_told_on_the_page(
    survey: Survey, html: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_plots, "spectrogram_plot", lambda voice, number: "")
    anna = resident(survey, "Anna")
    many = tuple(replace(anna, name=f"p{number:02d}") for number in range(survey_plots.MOST_ROWS + 1))
    spectrum = Spectrum(bands_hz=(100.0, 200.0), level_db=(1.0, -1.0))
    voices = tuple(
        Voice(person=each.name, pitch=None, spectrum=spectrum, example=survey.voices[0].example)
        for each in many[:MOST_DETAILED]
    )
    crowded = to_html(replace(survey, residents=many, voices=voices), ())
    sentences = (f"Of {len(many)} residents the first {MOST_DETAILED} by name", "show the first 40 residents")
    assert all(each in crowded for each in sentences)
    assert not any(each in html for each in ("residents the first", "show the first"))
    assert crowded.count("p40") == 3, "in the table of residents and twice in that of sessions, in no picture"


def test_a_household_without_others_is_surveyed_and_told_so(root: Path, models: Path, tmp_path: Path) -> None:
    alone = tmp_path / "home"
    (alone / "allowed").mkdir(parents=True)
    (alone / "allowed/Bruno").symlink_to(root / "allowed/Bruno")
    advice = make_survey(alone, tmp_path / "out", backbone=models / "backbone")
    assert any("others/ holds nobody" in each.sentence for each in advice)
    html = (tmp_path / "out/survey.html").read_text()
    assert "nobody else, for want of others/" in html
    assert "Voices in home" in html
    told = json.loads((tmp_path / "out/survey.json").read_text())
    assert told["likeness"]["residents"] == []
    assert told["likeness"]["surroundings"][0]["others"] is None


def test_a_resident_without_speech_is_told_and_not_drawn(root: Path, models: Path, tmp_path: Path) -> None:
    home = tmp_path / "home/allowed/Dora"
    home.mkdir(parents=True)
    soundfile.write(home / "a.wav", np.random.default_rng(5).normal(0.0, 2e-4, RATE_HZ), RATE_HZ)
    advice = make_survey(tmp_path / "home", tmp_path / "out", backbone=models / "backbone")
    assert any("Dora has 0 s of speech" in each.sentence for each in advice)
    html = (tmp_path / "out/survey.html").read_text()
    assert "The voices" not in html
    assert "Who sounds like whom" not in html


def test_nobody_to_survey_is_an_error_and_leaves_no_page(models: Path, tmp_path: Path) -> None:
    (tmp_path / "home/allowed").mkdir(parents=True)
    with pytest.raises(DataError, match="no usable recording"):
        make_survey(tmp_path / "home", tmp_path / "out", backbone=models / "backbone")
    assert not (tmp_path / "out").exists()


def test_a_survey_that_cannot_be_drawn_leaves_the_older_one(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_survey(survey, tmp_path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}

    def fail(*_: object) -> str:
        raise RuntimeError("no font")

    monkeypatch.setattr(survey_page, "to_html", fail)
    with pytest.raises(RuntimeError, match="no font"):
        write_survey(replace(survey, name="newer"), tmp_path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_place_that_cannot_be_written_is_named(survey: Survey, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError, match="survey cannot be written"):
        write_survey(survey, tmp_path / "file")


def test_the_command_writes_both_files_and_says_what_to_do(
    root: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    paths = ["--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"), "--backbone", str(models / "backbone")]
    arguments = parser.parse_args(["survey", str(root), *paths])
    assert arguments.action(arguments) == 0
    said = capsys.readouterr().out
    assert "! Bruno has 1" in said
    assert str(tmp_path / "out" / "survey.html") in said
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["survey.html", "survey.json"]


def test_no_more_is_opened_of_a_person_than_is_needed_and_every_session_has_its_part() -> None:
    def recording(session: str, number: int) -> Recording:
        return Recording(path=f"allowed/A/{session}/{number}.wav", role="allowed", speaker="A", session=session,
                         seconds=5.0, sample_rate_hz=16000, sha256="", sound_sha256="", speech_seconds=4.0)  # fmt: skip

    person = people_of([recording(session, number) for session in "xyz" for number in range(50)])[0]
    chosen = enough_for(person, speech_seconds=24.0)
    assert [each.session for each in chosen] == ["x", "y", "z", "x", "y", "z"]
    assert len(enough_for(person, speech_seconds=1e9)) == 150


def voices(people: dict[str, list[list[float]]], sessions: str = "") -> Voices:
    rows = np.array([row for mine in people.values() for row in mine], dtype=np.float32).reshape(-1, 2)
    names = tuple(name for name, mine in people.items() for _ in mine)
    return Voices(unit_length(rows), np.ones(len(rows)), names, tuple(sessions or "1" * len(rows)))


def test_pairs_are_ranked_by_cosine_and_told_against_pairs_of_unknown_people() -> None:
    own = voices({"A": [[1, 0]] * 4, "B": [[1, 0.1]], "C": [[0, 1]]}, "1122" + "11")
    reference = voices({"r": [[1, 0]], "s": [[1, 1]], "t": [[-1, 0]]})
    told = compare(own, voices({"o": [[1, 0.2]], "p": [[-1, 0]]}), reference, clips_per_person=CLIPS_PER_PERSON)
    assert [(each.first, each.second) for each in told.residents] == [("A", "B"), ("B", "C"), ("A", "C")]
    assert told.residents[0].cosine == pytest.approx(1 / np.sqrt(1.01), abs=1e-4)
    assert told.residents[0].rank == 1.0
    assert told.residents[2].rank == pytest.approx(2 / 3, abs=1e-4)
    first = told.surroundings[0]
    assert [each.second for each in first.nearest] == ["o", "p"]
    assert first.own_other_session == pytest.approx(1.0)
    assert told.surroundings[1].own_other_session is None
    assert told.look_alike_cosine <= 1 / np.sqrt(2) + 1e-4


def test_the_example_is_the_network_s_own_picture_with_its_level(survey: Survey) -> None:
    example = survey.voices[0].example
    assert example.mel_db.shape == FrontendSpec().shape[::-1]
    assert example.mel_db.max() > -60.0
    assert example.linear_db.shape[0] == 161
