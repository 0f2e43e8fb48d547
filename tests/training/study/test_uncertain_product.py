"""The door's own network asked four times: a trial's residents stand out, and nobody it has met is asked about."""

from pathlib import Path

import numpy as np
import pytest

from device.errors import DataError
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.interpreter import unit_length
from tests.training.study.test_trials import drawn, pack
from training.benchmark.systems import Judged, System
from training.corpus.split import speaker_hash
from training.study.uncertainty import product
from training.study.uncertainty.product import PLAIN, SEVERAL, product_answers

SIZE = 24


def judged() -> Judged:
    cohort = unit_length(np.random.default_rng(9).standard_normal((40, SIZE)).astype(np.float32))
    return Judged(b"", FrontendSpec(), VadSpec(), SegmenterSpec(), cohort, {})


def listening(monkeypatch: pytest.MonkeyPatch, *, met: frozenset[str] = frozenset()) -> None:
    """A network whose embeddings are the person and some noise, more of it in the other conditions."""
    of = pack(people=60)
    rng = np.random.default_rng(1)
    person = {name: rng.standard_normal(SIZE) for name in of.speakers}
    voices = np.stack([person[each.speaker] for each in of.clips])

    def heard(noise: float) -> np.ndarray:
        return unit_length((voices + noise * rng.standard_normal(voices.shape)).astype(np.float32))

    clean, copies = heard(0.3), np.stack([heard(0.8) for _ in range(3)])
    monkeypatch.setattr(product, "int8_system", lambda each: System("int8", "k", len, each.cohort, met))
    monkeypatch.setattr(product, "kept_embeddings", lambda *_: clean)
    monkeypatch.setattr(product, "enrolment_copies", lambda *_, seed: copies)


def test_residents_on_another_day_stand_out_and_four_hearings_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    listening(monkeypatch)
    of = pack(people=60)
    made = drawn(of)
    found = product_answers(of, [made], judged(), folder=Path(), seed=1)[0]
    assert found[PLAIN].shape == (1, len(of.clips))
    assert found[SEVERAL].shape == (4, len(of.clips))
    assert (found[SEVERAL][0] == found[PLAIN][0]).all()
    assert found[SEVERAL].std(axis=0).min() > 0.0
    assert np.quantile(found[PLAIN][0][made.tried], 0.05) > np.quantile(found[PLAIN][0][made.judging], 0.95)


def test_somebody_it_has_met_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    of = pack(people=60)
    listening(monkeypatch, met=frozenset({speaker_hash(of.speakers[0])}))
    with pytest.raises(DataError, match="has met"):
        product_answers(of, [drawn(of)], judged(), folder=Path(), seed=1)
