"""The spectrogram's settings on the same people and days, the variance of band means, and pitch."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import DataError
from device.sound.logmel import FrontendSpec
from device.sound.pcm import CLIP_SAMPLES, Clip
from tests.training.study.test_trials import pack
from training.benchmark.pack import Pack
from training.classifier import Classifier, ClassifierRecipe
from training.clips import SpokenClip
from training.study.households import Trials
from training.study.spectrogram import carry_out as study
from training.study.spectrogram.band_means import band_means, between_and_within
from training.study.spectrogram.carry_out import Run, carry_out, features_of, told_of, trials_in
from training.study.spectrogram.cuts import Pieces, cut, in_pieces, joined_speech
from training.study.spectrogram.page import page
from training.study.spectrogram.pitch import alone, people, speaker_share
from training.study.spectrogram.settings import BLIND, SPEECH, Setting, settings
from training.study.spectrogram.told import table

HOUSEHOLDS = Trials(Path("none"), draws=2, residents=4, enrol_seconds=30.0, seed=3)
SPEC = FrontendSpec()


def sounding(people: int = 24, clips: int = 12) -> Pack:
    """Each person a tone of their own; the last clip of a day is filled: half of it is a repetition."""
    time = np.arange(CLIP_SAMPLES) / 16000
    made = []
    for person in range(people):
        tone = (8000 * np.sin(2 * np.pi * (200 + 40 * person) * time)).astype(np.int16)
        for session in ("1", "2"):
            made += [SpokenClip(f"p{person:02d}", session, Clip(tone, 3.0, False, n, 3.0 * n, 3.0 * n + 3.0))
                     for n in range(clips - 1)]  # fmt: skip
            made.append(SpokenClip(f"p{person:02d}", session, Clip(tone, 1.5, True, clips, 90.0, 91.5)))
    names = {each.speaker: "c" for each in made}
    return Pack(made, names, {name: "mf"[int(name[1:]) % 2] for name in names}, [], [])


def test_each_setting_differs_in_one_thing_from_one_that_comes_before_it() -> None:
    found = settings(SPEC)
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    for place, each in enumerate(found):
        if each.against:
            other = found[names.index(each.against)]
            assert names.index(each.against) < place
            differing = [(each.frontend, each.cut, each.seconds), (other.frontend, other.cut, other.seconds)]
            assert sum(mine != theirs for mine, theirs in zip(*differing, strict=True)) == 1
    assert {"mel 20", "mel 128", "linear 64", "linear 128", "1 s", "5 s"} <= set(names)


def test_a_clip_of_another_length_is_cut_from_the_same_speech_without_what_filled_it() -> None:
    of = sounding(people=3, clips=4)
    joined = joined_speech(of)
    assert {len(sound) for sound in joined.values()} == {3 * CLIP_SAMPLES + CLIP_SAMPLES // 2}
    pieces = in_pieces(joined, of, seconds=2.0)
    assert pieces.samples.shape == (3 * 2 * 5, 32000)
    assert [each.speaker for each in pieces.pack.clips[:11]] == ["p00"] * 10 + ["p01"]
    assert (pieces.samples[0] == of.clips[0].clip.samples[:32000]).all()
    brief = in_pieces({("p00", "1"): np.arange(1, 5, dtype=np.int16)}, of, seconds=1.0)
    assert brief.samples[0, :6].tolist() == [1, 2, 3, 4, 1, 2]
    with pytest.raises(DataError, match="without sound"):
        in_pieces({("p00", "1"): np.zeros(0, dtype=np.int16)}, of, seconds=1.0)


def test_households_are_of_the_same_people_and_as_much_speech_at_every_length() -> None:
    of = sounding()
    whose = {}
    for seconds in (1.0, 3.0, 5.0):
        pieces = in_pieces(joined_speech(of), of, seconds=seconds)
        trials = trials_in(pieces, seconds, HOUSEHOLDS)
        whose[seconds] = [
            [sorted({pieces.pack.clips[row].speaker for row in rows})
             for rows in (made.tried, made.judging, made.learnt)]
            for made in trials
        ]  # fmt: skip
        made = trials[0]
        enrolled = [row for row in np.concatenate([made.learnt, made.seen]) if made.allowed[row]]
        assert len(enrolled) * seconds == 4 * 30.0
    assert whose[1.0] == whose[3.0] == whose[5.0]


def test_blind_cutting_takes_the_recordings_with_their_silence(tmp_path: Path) -> None:
    of = sounding(people=2, clips=2)
    sound = np.concatenate([np.zeros(16000), np.full(80000, 0.5)])
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    row = {"path": "a.wav", "kind": "speech", "corpus": "c", "speaker": "0", "session": "1"}
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerows([row, row | {"speaker": "unheard"}])
    names = {"c-0": "c"}
    heard = Pack([SpokenClip("c-0", "1", of.clips[0].clip)], names, dict.fromkeys(names, "f"), [], [])
    pieces = cut(Setting("blind", "silence", SPEC, BLIND), heard, tmp_path)
    assert pieces.samples.shape == (2, CLIP_SAMPLES)
    assert not pieces.samples[0, :16000].any()
    assert pieces.samples[0, 16000:].all()


def test_frames_follow_from_the_length() -> None:
    silent = np.zeros((2, 32000), dtype=np.int16)
    assert features_of(Pieces(silent, pack()), SPEC).shape == (2, 197, 64)


def test_a_killed_study_learns_only_what_it_had_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    of = sounding()
    learnt: list[tuple[int, ...]] = []
    batches: list[int] = []

    def learn(
        settings: Classifier, features: np.ndarray, allowed: np.ndarray, *, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        learnt.append(features.shape[1:])
        batches.append(settings.batch_size)
        return features[allowed].mean(axis=(0, 1)), features[~allowed].mean(axis=(0, 1))

    def ask(network: tuple[np.ndarray, np.ndarray], features: np.ndarray) -> np.ndarray:
        heard = features.mean(axis=1)
        return np.abs(heard - network[1]).mean(axis=1) - np.abs(heard - network[0]).mean(axis=1)

    monkeypatch.setattr(study, "learn_classifier", learn)
    monkeypatch.setattr(study, "float_scores", ask)
    spec = FrontendSpec(mel_bands=8, remove_band_mean=False)
    every = [Setting("mel 8", "bands", spec), Setting("2 s", "length", spec, SPEECH, 2.0, against="mel 8")]
    counts: list[int] = []

    def run(some: list[Setting]) -> list[Run]:
        return list(carry_out(some, of, ClassifierRecipe(classifier=Classifier()), HOUSEHOLDS, runs=tmp_path,
                              progress=lambda *_: None, ended=lambda runs: counts.append(len(runs))))  # fmt: skip

    run(every[:1])
    assert learnt == [(297, 8)] * 2
    found = run(every)
    assert learnt == [(297, 8)] * 2 + [(197, 8)] * 2
    assert counts == [1, 1, 2]
    # As many steps: of clips two thirds as long there are half as many again.
    assert batches == [32, 32, 48, 48]
    rows = told_of(found, seed=1)
    assert "less" not in rows[0]
    assert set(rows[1]["less"]) == {"eer", "frr_where_far_is_1pct"}
    assert rows[1]["less"]["eer"]["low"] <= rows[1]["less"]["eer"]["mean"] <= rows[1]["less"]["eer"]["high"]
    assert len(rows[1]["less"]["eer"]["each"]) == 2
    told = {
        "command": "c", "draws": 2, "residents": 4, "pack": {"speakers": 24}, "settings": rows, "pitch": None,
        "band_means": band_means(of, spec),
    }  # fmt: skip
    json.dumps(told, allow_nan=False)
    assert "2 s against mel 8" in page(told)
    assert table(told).count("\n") == 3


def test_what_is_all_the_speakers_and_what_is_all_the_days() -> None:
    rng = np.random.default_rng(1)
    speakers = np.repeat([f"p{n}" for n in range(40)], 3)
    own = np.repeat(rng.normal(0, 3, 40), 3)
    day = rng.normal(0, 3, 120)
    found = between_and_within(np.stack([own, day, own + day], axis=1), speakers)
    assert found.share[0] == 1.0
    assert found.share[1] < 0.2
    assert 0.35 < found.share[2] < 0.65
    assert found.ratio[1] == pytest.approx(1.0, abs=0.5)
    with pytest.raises(DataError, match="told from the voice"):
        between_and_within(np.zeros((3, 1)), np.array(["a", "b", "c"]))


def test_band_means_are_of_people_with_several_days_and_follow_the_voice() -> None:
    of = sounding(people=6, clips=2)
    brief = Pack([each for each in of.clips if (each.speaker, each.session) != ("p00", "2")], of.corpus, of.sex, [], [])
    found = band_means(brief, SPEC)
    assert set(found["speakers"]) == {f"p{n:02d}" for n in range(1, 6)}
    assert found["sessions"] == 10
    assert max(found["as_recorded"]["share"]) > 0.99
    loudest = {name: found["centres_hz"][int(np.argmax(levels))] for name, levels in found["speakers"].items()}
    assert all(abs(hz - (200 + 40 * int(name[1:]))) < 30 for name, hz in loudest.items())


def test_pitch_tells_voices_apart_that_differ_in_it_and_no_others() -> None:
    of = sounding()
    trials = trials_in(cut(settings(SPEC)[0], of, Path()), 3.0, HOUSEHOLDS)
    own = np.array([100.0 + 5.0 * int(each.speaker[1:]) for each in of.clips])
    told = people(of, own)
    assert told[3] == {"person": "p03", "sex": "f", "sessions_hz": [115.0, 115.0]}
    assert speaker_share(told) == pytest.approx(1.0)
    assert speaker_share(told, "x") is None
    found = alone(of, own, trials)
    assert found["household_eer"] == found["same_sex_eer"] == 0.0
    by_chance = alone(of, np.random.default_rng(1).uniform(100, 200, len(own)), trials)
    assert 0.35 < by_chance["household_eer"] < 0.65
    deaf = alone(of, np.full(len(own), np.nan), trials)
    assert (deaf["household_eer"], deaf["trials"]) == (None, 0)
