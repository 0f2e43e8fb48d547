"""What the outlook is worth: told from a person's first days, held against a later day that nobody had enrolled.

``python -m pytest tests/training/test_outlook_on_real_speech.py -s`` prints the figures.
"""

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.sound.segmenter import cut_clips
from tests.conftest import ROOT
from training.backbone import read_backbone
from training.calibrate import choose_thresholds, chosen, evidence_of, fit_calibration, peaks, validation_trials, visits
from training.clips import SpokenClip
from training.corpus.measures import as_heard
from training.enrol import enrol
from training.outlook import Household, left_out
from training.voices import Voices

DAYS, CLIPS_A_DAY, RESIDENTS, HOUSEHOLDS = 3, 30, 5, 10
Rates = tuple[float, float]


@pytest.fixture(scope="module")
def told_and_true(speech_pack: Path) -> Callable[[int], Rates]:
    """For so many enrolled days: the mean FRR that the outlook tells, and that of the last day, which comes after."""
    artefact = read_backbone(ROOT / "models" / "backbone")
    clips = _clips(speech_pack, artefact.vad, artefact.segmenter)
    voices = artefact.embedder().voices(clips, progress=lambda *_: None, label="")
    trials = validation_trials(artefact.validation, artefact.validation_short, artefact.cohort, cohort_top=50,
                               prototypes=6)  # fmt: skip
    calibration = fit_calibration(trials, cohort_top=50)
    days = {name: sorted({clips[row].session for row in voices.of(name)}) for name in voices.names}

    def rates(enrolled: int) -> Rates:
        rng = np.random.default_rng(0)
        told, true = [], []
        for _ in range(HOUSEHOLDS):
            people = sorted(rng.choice(voices.names, RESIDENTS, replace=False).tolist())
            rows = _rows(voices, {name: days[name][:enrolled] for name in people})
            head = enrol(chosen(voices, rows), artefact.cohort, calibration, prototypes=6)
            limits = choose_thresholds(head, [artefact.validation, artefact.validation_short], trials, target_far=0.01,
                                       max_clips=3)  # fmt: skip
            home = Household(clips=[clips[row] for row in rows], voices=chosen(voices, rows), cohort=artefact.cohort,
                             head=head, thresholds=limits, prototypes=6)  # fmt: skip
            for name in people:
                later = chosen(voices, _rows(voices, {name: days[name][-1:]}))
                own = evidence_of(head, later)[:, [head.residents.index(name)]]
                held = visits(later.speakers, later.sessions, max_clips=3)
                told.append(left_out(home, name)["frr"])
                true.append(float(np.mean(peaks(own, held) < limits.open_llr)))
        return float(np.mean(told)), float(np.mean(true))

    return rates


def test_one_day_flatters_and_is_said_to(told_and_true: Callable[[int], Rates]) -> None:
    told, true = told_and_true(1)
    print(f"one day enrolled: told {told:.1%} of visits refused, on a later day {true:.1%} were")
    assert told + 0.05 < true


def test_a_day_left_out_does_not_flatter(told_and_true: Callable[[int], Rates]) -> None:
    told, true = told_and_true(2)
    print(f"two days enrolled: told {told:.1%} of visits refused, on a later day {true:.1%} were")
    assert told > true - 0.05


def _clips(pack: Path, vad, segmenter) -> list[SpokenClip]:  # type: ignore[no-untyped-def]
    """Of everybody in the pack with enough days whom the network has not met."""
    with (pack / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = [each for each in csv.DictReader(file) if each["kind"] == "speech" and each["use"] == "evaluate"]
    paths: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["corpus"].startswith("librispeech"):
            paths[f"{row['corpus']}-{row['speaker']}"][row["session"]].append(row["path"])
    clips = []
    for person, sessions in sorted(paths.items()):
        for day in sorted(sessions)[:DAYS] if len(sessions) >= DAYS else ():
            heard = [soundfile.read(pack / path, dtype="float32", always_2d=True) for path in sorted(sessions[day])]
            sound = np.concatenate([as_heard(samples, rate_hz) for samples, rate_hz in heard])
            clips += [SpokenClip(person, day, each) for each in cut_clips(sound, vad, segmenter)[:CLIPS_A_DAY]]
    assert len({each.speaker for each in clips}) >= RESIDENTS
    return clips


def _rows(voices: Voices, days: dict[str, list[str]]) -> np.ndarray:
    pairs = enumerate(zip(voices.speakers, voices.sessions, strict=True))
    return np.array([row for row, (name, day) in pairs if day in days.get(name, ())])
